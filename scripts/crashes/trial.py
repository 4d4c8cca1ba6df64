"""One crash test: blow after blow on the same data, and after each one a look at everything that was promised.

Invariant: a blow counts only when the look after it found every acknowledged event, books that balance, and copies
that are what the sources say.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.crashes import checks
from scripts.crashes.blows import NAMES, Blows, empty_folder
from scripts.crashes.followers import Followers, followers, held
from scripts.crashes.forgetting import NEVER_SYNCED
from scripts.crashes.layers import compiled
from scripts.crashes.lives import Lives
from scripts.crashes.processes import Failed, World, world
from scripts.crashes.pulled import Pulled
from scripts.crashes.result import KILL, Options, Result
from scripts.crashes.setup import RETAINED_SECONDS, SHORT_LEASES, environment, module, prepare
from scripts.programs import free_port

SHOWN_MAX = 5
REMOVES_AFTER_SECONDS = 2 * RETAINED_SECONDS
"""After so long a run retention must have removed something."""


class Trial:
    """The state of a running test."""

    def __init__(
        self, folder: Path, options: Options, outside: World, followed_by: Followers, port: int, result: Result
    ) -> None:
        self.result = result
        self._folder = folder
        self._options = options
        self._world = outside
        self._followers = followed_by
        self._random = random.Random(options.seed)  # noqa: S311  moments, not secrets
        self._environment = environment(outside.urls["supabase"], outside.urls["notion"]) | SHORT_LEASES
        self._layer = compiled(folder, "forget") if options.power_loss else None
        self._lives = self._lives_in(folder, port, followed_by.environment)
        self._effects = checks.Effects(folder)
        self._pulled = Pulled(folder / "journal")
        self._read = 0
        self._young: list[checks.Acknowledged] = []
        """Acknowledged so lately that retention cannot have removed it at the last look."""
        self._kinds = options.blows or NAMES
        self._blows = Blows(
            self._lives, self._lives_in_empty_folder, self._random, self._recover, self._look, options.load_seconds
        )

    def _lives_in(self, folder: Path, port: int, more: Mapping[str, str], *, takes: bool = True) -> Lives:
        prepare(folder, takes=takes)
        command = [sys.executable, "-c", NEVER_SYNCED] if self._options.never_sync else module("hookbridge")
        return Lives(folder, port, {**self._environment, **more}, command, self._layer, self.result)

    def _lives_in_empty_folder(self) -> Lives:
        # Nobody follows it, and it takes nothing: an outbox belongs to one store.
        return self._lives_in(empty_folder(self._folder), free_port(), {}, takes=False)

    async def run(self) -> None:
        """Strike until there were enough kills or the time is over."""
        began = time.monotonic()
        await self._lives.start()
        for number, name in enumerate(self._names()):
            over = time.monotonic() - began > self._options.seconds
            if over or self.result.kills >= self._options.kills or number == self._options.rounds:
                break
            await self._world.tell("go")
            await asyncio.sleep(self._random.random() * self._options.load_seconds)
            await self._blows.strike(name)
            self.result.blows[name] = self.result.blows.get(name, 0) + 1
            if not self.result.kept:
                return
        if time.monotonic() - began > REMOVES_AFTER_SECONDS and not self.result.removed:
            self.result.broken.append(f"retention removed nothing in {time.monotonic() - began:.0f} s")
        self.result.insist(self._kinds)

    def _names(self) -> Iterator[str]:
        """Say which blow is next: first one of each kind, then all kinds again and again and more kills."""
        more: list[str] = []
        while True:
            names = [*self._kinds, *more]
            self._random.shuffle(names)
            yield from names
            more = [KILL] * 4 if KILL in self._kinds else []

    async def _recover(self) -> None:
        began = time.monotonic()
        await self._lives.start()
        await self._look()
        self.result.slowest_recovery_seconds = max(self.result.slowest_recovery_seconds, time.monotonic() - began)

    async def _look(self) -> None:
        """Compare everything with what was promised."""
        self._count_lost()
        if self.result.lost:
            return
        said = await self._world.delivered()
        self._count_lost()
        await self._lives.service.settled()
        state = self._folder / "state.json"
        await self._world.tell(f"state {state}")
        data = self._lives.data
        self.result.acknowledged = said["acknowledged"]
        self.result.duplicates = said["duplicates"]
        self.result.refused = said["refused"]
        self._effects.read()
        found = [
            *checks.broken(data),
            *checks.uncounted(data, said["acknowledged"] - said["duplicates"]),
            *checks.differing(data, json.loads(state.read_text()))[:SHOWN_MAX],
            *self._effects.missing(data)[:SHOWN_MAX],
            *(await self._followers.broken(held(checks.copies(data))))[:SHOWN_MAX],
        ]
        self.result.broken += found
        self._followers.count(self.result)
        self.result.removed = checks.removed(data)
        self.result.events_with_effect, self.result.applied_twice = self._effects.events, self._effects.again

    def _count_lost(self) -> None:
        """Look for what was acknowledged since the last look, and once more for all that has to be there still."""
        with (self._folder / "journal").open() as journal:
            journal.seek(self._read)
            lines = journal.readlines()
            self._read = journal.tell()
        self.result.acknowledged += len(lines)
        kept_since = time.time() - RETAINED_SECONDS
        young = [one for one in self._young if one.sent_at >= kept_since]
        self._young = young + [checks.Acknowledged.of(line) for line in lines]
        lost, only_counted = checks.lost(self._lives.data, self._young, kept_since)
        self.result.only_counted += only_counted
        self.result.lost += len(lost)
        self.result.broken += [f"event {id_} was acknowledged and is not there" for id_ in lost[:SHOWN_MAX]]
        self._pulled.read()
        gone = self._pulled.lost(checks.identities(self._lives.data))
        self.result.taken = self._pulled.done
        self.result.lost += len(gone)
        self.result.broken += gone[:SHOWN_MAX]

    async def end(self) -> None:
        """End the service, however it stands."""
        await self._lives.end()


@asynccontextmanager
async def _trial(folder: Path, options: Options, result: Result) -> AsyncIterator[Trial]:
    port = free_port()
    async with (
        world([port], folder / "journal", options.seed) as outside,
        followers([port], options.seed) as followed_by,
    ):
        trial = Trial(folder, options, outside, followed_by, port, result)
        try:
            yield trial
        finally:
            await trial.end()


async def run(folder: Path, options: Options, result: Result | None = None) -> Result:
    """Run one test in an empty folder; ``result`` is what has been found so far, at any moment."""
    result = result or Result(seed=options.seed)
    began = time.monotonic()
    try:
        async with _trial(folder, options, result) as trial:
            await trial.run()
    except Failed as error:
        result.failure = str(error)
    finally:
        result.seconds = time.monotonic() - began
    return result
