"""hookbridge as its users start it: a process, its log, its signals."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from scripts.programs import Program, start
from tests.support.commands import HOOKBRIDGE, REPOSITORY
from tests.support.engines import store_environment
from tests.support.running import ADMIN, ADMIN_TOKEN, Client
from tests.support.waiting import wait_until


class Process(Program, Client):
    """A service of its own process, and what tests do with it.  `log` has its lines so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.log: list[dict[str, Any]] = []
        super().__init__(process)

    def took(self, line: str) -> None:
        try:
            self.log.append(json.loads(line))
        except ValueError:
            self.log.append({"event": line})

    def said(self, event: str) -> dict[str, Any] | None:
        """The first line of its log with this event."""
        return next((line for line in self.log if line.get("event") == event), None)

    async def until_listening(self) -> None:
        await wait_until(lambda: self.said("Listening") or self.has_said_all)
        line = self.said("Listening")
        assert line is not None, self.log
        self.url = line["url"]
        self.http = ClientSession(self.url)

    async def close(self) -> None:
        self.kill()
        await self.ended()
        if hasattr(self, "http"):
            await self.http.close()


@asynccontextmanager
async def process(folder: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """Start `python -m hookbridge` on the data of this folder, and wait until it listens."""
    started = await start(
        [*HOOKBRIDGE, "--port", "0"],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("HOOKBRIDGE_")},
            "PYTHONPATH": str(REPOSITORY),
            "HOOKBRIDGE_ADMIN_TOKEN": ADMIN_TOKEN,
            **store_environment(folder),
            "HOOKBRIDGE_LOGGING__FORMAT": "json",
            **(environ or {}),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    service = Process(started)
    try:
        await service.until_listening()
        yield service
    finally:
        await service.close()


__all__ = ["ADMIN", "REPOSITORY", "Process", "process"]
