"""One source's lane: dirty records are claimed into a bounded queue, workers empty it; pause, probe, resume.

Invariants: at most ``queue_size`` claimed records wait; while the lane does not work nothing is claimed and nothing
waits; a source that is down costs its waiting events no attempt.  Whether it works, when it probes and what becomes of
a failed change is decided in ``health`` and ``retry``; this module has the tasks, the queue and the clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from hookbridge.api.lanes import LaneState
from hookbridge.clock import epoch_time
from hookbridge.config import ProcessingConfig
from hookbridge.errors import CacheUnavailable, HookbridgeError, SourceError, StoreUnavailable
from hookbridge.model import Claim, RecordKey, Settled, SourceName
from hookbridge.pipeline.health import Health
from hookbridge.pipeline.held import Held, is_cut
from hookbridge.pipeline.looks import Looks
from hookbridge.pipeline.retry import Fate
from hookbridge.pipeline.worker import Working
from hookbridge.store.contract import Claims
from hookbridge.store.nodes import Lead

_log = structlog.get_logger(__name__)

IDLE_SECONDS_MAX = 30.0
"""An idle lane looks at the store this often even when nobody woke it: leases end without a word."""

ELSEWHERE = "another node has this duty, and takes it over from it where that one ends"
"""Why a lane stands by."""


class Lane:
    """One source's queue and workers."""

    def __init__(  # noqa: PLR0913  keyword-only arguments are read by name
        self,
        source: SourceName,
        store: Claims,
        worker: Working,
        probe: Callable[[], Awaitable[None]],
        config: ProcessingConfig,
        *,
        has_credentials: bool,
        follows: Callable[[RecordKey], bool],
        stands_by: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``follows`` says whether a record's table is listed, so that its records wait for it without an end.

        ``stands_by`` says that only one node may work on its records, and that it begins with ``serve``.
        """
        self.source = source
        self._worker = worker
        self._probe = probe
        self._config = config
        self._has_credentials = has_credentials
        self._follows = follows
        self._clock = clock
        self._sleep = sleep
        self._queue: asyncio.Queue[Claim] = asyncio.Queue(config.queue_size)
        self._held = Held(source, store, config.lease_seconds, clock, sleep)
        self._health = Health(probe_max_seconds=config.probe_max_seconds, stands_by=stands_by)
        self._woken = asyncio.Event()  # the feeder has to look
        self._running = asyncio.Event()  # whether the health says that it works
        if not stands_by:
            self._running.set()
        self._troubled = asyncio.Event()  # the prober has to look
        self._idle = asyncio.Event()
        self._idle.set()
        self._busy = 0
        self._looks = Looks()
        self._told = False  # whether it looks because of what this node has taken in
        self.others = False
        """Whether other nodes make records dirty, of which this one is not told."""

    def state(self) -> LaneState:
        """Give the state now."""
        health = self._health
        stands_by = health.stands_by and health.state == "running"
        return LaneState(
            source=self.source,
            state="standby" if stands_by else health.state,
            reason=ELSEWHERE if stands_by else health.reason,
            since=epoch_time(health.since),
            next_probe_at=epoch_time(health.next_probe_at),
            queued=self._queue.qsize(),
            busy=self._busy,
            has_credentials=self._has_credentials,
            waiting=health.waits.state(self._clock()),
        )

    def wake(self) -> None:
        """Say that a record became dirty, by this node's own doing."""
        self._told = True
        self._woken.set()

    def look(self) -> None:
        """Say that there may be something to claim."""
        self._woken.set()

    def answered(self, asked_at: float) -> None:
        """Say that the source answered what somebody else asked at that time, in seconds since 1970."""
        self._turn(self._health.answered_another(asked_at))

    def was_read(self, table: str) -> None:
        """Say that a record of this table was read: nothing waits for it any more."""
        wait = self._health.waits.tables.get(table)
        if wait is not None:
            self._health = self._health.read(table)
            waited = round(self._clock() - wait.since, 1)
            _log.info("Table can be read", source=self.source, table=table, waited_seconds=waited)

    async def run(self) -> None:
        """Work until cancelled.  Whatever it raises is a bug of ours and ends the process."""
        lane = asyncio.current_task()
        assert lane is not None  # noqa: S101  for the type checker: a coroutine that runs is in a task
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed(), name=f"{self.source}-feeder")
            group.create_task(self._watch(), name=f"{self.source}-prober")
            group.create_task(self._held.keep(), name=f"{self.source}-leases")
            for number in range(self._config.workers):
                group.create_task(self._serve_on(lane), name=f"{self.source}-worker-{number}")

    # The way of a claim: feeder → queue → worker

    async def _feed(self) -> None:
        """Keep the queue filled, a half at a time, so that one claim serves many workers."""
        while True:
            await self._running.wait()
            self._woken.clear()
            told, self._told = self._told, False
            room = self._config.queue_size - self._queue.qsize()
            claims = await self._held.claim(room)
            ready = await self._not_waiting(claims)
            if not self._running.is_set():
                await self._held.give_back(ready)
                continue
            for claim in ready:
                self._idle.clear()
                self._held.add(claim)
                self._queue.put_nowait(claim)
            self._looks = self._looks.after(self._clock(), found=bool(claims), told=told)
            if len(claims) == room or is_cut(claims):
                await self._until_half_empty()
            else:
                await self._until_woken()

    async def _not_waiting(self, claims: tuple[Claim, ...]) -> list[Claim]:
        """Give back the records of tables that wait, until those are due; gives the others."""
        ready: list[Claim] = []
        later: dict[float, list[Claim]] = {}
        now = self._clock()
        for claim in claims:
            until = self._health.waits.until(claim.record.table, now)
            (ready if until is None else later.setdefault(until, [])).append(claim)
        for until, waiting in later.items():
            await self._held.give_back(waiting, until)
        return ready

    async def _until_half_empty(self) -> None:
        while self._running.is_set() and self._queue.qsize() > self._config.queue_size // 2:
            self._woken.clear()
            await self._woken.wait()

    async def _until_woken(self) -> None:
        seconds = self._looks.gap_seconds(IDLE_SECONDS_MAX) if self.others else IDLE_SECONDS_MAX
        if self._health.waits.tables:
            seconds = await self._held.due_in(seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _serve_on(self, lane: asyncio.Task[None]) -> None:
        """Serve until the lane ends.  A worker that somebody else cancels is replaced: in time none would be left."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  as above
        while True:
            try:
                await self._serve()
            except asyncio.CancelledError:
                if lane.cancelling():
                    raise
                task.uncancel()
                _log.error(
                    "A worker was cancelled and is replaced; its record is worked on again when its lease ends",
                    source=self.source,
                    hint="a handler may cancel its own tasks, and no others",
                )

    async def _serve(self) -> None:
        while True:
            claim = await self._queue.get()
            # The feeder looks when half the queue is free.  Here every length is seen once; after the work, when other
            # workers have taken theirs, this one could be missed.
            if self._queue.qsize() == self._config.queue_size // 2:
                self._woken.set()
            if not self._held.holds(claim):
                # What was not renewed in time is not begun here: another node may have it, or somebody claims it again.
                self._let_go(claim)
                self._woken.set()
                continue
            self._busy += 1
            try:
                settled = await self._worker.work(claim, self._failed)
                if settled is not None:
                    self._health = self._health.settled(claim.record)
                if settled is Settled.STILL_DIRTY:
                    # The events that arrived meanwhile woke the lane when the record could not be claimed.
                    self._woken.set()
            finally:
                self._busy -= 1
                self._let_go(claim)

    def _let_go(self, claim: Claim) -> None:
        if self._held.drop(claim):
            self._woken.set()
        if not self._busy and self._queue.empty():
            self._idle.set()

    async def _failed(self, claim: Claim, error: Exception) -> Fate:
        """Say what becomes of a change whose attempts failed, and give back what stays open."""
        table, before = claim.record.table, self._health
        health, fate = before.failed(claim, error, self._clock(), listed=self._follows(claim.record))
        await self._become(health)
        match fate:
            case Fate.LANE_STOPS:
                await self._held.give_back((claim,))
            case Fate.TABLE_WAITS:
                wait = health.waits.tables[table]
                if table not in before.waits.tables:
                    hint = {"hint": wait.hint} if wait.hint else {}
                    _log.warning("Table waits", source=self.source, table=table, reason=wait.reason, **hint)
                await self._held.give_back((claim,), wait.next_try_at)
                self._woken.set()  # the feeder learns when it is due
        return fate

    # Pause, probe, resume: what the health says is done here

    async def stop_for(self, error: HookbridgeError) -> None:
        """Stop for a failure that was met behind the settle, until the probe finds that it is over."""
        await self._become(self._health.stopped(error, self._clock()))

    async def pause(self, reason: str) -> None:
        """Pause by an operator's word, until ``resume``."""
        await self._become(self._health.paused(reason, self._clock()))

    def resume(self) -> None:
        """Go on by an operator's word."""
        self._turn(self._health.resumed())

    async def serve(self, lead: Lead) -> None:  # noqa: ARG002  claims have fences of their own
        """Work until cancelled: this node is the one that may.  Then claim nothing, and finish what workers have."""
        self._turn(self._health.on_duty())
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self._become(self._health.standing_by())

    async def _become(self, health: Health) -> None:
        """Take the next state; where the lane does not work, nothing waits."""
        self._turn(health)
        if not health.works:
            await self._empty_queue()

    def _turn(self, health: Health) -> None:
        """Take the next state, and tell the tasks of it."""
        before, self._health = self._health, health
        if (health.state, health.since) != (before.state, before.since):
            self._troubled.set()
            self._tell(before, health)
        if health.works != before.works:
            (self._running.set if health.works else self._running.clear)()
            self._woken.set()

    def _tell(self, before: Health, health: Health) -> None:
        if before.state == "running" and health.kind is not None:
            _log.warning("Lane stopped", source=self.source, state=health.state, reason=health.reason, hint=health.hint)
        elif before.kind is not None and health.state == "running":
            stopped = round(self._clock() - (before.since or 0.0), 1)
            _log.info("Lane resumed", source=self.source, stopped_seconds=stopped)

    async def _watch(self) -> None:
        """Probe after the gaps that the health has, while it has some."""
        while True:
            await self._troubled.wait()
            self._troubled.clear()
            while (gap := self._health.probe_gap) is not None and await self._slept_untroubled(gap):
                after = await self._probed()
                if not self._troubled.is_set():  # what happened meanwhile is the later word
                    self._turn(after)

    async def _probed(self) -> Health:
        try:
            await self._probe()
        except (SourceError, CacheUnavailable, StoreUnavailable) as error:
            return self._health.unanswered(error, self._clock())
        return self._health.answered()

    async def _slept_untroubled(self, seconds: float) -> bool:
        """Sleep, but no longer than until the lane stops anew, or an operator has a word: then it is false."""
        either = {asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._troubled.wait())}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in either:
                waiter.cancel()
        return not self._troubled.is_set()

    async def _empty_queue(self) -> None:
        waiting: list[Claim] = []
        while not self._queue.empty():
            waiting.append(self._queue.get_nowait())
        if not self._busy:
            self._idle.set()
        await self._held.give_back(waiting)

    async def drain(self, deadline_seconds: float) -> int:
        """Claim nothing more and wait for the busy workers; gives how many are still at work at the deadline."""
        await self._become(self._health.draining())
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._idle.wait()
        except TimeoutError:
            pass
        return self._busy
