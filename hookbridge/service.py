"""The life of a service, and what operators ask of it; what it is made of, ``parts`` says.

``Service.open`` opens the store and makes everything, ``run`` is one task that owns every other one, ``begin_stop``
drains, ``stop`` ends.  Invariant: when ``run`` has ended, no task of the service is left, and whatever was acknowledged
and not finished is dirty in the store.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

import msgspec
import structlog
from msgspec.structs import replace

from hookbridge.api.alerts import AlertsState
from hookbridge.api.destinations import DestinationState
from hookbridge.api.health import Readiness
from hookbridge.api.lanes import LaneState
from hookbridge.api.stats import Statistics
from hookbridge.books import statistics
from hookbridge.clock import Clock, anchored_clock
from hookbridge.config import Settings
from hookbridge.errors import StoreUnavailable
from hookbridge.handlers import Bridge, load_handlers
from hookbridge.handshake import Learnt, learnt, warnings_about
from hookbridge.model import Books, Counts, Event, Outcome, Receipt, RecordKey
from hookbridge.observe.history import History
from hookbridge.parts import Parts
from hookbridge.pipeline.replay import replay
from hookbridge.readiness import (
    WritableInbox,
    problem_of,
    warnings_of,
    warnings_of_alerts,
    warnings_of_clock,
    warnings_of_stuck,
)
from hookbridge.reconcile.status import freshness
from hookbridge.records import Records
from hookbridge.search import Search
from hookbridge.sources import carrying
from hookbridge.sources.notion.budget import Budget
from hookbridge.sources.source import Delivery
from hookbridge.steps.calls import contain_tasks
from hookbridge.store.contract import Store
from hookbridge.store.opening import open_store
from hookbridge.store.values import Done, EventFilter, Totals
from hookbridge.verdict import judge

UNKNOWN = Totals(books=Books(received=0, open=0, applied=0, coalesced=0, ignored=0, dead=0))
"""While the store cannot be asked, which is then what the verdict says."""

_log = structlog.get_logger(__name__)


class Service(Parts):
    """The parts at work, without the HTTP surface; what operators ask of them and do."""

    def __init__(
        self, settings: Settings, store: Store, known: Learnt | None, bridge: Bridge | None, clock: Clock
    ) -> None:
        super().__init__(settings, store, known, bridge, clock)
        self.records = Records(store, self.sources, clock, self.verify, self._answered)
        self.search = Search(store, self.sources, lambda: self.indexing.progress)
        self.history = History(self._counts, store)
        self._inbox = WritableInbox(store, clock)
        self._stop_asked = asyncio.Event()
        self._deadline = 0.0
        self._senders_gone = asyncio.Event()
        self._ended = asyncio.Event()
        self._destinations: tuple[DestinationState, ...] = ()
        self._alerts: AlertsState | None = None

    @classmethod
    async def open(cls, settings: Settings, clock: Clock | None = None) -> Service:
        """Open the store and make the parts.  Raises StartupError."""
        module = settings.config.handlers.module
        bridge = load_handlers(module, settings.folder) if module else None
        store = await open_store(settings, clock or anchored_clock())
        try:
            service = cls(settings, store, await learnt(store), bridge, clock or store.now)
            await store.release_abandoned()
            await service.reconciler.open()
            await service.holds.open()
            await service.indexing.open()
            await service.places.open()
            await service.membership.beat()
        except BaseException:
            await store.close()
            raise
        if store.open_events:
            _log.info("Open events picked up", events=store.open_events)
        return service

    # Life

    async def run(self) -> None:
        """Process until ``stop``; then drain, close and return.  A bug in the machinery comes out as its exception."""
        if self._handlers is not None:
            contain_tasks(asyncio.get_running_loop())
        try:
            async with asyncio.TaskGroup() as group:
                roles = self.settings.config.node.roles
                lanes = self.lanes if "process" in roles else {}
                tasks = [group.create_task(lane.run(), name=f"{name}-lane") for name, lane in lanes.items()]
                tasks.append(group.create_task(self.upkeep.watch(), name="upkeep-watch"))
                tasks.append(group.create_task(self.holds.run(), name="holds"))
                tasks.append(group.create_task(self.places.run(), name="destinations-wanted"))
                tasks.append(group.create_task(self.errands.run(), name="errands"))
                tasks.append(group.create_task(self.history.run(), name="history"))
                tasks.append(group.create_task(self.naming.run(self.sources), name="labels"))
                if self._stale is not None and "process" in roles:
                    tasks.append(group.create_task(self._stale.run(self._stop_lanes), name="stale-keys"))
                tasks.append(group.create_task(self._loop_watch.run(), name="loop-watch"))
                if self.alerts.is_wanted:
                    tasks.append(group.create_task(self.alerts.run(), name="people"))
                tasks.append(group.create_task(self.membership.run(), name="membership"))
                await self._stop_asked.wait()
                self.membership.resign()
                await self._drain()
                await self._senders_gone.wait()
                for task in tasks:
                    task.cancel()
        finally:
            try:
                await self._close()
            finally:
                self._ended.set()

    async def _drain(self) -> None:
        left = max(self._deadline - asyncio.get_running_loop().time(), 0.0)
        unfinished = await asyncio.gather(*(lane.drain(left) for lane in self.lanes.values()))
        if any(unfinished):
            _log.warning("Stopped with changes unfinished; they are still dirty", changes=sum(unfinished))
        if self._stale is not None:
            await self._stale.drain(max(self._deadline - asyncio.get_running_loop().time(), 0.0))

    async def _close(self) -> None:
        """Close everything, whatever one of the parts says to that; the store last."""
        for part in (*self.sources.values(), self._cache, self.traces):
            try:
                if part is not None:
                    await part.close()
            except Exception as error:  # noqa: BLE001  nothing hangs on it any more
                _log.error("A part could not be closed", exc_info=error)
        await self.store.close()

    def begin_stop(self) -> float:
        """Claim nothing more and finish what is being processed; gives the deadline, in the loop's time.  Idempotent.

        Events are still taken, for requests that have begun; they are processed after the next start.
        """
        if not self._stop_asked.is_set():
            self._deadline = asyncio.get_running_loop().time() + self.settings.config.server.shutdown_deadline_seconds
            self._stop_asked.set()
        return self._deadline

    async def stop(self) -> None:
        """Take nothing more, finish or release what is claimed within the deadline, close.  Idempotent."""
        self.begin_stop()
        self.intake.stop()
        self._senders_gone.set()
        await self._ended.wait()

    @property
    def notion_budget(self) -> Budget:
        """Of all requests to Notion."""
        return self.notion.budget

    @property
    def accepting(self) -> bool:
        """Whether events are still taken."""
        return not self._stop_asked.is_set()

    # What operators ask and do

    def now(self) -> float:
        """Give the service's time."""
        return self._clock()

    def lane_states(self) -> tuple[LaneState, ...]:
        """Give the state of each lane."""
        return tuple(lane.state() for lane in self.lanes.values())

    def stuck_workers(self) -> Mapping[str, int]:
        """Count the workers that are stuck in each handler."""
        return {} if self._handlers is None else self._handlers.stuck_workers()

    def warnings(self) -> tuple[str, ...]:
        """Say what an operator should change, loudest first."""
        return (*warnings_of(self.settings, self.sources), *warnings_of_clock(self._clock() - time.time()))

    async def readiness(self) -> Readiness:
        """Say whether webhooks can be taken now."""
        problem = await self._inbox.problem() if self.store.links is None else self.neighbours.problem
        stuck = () if self._handlers is None else self._handlers.stuck()
        oldest = None
        if problem is None:
            try:
                oldest = await self.store.oldest_open_seconds()
            except StoreUnavailable as error:  # what cannot be read may have been found damaged just now
                problem = self.store.fault if self.store.links is None else problem_of(error)
        with suppress(StoreUnavailable):  # it stays as it was when the store could be asked
            self._alerts = await self.alerts.state()
        seen = Readiness(
            ready=problem is None and self.accepting and not self.intake.disk_is_low,
            inbox_writable=problem is None,
            store_fault=self.store.fault,
            lanes=self.lane_states(),
            inbox_problem=problem if self.store.fault is None else None,
            stuck_handlers=stuck,
            tables=self.neighbours.tables(),
            destinations=await self._destinations_by_now(),
            pull=self.neighbours.pull(),
            notion_budget=self.neighbours.budget(),
            alerts=self._alerts or msgspec.UNSET,
            warnings=(
                *self.warnings(),
                *warnings_about(self.handshake.unconfirmed),
                *warnings_of_stuck(stuck),
                *warnings_of_alerts(self._alerts),
            ),
            oldest_open_seconds=oldest,
            indexing=self.indexing.progress,
            cluster=self.neighbours.state() or msgspec.UNSET,
        )
        return replace(seen, verdict=judge(seen, await self.totals() or UNKNOWN, self._clock()))

    async def _destinations_by_now(self) -> tuple[DestinationState, ...]:
        """Say how the destinations stand, or stood when the store could be asked."""
        with suppress(StoreUnavailable):
            self._destinations = await self.destinations.states()
        return self._destinations

    async def totals(self) -> Totals | None:
        """Give the store's counters; None while it cannot be asked."""
        try:
            return await self.store.totals()
        except StoreUnavailable:
            return None

    async def _counts(self) -> Counts:
        books = (await self.store.totals()).books
        return Counts(self._clock(), books.received, books.applied + books.coalesced, books.open)

    async def statistics(self) -> Statistics:
        """Give the guide's statistics with ours."""
        return statistics(
            await self.store.totals(),
            queue_depth=self.neighbours.queue_depth(),
            oldest_open_age=await self.store.oldest_open_seconds(),
            freshness={f"{one.source}:{one.table}": freshness(one, self._clock()) for one in self.neighbours.tables()},
        )

    async def would_be_processed(self, delivery: Delivery) -> tuple[bool, str | None]:
        """Say whether these events would be processed, and if not, why."""
        for event in delivery.events:
            if event.ignored is not None and not (event.by_id and await self.store.home(event.record)):
                return False, event.ignored
            if event.identity is not None:
                known = await self.store.known(event.identity)
                if known is not None and known.outcome is not Outcome.DEAD:
                    return False, f"a duplicate of event {known.id}"
        return True, None

    async def replay(self, which: EventFilter, *, limit: int, before: int | None = None) -> Done:
        """Process settled events again, those older than ``before``.

        Raises TryLater when they cannot be taken; those that were opened before that stay open.
        """
        try:
            return await replay(self.store, which, limit=limit, before=before, admit=self.intake.check)
        finally:
            for lane in self.lanes.values():
                lane.wake()

    async def verify(self, record: RecordKey) -> Receipt:
        """Have a record read from its source now, through its lane.  Raises SourceRefused, TryLater."""
        source = self.sources[record.source]
        source.readable()  # else its lane would settle it unread
        hint = Event(record=record, type="update", format=carrying.FORMAT, origin="replay", by_id=source.ids_are_global)
        (receipt,) = await self.intake.accept((hint,))
        return receipt
