"""One source's lane: dirty records are claimed into a bounded queue, workers empty it; pause, probe, resume.

Invariants: at most ``queue_size`` claimed records wait; while the lane is not running nothing is claimed and nothing
waits; a source that is down costs its waiting events no attempt.  What a record's failure means is decided in
``attempts``; this module acts on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from hookbridge.clock import epoch_time
from hookbridge.config import ProcessingConfig
from hookbridge.errors import (
    CacheUnavailable,
    HookbridgeError,
    SourceError,
    SourceRefused,
    StoreUnavailable,
    TableUnreadable,
)
from hookbridge.model import Claim, RecordKey, Settled, Settlement, SourceName
from hookbridge.pipeline.held import Held, is_cut
from hookbridge.pipeline.status import LaneState, State
from hookbridge.pipeline.strikes import Strikes
from hookbridge.pipeline.waits import Waits
from hookbridge.pipeline.worker import Working, dead
from hookbridge.store.contract import Claims

_log = structlog.get_logger(__name__)

IDLE_SECONDS_MAX = 30.0
"""An idle lane looks at the store this often even when nobody woke it: leases end without a word."""

FIRST_PROBE_SECONDS = 1.0

STORE_RETRY_SECONDS = 1.0


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
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``follows`` says whether a record's table is listed, so that its records wait for it without an end."""
        self.source = source
        self._store = store
        self._worker = worker
        self._probe = probe
        self._config = config
        self._has_credentials = has_credentials
        self._follows = follows
        self._clock = clock
        self._sleep = sleep
        self._queue: asyncio.Queue[Claim] = asyncio.Queue(config.queue_size)
        self._waits = Waits(source, clock)
        self._held = Held(store, config.lease_seconds, clock)
        self._woken = asyncio.Event()
        self._running = asyncio.Event()
        self._running.set()
        self._troubled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._busy = 0
        self._stopping = False
        self._state: State = "running"
        self._reason: str | None = None
        self._since: float | None = None
        self._next_probe_at: float | None = None
        self._first_wait = FIRST_PROBE_SECONDS
        self._for_source = False  # whether it waits for the source, and not for a cache
        self._strikes = Strikes()

    def state(self) -> LaneState:
        """Give the state now."""
        return LaneState(
            source=self.source,
            state=self._state,
            reason=self._reason,
            since=epoch_time(self._since),
            next_probe_at=epoch_time(self._next_probe_at),
            queued=self._queue.qsize(),
            busy=self._busy,
            has_credentials=self._has_credentials,
            waiting=self._waits.state(),
        )

    def wake(self) -> None:
        """Say that a record became dirty."""
        self._woken.set()

    def answered(self, asked_at: float) -> None:
        """Say that the source answered what somebody else asked at that time, in seconds since 1970.

        A lane that has stopped since waits no longer for its own probe.  Where that has been in vain, the source
        answers other questions than the lane's.
        """
        stopped = self._state in ("down", "refused") and self._for_source
        if stopped and self._strikes.fruitless <= 1 and asked_at >= (self._since or 0.0):
            self._come_back()
            self._troubled.set()

    def was_read(self, table: str) -> None:
        """Say that a record of this table was read: nothing waits for it any more."""
        self._waits.ended(table)

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
            room = self._config.queue_size - self._queue.qsize()
            claims = await self._claim(room) if self._held.has_room else ()
            ready = await self._not_waiting(claims)
            if not self._running.is_set():
                await self._give_back(tuple(ready))
                continue
            for claim in ready:
                self._idle.clear()
                self._held.add(claim)
                self._queue.put_nowait(claim)
            if len(claims) == room or is_cut(claims):
                await self._until_half_empty()
            else:
                await self._until_woken()

    async def _claim(self, room: int) -> tuple[Claim, ...]:
        while True:
            try:
                now = self._clock()
                await self._held.renew_ended(now)
                return await self._store.claim(self.source, room, now=now, lease_seconds=self._config.lease_seconds)
            except StoreUnavailable as error:
                _log.error("Claiming waits for the store", source=self.source, error=error.message, hint=error.hint)
                await self._sleep(STORE_RETRY_SECONDS)

    async def _not_waiting(self, claims: tuple[Claim, ...]) -> list[Claim]:
        """Give back the records of tables that wait, until those are due; gives the others."""
        ready: list[Claim] = []
        later: dict[float, list[Claim]] = {}
        for claim in claims:
            until = self._waits.until(claim.record.table)
            (ready if until is None else later.setdefault(until, [])).append(claim)
        for until, waiting in later.items():
            await self._give_back(tuple(waiting), until)
        return ready

    async def _until_half_empty(self) -> None:
        while self._running.is_set() and self._queue.qsize() > self._config.queue_size // 2:
            self._woken.clear()
            await self._woken.wait()

    async def _until_woken(self) -> None:
        try:
            async with asyncio.timeout(self._waits.seconds(IDLE_SECONDS_MAX)):
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
            self._busy += 1
            # The feeder looks when half the queue is free.  Here every length is seen once; after the work, when other
            # workers have taken theirs, this one could be missed.
            if self._queue.qsize() == self._config.queue_size // 2:
                self._woken.set()
            try:
                met = await self._worker.work(claim, self._stop_for)
                if met is not None:
                    self._strikes.settled(claim.record)
                if met is Settled.STILL_DIRTY:
                    # The events that arrived meanwhile woke the lane when the record could not be claimed.
                    self._woken.set()
            finally:
                self._busy -= 1
                if self._held.drop(claim):
                    self._woken.set()
                if not self._busy and self._queue.empty():
                    self._idle.set()

    # Pause, probe, resume

    async def stop_for(self, error: HookbridgeError) -> None:
        """Stop for a failure that was met behind the settle, until the probe finds that it is over."""
        await self._go_down(error)

    async def _stop_for(self, claim: Claim, error: HookbridgeError) -> Settlement | None:
        """Pause the lane for a failure that concerns every record, unless others come through and it is this one's."""
        if isinstance(error, TableUnreadable):
            return await self._wait_for_table(claim, error)
        if self._strikes.is_out(claim.record):
            return dead(claim, error)
        await self._go_down(error)
        await self._give_back((claim,))
        return None

    async def _wait_for_table(self, claim: Claim, error: TableUnreadable) -> Settlement | None:
        """Have a record wait with its table, or no longer."""
        until = self._waits.next_try_at(claim, error, listed=self._follows(claim.record))
        if until is None:
            return dead(claim, error)
        await self._give_back((claim,), until)
        self._woken.set()  # the feeder learns when it is due
        return None

    async def _go_down(self, error: HookbridgeError) -> None:
        if self._state != "running":
            return
        self._state = "refused" if isinstance(error, SourceRefused) else "down"
        self._reason = error.message
        self._since = self._clock()
        self._for_source = isinstance(error, SourceError)
        own = min(FIRST_PROBE_SECONDS * 2 ** min(self._strikes.fruitless, 30), self._config.probe_max_seconds)
        self._first_wait = max(getattr(error, "retry_after_seconds", None) or 0.0, own)
        self._strikes.fruitless += 1
        self._running.clear()
        self._woken.set()
        _log.warning("Lane stopped", source=self.source, state=self._state, reason=error.message, hint=error.hint)
        await self._empty_queue()
        self._troubled.set()

    async def _watch(self) -> None:
        """Probe with growing gaps while the source is down or refuses the key."""
        while True:
            await self._troubled.wait()
            self._troubled.clear()
            wait = self._first_wait
            while self._state in ("down", "refused") and not self._troubled.is_set():
                self._next_probe_at = self._clock() + wait
                await self._sleep_untroubled(wait)
                if self._troubled.is_set():
                    break
                if await self._answers():
                    self._come_back()
                wait = min(max(wait, FIRST_PROBE_SECONDS) * 2, self._config.probe_max_seconds)

    async def _sleep_untroubled(self, seconds: float) -> None:
        """Sleep, but no longer than until the lane stops anew, or an operator has a word."""
        both = {asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._troubled.wait())}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()

    async def _answers(self) -> bool:
        try:
            await self._probe()
        except (SourceError, CacheUnavailable, StoreUnavailable) as error:
            if self._state in ("down", "refused"):
                self._reason = error.message
            self._strikes.forget()
            return False
        return True

    def _come_back(self) -> None:
        if self._state == "paused" or self._stopping:
            return
        _log.info("Lane resumed", source=self.source, stopped_seconds=round(self._clock() - (self._since or 0), 1))
        self._go()

    def _go(self) -> None:
        self._state, self._reason, self._since, self._next_probe_at = "running", None, None, None
        self._strikes.began()
        self._running.set()
        self._woken.set()

    async def pause(self, reason: str) -> None:
        """Pause by an operator's word, until ``resume``."""
        self._state, self._reason, self._since, self._next_probe_at = "paused", reason, self._clock(), None
        self._running.clear()
        self._woken.set()
        self._troubled.set()
        await self._empty_queue()

    def resume(self) -> None:
        """Go on by an operator's word."""
        if self._state == "paused" and not self._stopping:
            self._go()
            self._troubled.set()

    async def _empty_queue(self) -> None:
        waiting: list[Claim] = []
        while not self._queue.empty():
            waiting.append(self._queue.get_nowait())
        if not self._busy:
            self._idle.set()
        await self._give_back(tuple(waiting))

    async def _give_back(self, claims: tuple[Claim, ...], available_at: float = 0.0) -> None:
        if not claims:
            return
        for claim in claims:
            self._held.drop(claim)
        try:
            await self._store.release(claims, available_at=available_at)
        except StoreUnavailable as error:
            # Their leases end by themselves.
            _log.error("Claims could not be given back", source=self.source, error=error.message)

    async def drain(self, deadline_seconds: float) -> int:
        """Claim nothing more and wait for the busy workers; gives how many are still at work at the deadline."""
        self._stopping = True
        self._running.clear()
        self._woken.set()
        await self._empty_queue()
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._idle.wait()
        except TimeoutError:
            pass
        return self._busy
