"""The servers that requests are sent to: a bare aiohttp handler, FastAPI, and hookbridge."""

import http.client
import json
import os
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.benchmarks import load
from scripts.benchmarks.machine import (
    PYTHON,
    SERVER_CORE,
    CannotMeasure,
    processor_seconds,
    running,
    until_answers,
)
from scripts.programs import free_port

HERE = Path(__file__).parent
ADMIN = "token-for-the-benchmark"
FASTAPI = ("fastapi>=0.115,<1", "uvicorn[standard]>=0.34,<1")
DRAIN_SECONDS = 120.0


def bare(requests: Path, seconds: float) -> load.Result:
    """Let the bare handler answer, on the service's loop and with its settings of the garbage collector."""
    port = free_port()
    with running([PYTHON, "-m", "scripts.benchmarks.bare_app", str(port)], core=SERVER_CORE) as process:
        until_answers(f"http://127.0.0.1:{port}/", process)
        return load.send(requests, port, process, seconds)


def fastapi_environment() -> Path:
    """Make FastAPI's environment, once a machine; gives its Python."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hookbridge-bench"
    python = cache / "bin" / "python"
    if not (cache / "ready").exists():
        venv.create(cache, clear=True, with_pip=True)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--quiet", "--quiet", *FASTAPI], check=False)
        if done.returncode:
            raise CannotMeasure("FastAPI could not be installed", "look at pip's lines above")
        (cache / "ready").touch()
    return python


def fastapi(requests: Path, python: Path, seconds: float) -> load.Result:
    """Let FastAPI answer."""
    port = free_port()
    command = [str(python), "-m", "uvicorn", "fastapi_app:app", "--port", str(port), "--no-access-log"]
    environment = {"WEBHOOK_SECRET": load.SECRET, "PYTHONPATH": str(HERE)}
    command += ["--log-level", "warning", "--backlog", "1024"]
    with running(command, core=SERVER_CORE, environment=environment) as process:
        until_answers(f"http://127.0.0.1:{port}/", process)
        return load.send(requests, port, process, seconds)


@contextmanager
def hookbridge(settings: Mapping[str, str] | None = None) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Run the service in an empty folder, verifying signatures; gives its port and its process.

    ``settings`` are more of its environment's variables.
    """
    port = free_port()
    environment = {
        "WEBHOOK_SECRET": load.SECRET,
        "VERIFY_WEBHOOK_SIGNATURES": "true",
        "HOOKBRIDGE_ADMIN_TOKEN": ADMIN,
        "HOOKBRIDGE_LOGGING__FORMAT": "json",
        "PYTHONPATH": str(HERE.parent.parent),
        **(settings or {}),
    }
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        command = [PYTHON, "-m", "hookbridge", "--port", str(port)]
        with running(command, core=SERVER_CORE, environment=environment, folder=Path(name)) as process:
            until_answers(f"http://127.0.0.1:{port}/healthz", process)
            yield port, process


def ack(
    requests: Path, seconds: float, *, settings: Mapping[str, str] | None = None, senders: int = load.CONNECTIONS
) -> load.Result:
    """Let hookbridge take events while its lanes are paused."""
    with hookbridge(settings) as (port, process):
        ask(port, "POST", "/api/v1/sources/supabase/pause")
        result = load.send(requests, port, process, seconds, senders)
        received = ask(port, "GET", "/api/v1/webhooks/stats")["books"]["received"]
        if received < result.requests:
            raise CannotMeasure(f"{result.requests} acks, {received} stored", "more requests are needed: repeats")
        return result


class Ended:
    """What the way to the end took, from the first request to the last settlement."""

    def __init__(self, books: dict[str, int], seconds: float, processor_seconds: float) -> None:
        self.events = books["applied"] + books["coalesced"]
        self.per_second = self.events / seconds
        self.processor_us = processor_seconds / self.events * 1e6
        self.coalesced = books["coalesced"] / self.events


def end_to_end(requests: Path, seconds: float, data_file: Path) -> Ended:
    """Send for so long to hookbridge with this data file, and wait until all is settled."""
    with hookbridge({"HOOKBRIDGE_STORE__PATH": str(data_file)}) as (port, process):
        return sent_and_ended(requests, seconds, port, process)


def sent_and_ended(requests: Path, seconds: float, port: int, process: "subprocess.Popen[bytes]") -> Ended:
    """Send for so long to this service, and wait until all is settled."""
    began, used = time.monotonic(), processor_seconds(process.pid)
    load.send(requests, port, process, seconds)
    while True:
        books = ask(port, "GET", "/api/v1/webhooks/stats")["books"]
        took = time.monotonic() - began
        if not books["open"]:
            return Ended(books, took, processor_seconds(process.pid) - used)
        if took > seconds + DRAIN_SECONDS:
            raise CannotMeasure(f"{books['open']} events are still open", "look at the service's log")
        time.sleep(0.1)


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
