"""One crash test: blow after blow on the same data, and after each one a look at everything that was promised.

Invariant: a blow counts only when the look after it found every acknowledged event, books that balance, and copies
that are what the sources say.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from scripts.crashes import checks, forgetting
from scripts.crashes.forgetting import NEVER_SYNCED
from scripts.crashes.processes import DISK_BYTES, Failed, Service, World, world
from scripts.crashes.setup import environment, module, prepare

UNLIMITED = -1
STOPPED_SECONDS = 3.0
"""Longer than the two seconds that this service waits for a source."""
START_SECONDS = 0.8
DRAIN_SECONDS = 0.15
LOST_SHOWN = 5


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, and how much of it."""

    kills: int = 60
    rounds: int | None = None
    """End after so many blows; the first six are one of each kind."""
    seed: int
    seconds: float = 180.0
    load_seconds: float = 1.0
    """The longest load before a blow."""
    power_loss: bool = False
    """Whether each death takes with it what was written and not synced."""
    never_sync: bool = False
    """Whether the service does not sync, so that the test can be seen to find out."""


class Result(msgspec.Struct, kw_only=True):
    """What was done, and what became of it."""

    seed: int
    blows: dict[str, int] = {}
    kills: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    refused: dict[str, int] = {}
    """Answers other than 202 by status; each was sent again."""
    lost: int = 0
    broken: list[str] = []
    """What was half-stored, did not balance or did not converge."""
    forgotten_writes: int = 0
    """Writes without a sync that the losses of power took away."""
    changes_with_effect: int = 0
    applied_twice: int = 0
    """Calls of a handler for a change that it was called for before: at least once is what is promised."""
    slowest_recovery_seconds: float = 0.0
    """From exec until every event was applied and copy and sources were equal, after a kill."""
    seconds: float = 0.0
    failure: str = ""

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not (self.lost or self.broken or self.failure)


