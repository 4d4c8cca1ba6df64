"""The blows: what is done to a service, at which moment, until it has to stand again.

Moments are drawn: from the time that the last start and the last drain took here, so that they meet all of it on a fast
machine and on a busy one.  What stands afterwards, ``trial`` looks at.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from scripts.crashes import checks
from scripts.crashes.lives import Lives
from scripts.crashes.processes import Failed
from scripts.crashes.result import KILL
from scripts.crashes.setup import LEASE_SECONDS, RETAINED_SECONDS

UNLIMITED = -1
DISK_BYTES = 8 * 1024
"""How large a file may become on the full disk.  Data file and log are larger once they hold anything, so that nothing
can be written at once; the files of the handler (setup.py) are smaller."""
STOPPED_SECONDS = LEASE_SECONDS + 1.0
"""Longer than a lease, and than this service waits for a source."""
REMOVES_SECONDS = RETAINED_SECONDS + 40.0
LOOK_SECONDS = 0.005
BATCHES_SECONDS = 0.1
"""Some batches of retention, with the pauses between them."""


class Blows:
    """All that can happen to the service of one trial."""

    def __init__(
        self,
        lives: Lives,
        empty: Callable[[], Lives],
        moments: random.Random,
        recover: Callable[[], Awaitable[None]],
        look: Callable[[], Awaitable[None]],
        load_seconds: float,
    ) -> None:
        """``empty`` gives the lives of a service in an empty folder, ``recover`` starts again and looks."""
        self._lives = lives
        self._empty = empty
        self._moments = moments
        self._recover = recover
        self._look = look
        self._load_seconds = load_seconds

    async def strike(self, name: str) -> None:
        """Do one of ``NAMES``, and look."""
        await _BLOWS[name](self)

    async def kill(self) -> None:
        """Kill it under load."""
        await self._lives.kill()
        await self._recover()

    async def kill_starting(self) -> None:
        """Kill it while it starts on the data of the one before."""
        await self._lives.kill()
        await self._lives.begin()
        await self._wait_within(self._lives.start_seconds)
        await self.kill()

    async def kill_creating(self) -> None:
        """The very first start, which makes folder, file and schema; the service under load goes on beside it."""
        lives = self._empty()
        try:
            await lives.begin()
            await self._wait_within(self._lives.start_seconds)
            await lives.kill()
            await lives.start()
            found = checks.broken(lives.data)
            if found:
                raise Failed(f"after a kill while its folder was made: {found}")
        finally:
            await lives.end()
            shutil.rmtree(lives.folder)
        await self._look()

    async def kill_draining(self) -> None:
        """Kill it on its way out."""
        await self._lives.kill_draining(self._moments.random() * self._lives.drain_seconds)
        await self._recover()

    async def kill_removing(self) -> None:
        """Kill it while retention removes rows."""
        first = checks.first_event(self._lives.data)
        deadline = time.monotonic() + REMOVES_SECONDS
        while checks.first_event(self._lives.data) == first:
            if time.monotonic() > deadline:
                raise Failed(f"retention removed nothing within {REMOVES_SECONDS:g} s")
            await asyncio.sleep(LOOK_SECONDS)
        await self._wait_within(BATCHES_SECONDS)
        await self.kill()

    async def kill_full(self) -> None:
        """Kill it while nothing can be written."""
        await self._fill()
        await self.kill()

    async def terminate(self) -> None:
        """Ask it to end, and start it again."""
        await self._lives.terminate()
        await self._lives.start()
        await self._look()

    async def stop(self) -> None:
        """Stop it for a while, as a machine does that sleeps: leases and timeouts end meanwhile."""
        self._lives.service.send(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_SECONDS)
        self._lives.service.send(signal.SIGCONT)
        await self._look()

    async def fill_disk(self) -> None:
        """Let nothing be written for a while."""
        await self._fill()
        await self._wait_within(self._load_seconds)
        service = self._lives.service
        # Each time anew: the layer that forgets lifts the limit for its own notes, and might put it back just then.
        await service.writable(wanted=True, meanwhile=lambda: service.limit_files(UNLIMITED))
        await self._look()

    async def _fill(self) -> None:
        """Fill the disk, and see that the service notices: a limit that it does not reach would be no blow."""
        self._lives.service.limit_files(DISK_BYTES)
        await self._lives.service.writable(wanted=False)

    async def _wait_within(self, seconds: float) -> None:
        await asyncio.sleep(self._moments.random() * seconds)


_BLOWS: Mapping[str, Callable[[Blows], Awaitable[None]]] = {
    KILL: Blows.kill,
    "kill while starting": Blows.kill_starting,
    "kill while creating": Blows.kill_creating,
    "kill while draining": Blows.kill_draining,
    "kill while removing": Blows.kill_removing,
    "kill on a full disk": Blows.kill_full,
    "SIGTERM": Blows.terminate,
    "SIGSTOP": Blows.stop,
    "full disk": Blows.fill_disk,
}
NAMES = tuple(_BLOWS)


def empty_folder(folder: Path) -> Path:
    """Make a folder for a service that was never there."""
    made = folder / "empty"
    made.mkdir()
    return made
