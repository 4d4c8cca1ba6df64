"""hookbridge as its users start it: a process, its log, its signals."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from tests.support.running import ADMIN, ADMIN_TOKEN, Client
from tests.support.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]


class Process(Client):
    """A service of its own process, and what tests do with it.  `log` has its lines so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"event": line.decode(errors="replace").rstrip()})

    def said(self, event: str) -> dict[str, Any] | None:
        """The first line of its log with this event."""
        return next((line for line in self.log if line.get("event") == event), None)

    async def until_listening(self) -> None:
        await wait_until(lambda: self.said("Listening") or self._reading.done())
        line = self.said("Listening")
        assert line is not None, self.log
        self.url = line["url"]
        self.http = ClientSession(self.url)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`."""
        self._process.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait for its end; gives the exit code."""
        code = await self._process.wait()
        await self._reading
        return code

    async def close(self) -> None:
        if self._process.returncode is None:
            self.kill()
        await self.ended()
        if hasattr(self, "http"):
            await self.http.close()


@asynccontextmanager
async def process(folder: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """Start `python -m hookbridge` on the data of this folder, and wait until it listens."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hookbridge", "--port", "0"),
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("HOOKBRIDGE_")},
            "PYTHONPATH": str(REPOSITORY),
            "HOOKBRIDGE_ADMIN_TOKEN": ADMIN_TOKEN,
            "HOOKBRIDGE_STORE__MIN_FREE_BYTES": "0",
            "HOOKBRIDGE_LOGGING__FORMAT": "json",
            **(environ or {}),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
    )
    service = Process(started)
    try:
        await service.until_listening()
        yield service
    finally:
        await service.close()


__all__ = ["ADMIN", "Process", "process"]
