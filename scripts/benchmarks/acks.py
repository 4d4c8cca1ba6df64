"""The ack and the way to the end, beside a bare handler and FastAPI: the same requests to each, in turns."""

import http.client
import json
import os
import statistics
import subprocess
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.benchmarks import load
from scripts.benchmarks.machine import PYTHON, SERVER_CORE, CannotMeasure, free_port, running, until_answers
from scripts.benchmarks.row import Options, Row, at_least, at_most

HERE = Path(__file__).parent
ADMIN = "token-for-the-benchmark"
FASTAPI = ("fastapi>=0.115,<1", "uvicorn[standard]>=0.34,<1")
DRAIN_SECONDS = 120.0


def measure(options: Options) -> list[Row]:
    """Let the servers take turns."""
    measured: dict[str, list[load.Result]] = defaultdict(list)
    applied: list[float] = []
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        requests = load.prepare(Path(name), options.requests)
        scratch = _fastapi_environment()
        for _ in range(options.rounds):
            for loop in ("uvloop", "asyncio"):
                measured[loop].append(_bare(requests, loop, options.seconds))
            measured["fastapi"].append(_fastapi(requests, scratch, options.seconds))
            measured["ack"].append(_ack(requests, options.seconds))
            applied.append(_end_to_end(requests, options.seconds))
    rate = {name: statistics.median(one.per_second for one in results) for name, results in measured.items()}
    p50 = {name: statistics.median(one.p50_ms for one in results) for name, results in measured.items()}
    p99 = {name: statistics.median(one.p99_ms for one in results) for name, results in measured.items()}
    bare = max(rate["uvloop"], rate["asyncio"])
    faster = "uvloop" if rate["uvloop"] >= rate["asyncio"] else "asyncio"
    done = statistics.median(applied)
    return [
        Row(name="bare aiohttp handler, uvloop", value=f"{rate['uvloop']:,.0f} req/s, p99 {p99['uvloop']:.1f} ms"),
        Row(name="bare aiohttp handler, asyncio", value=f"{rate['asyncio']:,.0f} req/s, p99 {p99['asyncio']:.1f} ms"),
        Row(name="FastAPI, in memory", value=f"{rate['fastapi']:,.0f} req/s, p99 {p99['fastapi']:.1f} ms"),
        at_least(f"ack, against bare ({faster})", rate["ack"], bare, 0.9, "req/s"),
        at_least("ack, against bare (asyncio)", rate["ack"], rate["asyncio"], 0.9, "req/s"),
        at_least("ack, against FastAPI", rate["ack"], rate["fastapi"], 2.5, "req/s"),
        at_most("ack p50, against bare", p50["ack"], p50[faster], 2.0, "ms"),
        at_most("ack p99, against bare", p99["ack"], p99[faster], 2.0, "ms"),
        at_least(f"end to end, against bare ({faster})", done, bare, 0.5, "events/s"),
        at_least("end to end, against bare (asyncio)", done, rate["asyncio"], 0.5, "events/s"),
    ]


def _bare(requests: Path, loop: str, seconds: float) -> load.Result:
    port = free_port()
    with running([PYTHON, "-m", "scripts.benchmarks.bare_app", str(port), loop], core=SERVER_CORE) as process:
        until_answers(f"http://127.0.0.1:{port}/", process)
        return load.send(requests, port, seconds)


def _fastapi_environment() -> Path:
    """Make the scratch environment, once a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hookbridge-bench"
    python = cache / "bin" / "python"
    if not (cache / "ready").exists():
        venv.create(cache, clear=True, with_pip=True)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--quiet", "--quiet", *FASTAPI], check=False)
        if done.returncode:
            raise CannotMeasure("FastAPI could not be installed", "look at pip's lines above")
        (cache / "ready").touch()
    return python


def _fastapi(requests: Path, python: Path, seconds: float) -> load.Result:
    port = free_port()
    command = [str(python), "-m", "uvicorn", "fastapi_app:app", "--port", str(port), "--no-access-log"]
    environment = {"WEBHOOK_SECRET": load.SECRET, "PYTHONPATH": str(HERE)}
    command += ["--log-level", "warning", "--backlog", "1024"]
    with running(command, core=SERVER_CORE, environment=environment) as process:
        until_answers(f"http://127.0.0.1:{port}/", process)
        return load.send(requests, port, seconds)


@contextmanager
def hookbridge() -> Iterator[int]:
    """Run the service in an empty folder, verifying signatures; gives its port."""
    port = free_port()
    environment = {
        "WEBHOOK_SECRET": load.SECRET,
        "VERIFY_WEBHOOK_SIGNATURES": "true",
        "HOOKBRIDGE_ADMIN_TOKEN": ADMIN,
        "HOOKBRIDGE_LOGGING__FORMAT": "json",
        "PYTHONPATH": str(HERE.parent.parent),
    }
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        command = [PYTHON, "-m", "hookbridge", "--port", str(port)]
        with running(command, core=SERVER_CORE, environment=environment, folder=Path(name)) as process:
            until_answers(f"http://127.0.0.1:{port}/healthz", process)
            yield port


def _ack(requests: Path, seconds: float) -> load.Result:
    with hookbridge() as port:
        ask(port, "POST", "/api/v1/sources/supabase/pause")
        result = load.send(requests, port, seconds)
        received = ask(port, "GET", "/api/v1/webhooks/stats")["books"]["received"]
        if received < result.requests:
            raise CannotMeasure(f"{result.requests} acks, {received} stored", "more --requests are needed: repeats")
        return result


def _end_to_end(requests: Path, seconds: float) -> float:
    """Give the events a second that were applied, from the first request to the last settlement."""
    with hookbridge() as port:
        began = time.monotonic()
        load.send(requests, port, seconds)
        while True:
            books = ask(port, "GET", "/api/v1/webhooks/stats")["books"]
            if not books["open"]:
                return float(books["applied"] + books["coalesced"]) / (time.monotonic() - began)
            if time.monotonic() - began > seconds + DRAIN_SECONDS:
                raise CannotMeasure(f"{books['open']} events are still open", "look at the service's log")
            time.sleep(0.05)


def ask(port: int, method: str, path: str) -> dict[str, Any]:
    """Call the service as its operator."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers={"Authorization": f"Bearer {ADMIN}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise CannotMeasure(f"{method} {path} answered {answer.status}", "start the service by hand")
    decoded: dict[str, Any] = json.loads(body)
    return decoded
