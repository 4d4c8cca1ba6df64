"""A log that nobody reads, reads late, or stops reading holds nothing up: not a webhook, not health, not the end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from scripts.programs import free_port
from tests.support.books import WEBHOOKS
from tests.support.commands import environment
from tests.support.processes import process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: a log

BODY = {"event_type": "insert", "source": "supabase", "table_name": "users", "data": {"id": 1}}
LINES = 400
"""Far more than a pipe holds, each with a line of its own in the access log, and one for the change."""


@asynccontextmanager
async def unread(folder: Path, stdout: int, stderr: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A service whose output nobody reads, and where it listens."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hookbridge", "--port", str(port)),
        cwd=folder,
        env=environment({"HOOKBRIDGE_SERVER__ACCESS_LOG": "all", "HOOKBRIDGE_LOGGING__LEVEL": "debug"}),
        stdout=stdout,
        stderr=stderr,
    )
    url = f"http://127.0.0.1:{port}"

    async def listens() -> bool:
        try:
            async with ClientSession() as http, http.get(f"{url}/healthz") as answer:
                return answer.status == 200
        except ClientError:
            return False

    try:
        await wait_until(listens)
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def flood(url: str) -> None:
    async with ClientSession(url) as http:
        for number in range(LINES):
            async with http.post(f"{WEBHOOKS}/supabase", json={**BODY, "record_id": str(number)}) as answer:
                assert answer.status == 202
        async with http.get("/healthz") as answer:
            assert answer.status == 200


def objects(text: bytes) -> list[dict[str, Any]]:
    """The lines, but for one that a closing pipe cut."""
    return [json.loads(line) for line in text.split(b"\n")[:-1]]


@pytest.mark.parametrize("which", ["stdout", "both"])
async def test_a_pipe_that_nobody_reads_stops_nothing(tmp_path: Path, which: str) -> None:
    read, write = os.pipe()
    async with unread(tmp_path, write, write if which == "both" else asyncio.subprocess.DEVNULL) as (process, url):
        os.close(write)
        await flood(url)
        os.kill(process.pid, signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    with os.fdopen(read, "rb") as file:
        lines = objects(await asyncio.to_thread(file.read))
    assert "Listening" in [one["event"] for one in lines]


async def test_who_reads_late_gets_every_line_to_the_last(tmp_path: Path) -> None:
    read, write = os.pipe()
    async with unread(tmp_path, write, asyncio.subprocess.DEVNULL) as (process, url):
        os.close(write)
        await flood(url)
        with os.fdopen(read, "rb") as file:
            everything = asyncio.create_task(asyncio.to_thread(file.read))
            os.kill(process.pid, signal.SIGTERM)
            lines = objects(await everything)
        assert await process.wait() == 0
    events = [one["event"] for one in lines]
    assert sum(one.get("path") == f"{WEBHOOKS}/supabase" for one in lines) == LINES
    assert events[-1] == "Stopped"


async def test_a_reader_who_goes_away_ends_nothing(tmp_path: Path) -> None:
    read, write = os.pipe()
    async with unread(tmp_path, write, write) as (process, url):
        os.close(write)
        os.close(read)
        await flood(url)
        os.kill(process.pid, signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def test_warnings_and_what_nobody_caught_are_lines_like_all_others(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "import threading, warnings\n"
        "from hookbridge import bridge\n\n"
        "class Fragile:\n"
        "    def __del__(self):\n"
        "        raise ValueError('at the end')\n\n"
        "@bridge.on('supabase')\n"
        "async def handle(change):\n"
        "    warnings.warn('this is odd')\n"
        "    threading.Thread(target=lambda: 1 / 0).start()\n"
        "    Fragile()\n"
    )
    (tmp_path / "config.toml").write_text('[handlers]\nmodule = "odd"\n')
    async with process(tmp_path) as service:
        answer = await service.post(f"{WEBHOOKS}/supabase", {**BODY, "record_id": "1"})
        assert answer.status == 202

        def told(text: str) -> bool:
            return any(text in f"{line['event']} {line.get('exception')}" for line in service.log)

        for text in ("this is odd", "ZeroDivisionError", "ValueError: at the end"):
            await wait_until(lambda text=text: told(text))
        assert all("level" in line for line in service.log)
