"""The load: signed requests that are prepared beforehand, and wrk, which sends them."""

import hmac
import json
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scripts.benchmarks.machine import LOAD_CORE, CannotMeasure, needed, pinned

SECRET = "a-secret-for-the-benchmark"  # noqa: S105  made up
CONNECTIONS = 200
"""pg_net sends bursts of 200."""
RECORDS = 10_000
PATH = "/api/v1/webhooks/supabase"
TIMES = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}

SCRIPT = """
local requests, at = {}, 0
function init(args)
  local file = assert(io.open(args[1], "rb"))
  local data = file:read("*a")
  file:close()
  local from = 1
  while true do
    local zero = string.find(data, "\\0", from, true)
    if not zero then break end
    requests[#requests + 1] = string.sub(data, from, zero - 1)
    from = zero + 1
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""


@dataclass(frozen=True)
class Result:
    """What wrk saw."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int


def prepare(folder: Path, count: int) -> Path:
    """Write requests with advancing times, for records that are spread over a table; each has a signature."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    path = folder / "requests"
    with path.open("wb") as file:
        for number in range(count):
            record = (number * 7919) % RECORDS
            body = json.dumps(
                {
                    "event_type": "update",
                    "source": "supabase",
                    "table_name": "users",
                    "record_id": str(record),
                    "data": {"id": record, "name": f"Ada Lovelace {number}", "email": f"ada{record}@example.com"},
                    "timestamp": (start + timedelta(microseconds=137 * number)).isoformat(),
                }
            ).encode()
            signature = hmac.digest(SECRET.encode(), body, "sha256").hex()
            head = (
                f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"X-Webhook-Signature: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            file.write(head.encode() + body + b"\0")
    (folder / "load.lua").write_text(SCRIPT)
    return path


def send(requests: Path, port: int, seconds: float) -> Result:
    """Send for so long.  Raises CannotMeasure when anything but 2xx came back."""
    wrk = needed("wrk", "install it: apt install wrk, brew install wrk")
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-s", str(requests.parent / "load.lua")]
    done = subprocess.run(
        pinned(LOAD_CORE, [*command, f"http://127.0.0.1:{port}{PATH}", "--", str(requests)]),
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    total = re.search(r"(\d+) requests in", said)
    if done.returncode or rate is None or total is None:
        raise CannotMeasure(f"wrk failed: {done.stderr.strip() or said.strip()}", "run it by hand")
    if "Non-2xx" in said:
        raise CannotMeasure("the server refused requests: " + said.strip().splitlines()[-1], "start it by hand")
    return Result(float(rate[1]), _latency(said, "50%"), _latency(said, "99%"), int(total[1]))


def _latency(said: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s|m)\b", said)
    return float(found[1]) * TIMES[found[2]] if found else float("nan")
