"""The nodes that run as processes beside the demonstration's own one, of which one dies now and then.

Invariant: when ``others`` has ended, none of them is left.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec
from aiohttp import ClientError, ClientSession

from hookbridge.api.health import Readiness
from hookbridge.config import Settings
from hookbridge.demo import node
from hookbridge.demo.processes import end_with_parent
from hookbridge.errors import StartupError
from hookbridge.model import SourceName

STARTED_SECONDS = 60.0
STARTS_MAX = 3
"""Of one that is killed from outside while it starts."""
ASKED_SECONDS = 10.0


class Other:
    """One of them."""

    def __init__(self, settings: Settings) -> None:
        server = settings.config.server
        self.name = settings.config.node.name
        self.url = f"http://{server.host}:{server.port}"
        self._settings = settings
        self._process: Process | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it was started and runs no longer."""
        return self._process is not None and self._process.returncode is not None

    async def start(self) -> None:
        """Start it, and wait until it serves; once more where somebody else killed it before.  Raises StartupError."""
        for _ in range(STARTS_MAX):
            process = await self._spawn()
            said = await self._first_line(process)
            if said:
                return
            if said is None or await process.wait() >= 0:
                break
        await self.kill()
        raise StartupError(f"{self.name} did not start", hint="see above what it says of that")

    async def _spawn(self) -> Process:
        command = [sys.executable, "-m", "hookbridge.demo.node"]
        self._process = process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, process_group=0, preexec_fn=end_with_parent()
        )
        assert process.stdin is not None  # noqa: S101  asked for
        process.stdin.write(node.written(self._settings))
        process.stdin.close()
        return process

    @staticmethod
    async def _first_line(process: Process) -> bytes | None:
        """Give what it says when it serves: nothing where it ended before, None where it took too long."""
        assert process.stdout is not None  # noqa: S101  asked for
        try:
            async with asyncio.timeout(STARTED_SECONDS):
                return await process.stdout.readline()
        except TimeoutError:
            return None

    async def kill(self) -> None:
        """End it with ``kill -9``."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.communicate()

    async def lane_waits(self, http: ClientSession, source: SourceName) -> bool:
        """Whether it says that its lane of this source waits for the source."""
        headers = {"Authorization": f"Bearer {self._settings.secrets.admin_token}"}
        try:
            async with asyncio.timeout(ASKED_SECONDS), http.get(f"{self.url}/readyz", headers=headers) as answer:
                if answer.status not in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}:
                    return False
                readiness = msgspec.json.decode(await answer.read(), type=Readiness)
        except (ClientError, TimeoutError):
            return False
        return any(lane.source == source and lane.state == "down" for lane in readiness.lanes)


class Others:
    """All of them."""

    def __init__(self, all_: Sequence[Other], http: ClientSession) -> None:
        self.all = all_
        self._http = http
        self._turns = itertools.cycle(all_)

    def next_victim(self) -> Other:
        """Give the one whose turn it is."""
        return next(self._turns)

    async def bring_back(self) -> list[Other]:
        """Start those that somebody else ended, and give them.  Raises StartupError."""
        gone = [one for one in self.all if one.has_ended]
        await asyncio.gather(*(one.start() for one in gone))
        return gone

    async def lane_waits(self, source: SourceName) -> bool:
        """Whether any of them waits for this source."""
        return any([await one.lane_waits(self._http, source) for one in self.all])


@asynccontextmanager
async def others(settings: Sequence[Settings], http: ClientSession) -> AsyncIterator[Others]:
    """Run a node for each of these settings.  Raises StartupError."""
    them = Others([Other(one) for one in settings], http)
    try:
        await asyncio.gather(*(one.start() for one in them.all))
        yield them
    finally:
        await asyncio.gather(*(one.kill() for one in them.all))
