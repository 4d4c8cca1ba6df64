"""One crash test of several nodes: blow after blow, audits in single snapshots all the while, and a look after each.

Invariant: a blow counts only when the look after it found every acknowledged event, in its order, books that balance,
and copies that are what the sources say.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from hookbridge.errors import StartupError
from scripts.crashes import checks
from scripts.crashes.cluster import audit
from scripts.crashes.cluster.blows import NAMES, ROLLING, Blows
from scripts.crashes.cluster.database import Database, database
from scripts.crashes.cluster.nodes import Nodes, receiving
from scripts.crashes.followers import Followers, followers, held
from scripts.crashes.layers import compiled, compiler
from scripts.crashes.processes import Failed, World, world
from scripts.crashes.pulled import Pulled
from scripts.crashes.result import Options, Result
from scripts.crashes.setup import LEASE_SECONDS, RETAINED_SECONDS
from scripts.programs import free_port

SHOWN_MAX = 5
AUDIT_SECONDS = 0.5
SETTLED_SECONDS = 120.0
LOOK_SECONDS = 0.05
OVERLAP_SECONDS = 2 * LEASE_SECONDS
"""Of reads by several nodes at once any may end first; ``audit.History`` knows more of that."""


class Trial:
    """The state of a running test."""

    def __init__(
        self,
        folder: Path,
        options: Options,
        outside: World,
        followed_by: Followers,
        nodes: Nodes,
        postgres: Database,
        result: Result,
    ) -> None:
        self.result = result
        self._folder = folder
        self._options = options
        self._world = outside
        self._followers = followed_by
        self._nodes = nodes
        self._database = postgres
        self._random = random.Random(options.seed)  # noqa: S311  moments, not secrets
        self._blows = Blows(nodes, postgres, self._random, result)
        self._effects = [checks.Effects(folder / node.name) for node in nodes.all]
        self._history = audit.History()
        self._auditing = asyncio.Lock()
        self._pulled = Pulled(folder / "journal")
        self._read = 0
        self._young: list[checks.Acknowledged] = []
        """Acknowledged so lately that retention cannot have removed it at the last look."""

    async def run(self, tell: Callable[[str], None]) -> None:
        """Strike until there were enough blows or the time is over."""
        began = time.monotonic()
        await self._nodes.start()
        watching = asyncio.create_task(self._watch(), name="audits")
        try:
            for number, name in enumerate(self._names(), start=1):
                over = time.monotonic() - began > self._options.seconds
                if over or number > (self._options.rounds or number) or self.result.kills >= self._options.kills:
                    break
                await self._round(name)
                tell(self._progress(number, name, time.monotonic() - began))
                if watching.done():
                    watching.result()
                if not self.result.kept:
                    break  # what is broken now would be found again after each blow
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        self.result.insist(self._options.blows or NAMES)

    async def _round(self, name: str) -> None:
        await self._world.tell("go")
        await asyncio.sleep(self._random.random() * self._options.load_seconds)
        refused = (await self._world.tell("look"))["refused"]
        await self._blows.strike(name)
        self.result.blows[name] = self.result.blows.get(name, 0) + 1
        began = time.monotonic()
        now = (await self._world.tell("look"))["refused"]
        if name == ROLLING and now != refused:
            self.result.broken.append(f"requests were refused during a rolling restart: {now} after {refused}")
        await self._look()
        self.result.slowest_recovery_seconds = max(self.result.slowest_recovery_seconds, time.monotonic() - began)

    def _names(self) -> Iterator[str]:
        """Say which blow is next: all kinds, again and again."""
        kinds = list(self._options.blows or NAMES)
        while True:
            self._random.shuffle(kinds)
            yield from kinds

    def _progress(self, number: int, name: str, seconds: float) -> str:
        result = self.result
        return (
            f"{seconds:6.0f} s  blow {number:>3}  {name:<24} {result.acknowledged:>9} acknowledged,"
            f" {result.lost} lost, {result.audits} audits, {result.fenced} fenced"
        )

    # Looking

    async def _watch(self) -> None:
        """Audit until cancelled, or until something is broken: it would be found again each time."""
        while self.result.kept:
            await asyncio.sleep(AUDIT_SECONDS)
            await self._audit()

    async def _audit(self) -> audit.Snapshot:
        """Take a snapshot and judge it: one after the other, or an older one would be judged behind a newer one."""
        async with self._auditing:
            seen = await audit.snapshot(self._database)
            self.result.audits += 1
            self.result.broken += [*seen.broken(), *self._history.broken(seen)][:SHOWN_MAX]
        return seen

    async def _look(self) -> None:
        """Compare everything with what was promised."""
        await self._count_lost()
        if self.result.lost:
            return
        said = await self._world.delivered()
        await self._count_lost()
        await self._settled()
        state = self._folder / "state.json"
        await self._world.tell(f"state {state}")
        self.result.acknowledged = said["acknowledged"]
        self.result.duplicates = said["duplicates"]
        self.result.refused = said["refused"]
        seen = await self._audit()
        handled = await audit.handled(self._database)
        for effects in self._effects:  # after what is settled was seen: the reconciler goes on all the while
            effects.read()
        known = frozenset().union(*(effects.known for effects in self._effects))
        self.result.broken += [
            *seen.uncounted(said["acknowledged"] - said["duplicates"]),
            *(await audit.differing(self._database, json.loads(state.read_text())))[:SHOWN_MAX],
            *audit.without_effect(handled, known)[:SHOWN_MAX],
            *(await self._followers.broken(held(await audit.copies(self._database))))[:SHOWN_MAX],
        ]
        self._followers.count(self.result)
        self.result.removed = await audit.removed(self._database)
        self.result.events_with_effect = len(known)
        self.result.applied_twice = sum(one.events + one.again for one in self._effects) - len(known)
        self.result.deadlocks = self._database.deadlocks()
        if self.result.deadlocks:
            self.result.broken.append(f"{self.result.deadlocks} deadlocks are in the server's log")

    async def _settled(self) -> None:
        """Wait until no event is open.  Raises Failed, with what is."""
        deadline = time.monotonic() + SETTLED_SECONDS
        left = await audit.open_events(self._database)
        while left and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            left = await audit.open_events(self._database)
        if left:
            waiting = "\n".join(await audit.waiting(self._database))
            words = "\n".join(f"{node.name}: {node.lives.service.last_words[-1500:]}" for node in self._nodes.all)
            raise Failed(f"events are still open; leads: {await audit.leads(self._database)}\n{waiting}\n{words}")

    async def _count_lost(self) -> None:
        """Look for what was acknowledged since the last look, and once more for all that has to be there still."""
        with (self._folder / "journal").open() as journal:
            journal.seek(self._read)
            lines = journal.readlines()
            self._read = journal.tell()
        self.result.acknowledged += len(lines)
        kept_since = time.time() - RETAINED_SECONDS
        young = [one for one in self._young if one.sent_at >= kept_since]
        self._young = young + [checks.Acknowledged.of(line) for line in lines]
        found = await audit.found(self._database, min((one.id for one in self._young), default=0))
        lost, only_counted = audit.lost(found, self._young, kept_since)
        self.result.only_counted += only_counted
        self.result.lost += len(lost)
        self.result.broken += [f"event {id_} was acknowledged and is not there" for id_ in lost[:SHOWN_MAX]]
        self.result.broken += audit.out_of_order(found, self._young)[:SHOWN_MAX]
        self._pulled.read()
        gone = self._pulled.lost({one.identity for one in (await audit.found(self._database, 0)).values()})
        self.result.taken = self._pulled.done
        self.result.lost += len(gone)
        self.result.broken += gone[:SHOWN_MAX]


def subfolder(folder: Path, name: str) -> Path:
    """Make a folder in this one."""
    made = folder / name
    made.mkdir()
    return made


@asynccontextmanager
async def _trial(folder: Path, options: Options, result: Result) -> AsyncIterator[Trial]:
    ports = [free_port() for _ in range(options.nodes)]
    clocks = compiled(folder, "shift") if compiler() is not None else None
    async with (
        database(subfolder(folder, "postgres"), options.nodes) as postgres,
        world(receiving(ports), folder / "journal", options.seed) as outside,
        followers(ports, options.seed, overlap_seconds=OVERLAP_SECONDS) as followed_by,
    ):
        nodes = Nodes(folder, ports, outside.urls, postgres, clocks, result, followed_by.environment)
        try:
            yield Trial(folder, options, outside, followed_by, nodes, postgres, result)
        finally:
            await nodes.end()
            result.errors = dict(postgres.said())


async def run(
    folder: Path, options: Options, result: Result | None = None, tell: Callable[[str], None] = lambda line: None
) -> Result:
    """Run one test in an empty folder; ``result`` is what has been found so far, at any moment."""
    result = result or Result(seed=options.seed)
    began = time.monotonic()
    try:
        async with _trial(folder, options, result) as trial:
            await trial.run(tell)
    except (Failed, StartupError) as error:
        result.failure = str(error)
    finally:
        result.seconds = time.monotonic() - began
    return result
