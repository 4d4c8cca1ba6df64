"""The load: signed requests that are prepared beforehand, and wrk, which sends them."""

import hmac
import json
import random
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scripts.benchmarks.machine import LOAD_CORE, CannotMeasure, needed, pinned, processor_seconds

SECRET = "a-secret-for-the-benchmark"  # noqa: S105  made up
CONNECTIONS = 200
"""pg_net sends bursts of 200."""
PATH = "/api/v1/webhooks/supabase"
TIMES = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
WORDS = ["".join(random.Random(n).choices("abcdefghijklmnopqrstuvwxyz", k=2 + n % 9)) for n in range(5_000)]  # noqa: S311
"""Of which a long record's text is made."""

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
    """What wrk saw, and what the server's process used meanwhile."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    processor_us: float
    """Processor time of all its threads, for each request."""


def data_of(record: int, version: int, size: int) -> dict[str, object]:
    """Give a version of a record, ``size`` bytes of which are a text of the record's own words."""
    data: dict[str, object] = {"id": record, "name": f"Ada Lovelace {version}", "email": f"ada{record}@example.com"}
    if size:
        words = random.Random(record).choices(WORDS, k=size // 7)  # noqa: S311
        data["notes"] = " ".join(words)[:size]
    return data


def shuffled(records: int, count: int) -> Iterator[int]:
    """Visit all records, then all again, each time in another order: sorted ones would spare the index its work."""
    order, chance = list(range(records)), random.Random(1)  # noqa: S311
    for number in range(count):
        if number % records == 0:
            chance.shuffle(order)
        yield order[number % records]


def prepare(path: Path, count: int, *, records: int, size: int = 0) -> Path:
    """Write requests with advancing times for records in no order; each has a signature."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with path.open("wb") as file:
        for number, record in enumerate(shuffled(records, count)):
            body = json.dumps(
                {
                    "event_type": "update",
                    "source": "supabase",
                    "table_name": "users",
                    "record_id": str(record),
                    "data": data_of(record, number, size),
                    "timestamp": (start + timedelta(microseconds=137 * number)).isoformat(),
                }
            ).encode()
            signature = hmac.digest(SECRET.encode(), body, "sha256").hex()
            head = (
                f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"X-Webhook-Signature: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            file.write(head.encode() + body + b"\0")
    path.with_suffix(".lua").write_text(SCRIPT)
    return path


def send(
    requests: Path, port: int, server: "subprocess.Popen[bytes]", seconds: float, senders: int = CONNECTIONS
) -> Result:
    """Send for so long, from so many connections.  Raises CannotMeasure when anything but 2xx came back."""
    wrk = needed("wrk", "install it: apt install wrk, brew install wrk")
    command = [wrk, "-t1", f"-c{senders}", f"-d{seconds:g}s", "--latency", "-s", str(requests.with_suffix(".lua"))]
    before = processor_seconds(server.pid)
    done = subprocess.run(
        pinned(LOAD_CORE, [*command, f"http://127.0.0.1:{port}{PATH}", "--", str(requests)]),
        capture_output=True,
        text=True,
        check=False,
    )
    used = processor_seconds(server.pid) - before
    said = done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    total = re.search(r"(\d+) requests in", said)
    if done.returncode or rate is None or total is None:
        raise CannotMeasure(f"wrk failed: {done.stderr.strip() or said.strip()}", "run it by hand")
    if "Non-2xx" in said:
        raise CannotMeasure("the server refused requests: " + said.strip().splitlines()[-1], "start it by hand")
    number = int(total[1])
    return Result(float(rate[1]), _latency(said, "50%"), _latency(said, "99%"), number, used / number * 1e6)


def send_one(port: int, request: bytes) -> None:
    """Send one prepared request.  Raises CannotMeasure when it is not accepted."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 202 "):
        raise CannotMeasure(f"a webhook was answered {answer[:40]!r}", "start the service by hand")


def _latency(said: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s|m)\b", said)
    return float(found[1]) * TIMES[found[2]] if found else float("nan")