class Trial:
    """The state of a running test."""

    def __init__(self, folder: Path, options: Options, outside: World, port: int) -> None:
        self.result = Result(seed=options.seed)
        self._folder = folder
        self._options = options
        self._world = outside
        self._port = port
        self._random = random.Random(options.seed)  # noqa: S311  moments, not secrets
        self._environment = environment(outside.urls["supabase"], outside.urls["notion"])
        self._command = [sys.executable, "-c", NEVER_SYNCED] if options.never_sync else module("hookbridge")
        if options.power_loss:
            self._environment |= forgetting.install(folder)
        self._data = folder / "data" / "hookbridge.db"
        self._read = 0
        self._service: Service | None = None
        self._blows: dict[str, Callable[[], Awaitable[None]]] = {
            "kill": self._kill,
            "kill while starting": self._kill_starting,
            "kill while draining": self._kill_draining,
            "SIGTERM": self._terminate,
            "SIGSTOP": self._stop,
            "full disk": self._fill_disk,
        }

    async def run(self) -> None:
        """Strike until there were enough kills or the time is over."""
        began = time.monotonic()
        await self._start()
        for number, name in enumerate(self._names()):
            over = time.monotonic() - began > self._options.seconds
            if over or self.result.kills >= self._options.kills or number == self._options.rounds:
                break
            await self._world.tell("go")
            await asyncio.sleep(self._random.random() * self._options.load_seconds)
            await self._blows[name]()
            self.result.blows[name] = self.result.blows.get(name, 0) + 1
            if not self.result.kept:
                break

    def _names(self) -> Iterator[str]:
        """Say which blow is next: first one of each kind, then all kinds in each ten, most of them kills under load."""
        more: list[str] = []
        while True:
            names = [*self._blows, *more]
            self._random.shuffle(names)
            yield from names
            more = ["kill"] * 4

    # Blows

    async def _kill(self) -> None:
        self._running.send(signal.SIGKILL)
        await self._buried()
        await self._recover()

    async def _kill_starting(self) -> None:
        self._running.send(signal.SIGKILL)
        await self._buried()
        self._service = await self._execute()
        await asyncio.sleep(self._random.random() * START_SECONDS)
        await self._kill()

    async def _kill_draining(self) -> None:
        self._running.send(signal.SIGTERM)
        await asyncio.sleep(self._random.random() * DRAIN_SECONDS)
        await self._kill()

    async def _terminate(self) -> None:
        self._running.send(signal.SIGTERM)
        if (code := await self._running.ended()) != 0:
            self.result.broken.append(f"SIGTERM ended with {code}")
        self._lose_power()
        await self._start()
        await self._look()

    async def _stop(self) -> None:
        self._running.send(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_SECONDS)
        self._running.send(signal.SIGCONT)
        await self._look()

    async def _fill_disk(self) -> None:
        self._running.limit_files(DISK_BYTES)
        await asyncio.sleep(self._random.random() * self._options.load_seconds)
        self._running.limit_files(UNLIMITED)
        await self._running.writable(wanted=True)
        await self._look()

    # Lives

    @property
    def _running(self) -> Service:
        assert self._service is not None
        return self._service

    async def _execute(self) -> Service:
        return await Service.start(self._folder, self._port, self._environment, self._command)

    async def _start(self) -> None:
        self._service = await self._execute()
        await self._running.ready()

    async def _buried(self) -> None:
        if await self._running.ended() == -signal.SIGKILL:
            self.result.kills += 1
        self._lose_power()

    def _lose_power(self) -> None:
        if self._options.power_loss:
            self.result.forgotten_writes += forgetting.lose_power(self._folder)

    async def _recover(self) -> None:
        began = time.monotonic()
        await self._start()
        await self._look()
        self.result.slowest_recovery_seconds = max(self.result.slowest_recovery_seconds, time.monotonic() - began)

    async def _look(self) -> None:
        """Compare everything with what was promised."""
        self._count_lost()
        if self.result.lost:
            return
        said = await self._world.delivered()
        await self._running.settled()
        self._count_lost()
        state = self._folder / "state.json"
        await self._world.tell(f"state {state}")
        self.result.broken += checks.broken(self._data)
        self.result.broken += checks.differing(self._data, json.loads(state.read_text()))[:LOST_SHOWN]
        books = checks.books(self._data)
        if books.get("dead"):
            self.result.broken.append(f"{books['dead']} events are dead letters")
        self.result.acknowledged = said["acknowledged"]
        self.result.duplicates = said["duplicates"]
        self.result.refused = said["refused"]

    def _count_lost(self) -> None:
        """Look for what was acknowledged since the last look."""
        with (self._folder / "journal").open() as journal:
            journal.seek(self._read)
            lines = journal.readlines()
            self._read = journal.tell()
        acknowledged = [(int(id_), bytes.fromhex(identity)) for id_, identity in map(str.split, lines)]
        missing = checks.lost(self._data, acknowledged)
        self.result.lost += len(missing)
        self.result.broken += [f"event {id_} was acknowledged and is not there" for id_ in missing[:LOST_SHOWN]]

    async def end(self) -> None:
        """End the service, however it stands."""
        if self._service is not None:
            await self._service.kill()


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@asynccontextmanager
async def _trial(folder: Path, options: Options) -> AsyncIterator[Trial]:
    prepare(folder)
    port = free_port()
    async with world(port, folder / "journal", options.seed) as outside:
        trial = Trial(folder, options, outside, port)
        try:
            yield trial
        finally:
            await trial.end()


async def run(folder: Path, options: Options) -> Result:
    """Run one test in an empty folder."""
    began = time.monotonic()
    async with _trial(folder, options) as trial:
        try:
            await trial.run()
        except Failed as error:
            trial.result.failure = str(error)
    trial.result.changes_with_effect, trial.result.applied_twice = checks.effects(folder)
    trial.result.seconds = time.monotonic() - began
    return trial.result
