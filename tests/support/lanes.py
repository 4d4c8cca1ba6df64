"""A lane beside a fresh store, with a source that does what a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from hookbridge.config import ProcessingConfig
from hookbridge.errors import SourceUnavailable
from hookbridge.model import Change, Effects, Outcome, StoredEvent
from hookbridge.pipeline.attempts import Attempts
from hookbridge.pipeline.lanes import Lane
from hookbridge.pipeline.worker import Worker
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.values import EventFilter
from tests.support.engines import at
from tests.support.events import event
from tests.support.files import opened
from tests.support.naps import HeldNaps, Naps
from tests.support.stores import add, books
from tests.support.waiting import wait_until

DOWN = SourceUnavailable("connection refused")


class Truth:
    """The one step: a source that can be down for all, or for some records only, or slow."""

    name = "data_verification"

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.poisonous: dict[str, BaseException] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.reads: list[str] = []
        self.reading: list[str] = []
        self.deepest_queue = 0
        self.rig: Rig

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        id_ = change.record.id
        assert id_ not in self.reading, "one record, one worker"
        self.reading.append(id_)
        self.reads.append(id_)
        self.deepest_queue = max(self.deepest_queue, self.rig.lane.state().queued)
        try:
            await self.open.wait()
            failure = self.poisonous.get(id_, self.failure)
            if failure is not None:
                raise failure
        finally:
            self.reading.remove(id_)
        return so_far


class Rig:
    """A lane with everything that the tests touch."""

    def __init__(self, store: SqliteStore, **config: float) -> None:
        self.store = store
        self.truth = Truth()
        self.truth.rig = self
        self.naps = HeldNaps()
        self.attempt_naps = Naps()
        self.probes = 0
        self.probe_failure: Exception | None = None
        self.now = 1_000.0
        settings = msgspec.convert({"workers": 3, "queue_size": 4, **config}, ProcessingConfig)
        worker = Worker(
            store, [self.truth], Attempts(settings, sleep=self.attempt_naps), clock=self.clock, sleep=self.attempt_naps
        )
        self.listed = True
        self.lane = Lane(
            "supabase",
            store,
            worker,
            self.probe,
            settings,
            has_credentials=True,
            follows=lambda _: self.listed,
            clock=self.clock,
            sleep=self.naps,
        )

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        """Set the lane's clock and the store's: a service has one."""
        self._now = now
        at(self.store, now)

    def clock(self) -> float:
        return self.now

    async def probe(self) -> None:
        self.probes += 1
        if self.probe_failure is not None:
            raise self.probe_failure

    @property
    def state(self) -> str:
        return self.lane.state().state

    async def add(self, *ids: object) -> None:
        """One event for each of these records, as one request, and the lane is told."""
        await add(self.store, *[event(id_) for id_ in ids], at=self.now)
        self.lane.wake()

    async def until(self, **expected: int) -> None:
        """Wait until the books are these."""

        async def reached() -> bool:
            return await books(self.store) == expected

        await wait_until(reached)

    async def until_paused(self) -> None:
        await wait_until(lambda: self.state != "running" and self.lane.state().next_probe_at is not None)

    async def probe_once(self) -> None:
        """Let one gap between two probes go by; returns when the probe was made."""
        before = self.probes
        self.naps.pass_one()
        await wait_until(lambda: self.probes > before)


@asynccontextmanager
async def laid(folder: Path, **config: float) -> AsyncIterator[Rig]:
    """A lane beside a fresh store; not running yet."""
    async with opened(folder) as store:
        yield Rig(store, **config)


@asynccontextmanager
async def working(rig: Rig) -> AsyncIterator[Rig]:
    """Run the lane of the rig."""
    task = asyncio.create_task(rig.lane.run())
    try:
        yield rig
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def running(folder: Path, **config: float) -> AsyncIterator[Rig]:
    async with laid(folder, **config) as rig, working(rig):
        yield rig


async def events_of(rig: Rig, outcome: Outcome | None = None) -> tuple[StoredEvent, ...]:
    """The stored events, of one outcome or of all."""
    return (await rig.store.events(EventFilter(outcome=outcome), before=None, limit=100)).events
