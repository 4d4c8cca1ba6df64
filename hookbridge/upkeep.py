"""What keeps the service small and watched: retention in small batches, the disk, and whether the store is sound.

Every node watches; one of them removes settled events, dead letters that nobody replayed for long, old absences and old
failed attempts; open events stay.  What is old is decided in ``retention``.  It never stops the service: what fails is
logged and tried again at the next round.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from hookbridge.clock import Clock
from hookbridge.config import RetentionConfig, StoreConfig
from hookbridge.errors import LeadLost, StoreUnavailable
from hookbridge.model import Fault
from hookbridge.pipeline.append import Intake
from hookbridge.retention import Run, forgotten, noted, old
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Lead
from hookbridge.store.values import LAST_PLACE, Span

WATCH_SECONDS = 5.0
PAUSE_SECONDS = 0.05
"""Between two batches, so that appends and settles come first."""

LOG_ROOM_BYTES = 64 * 1024 * 1024
"""What the store's log may take of the disk, however much of the data file is free."""

_DAY = 86_400.0

_decode = msgspec.json.Decoder(tuple[Run, ...]).decode
_log = structlog.get_logger(__name__)


class Held(Protocol):
    """What is kept for those who go on in the feed at places of their own."""

    @property
    def keeps_seconds(self) -> float:
        """How old may become what nobody wants any more."""
        ...

    @property
    def holds_max(self) -> int:
        """How many absences are kept longer than others, for those who have not passed them yet."""
        ...

    async def drop(self, runs: Sequence[Run], now: float, lead: Lead | None) -> int:
        """Drop what nobody has wanted for that long; gives how many.  Raises LeadLost, StoreUnavailable."""
        ...

    async def needs(self) -> Mapping[str, int]:
        """Give the change behind which each of them needs every deletion.  Raises StoreUnavailable."""
        ...


class Upkeep:
    """The two loops: what is small stays so, and what is sound is watched."""

    def __init__(
        self,
        store: Store,
        intake: Intake,
        retention: RetentionConfig,
        limits: StoreConfig,
        held: Held,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``monotonic`` says how much time has passed, whatever becomes of the clock."""
        self._store = store
        self._intake = intake
        self._retention = retention
        self._min_free_bytes = limits.min_free_bytes
        self._held = held
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._runs: tuple[Run, ...] | None = None
        self._noted_at = 0.0
        self._fault: Fault | None = None

    async def keep_small(self, lead: Lead) -> None:
        """Remove what is old, again and again, until cancelled.  Raises LeadLost."""
        self._runs = None  # another node may have noted how long it ran
        while True:
            try:
                await self.remove_old(lead)
            except LeadLost:
                raise
            except StoreUnavailable as error:
                _log.warning("Retention waits for the store", error=error.message)
            await self._sleep(self._retention.interval_seconds)

    async def remove_old(self, lead: Lead | None = None) -> int:
        """Remove everything that is older than retention allows; gives how many rows that was."""
        batch = self._retention.batch_rows
        settled, dead = self._retention.settled_days * _DAY, self._retention.dead_days * _DAY
        gone = self._retention.tombstone_days * _DAY
        now = self._clock()
        runs = await self._note_run(now, max(settled, dead, gone, self._held.keeps_seconds), lead)
        total = await self._held.drop(runs, now, lead)
        for remove, age in (
            (self._store.remove_settled, settled),
            # A dead letter shows its failed attempts as long as it is kept.
            (self._store.remove_failures, max(settled, dead)),
            (self._store.remove_dead, dead),
            (self._remove_tombstones, gone),
        ):
            for when in old(runs, now, age):
                while removed := await remove(when, batch):
                    total += removed
                    await self._sleep(PAUSE_SECONDS)
        for when in old(runs, now, gone):
            total += await self._remove_too_many(when)
        if total:
            _log.info("Retention removed rows", rows=total)
        return total

    async def _remove_tombstones(self, when: Span, limit: int) -> int:
        """Forget absences, but for those that somebody has not passed yet."""
        needs = await self._held.needs()
        return await self._store.remove_tombstones(when, limit, passed=min(needs.values(), default=LAST_PLACE))

    async def _remove_too_many(self, when: Span) -> int:
        """Forget the oldest of the absences that are held, where they are too many; gives how many."""
        needs = await self._held.needs()
        place = await self._store.too_many_tombstones(when, self._held.holds_max) if needs else None
        if place is None:
            return 0
        total = 0
        while removed := await self._store.remove_tombstones(when, self._retention.batch_rows, passed=place):
            total += removed
            await self._sleep(PAUSE_SECONDS)
        if total:
            # They are told everything anew: what they did not take and is forgotten cannot be told any more.
            lost = sorted(name for name, needed in needs.items() if needed < place)
            said = "More deletions wait for destinations than are kept: the oldest are forgotten"
            _log.error(said, deletions=total, destinations=lost, kept=self._held.holds_max)
        return total

    async def _note_run(self, now: float, longest: float, lead: Lead | None) -> tuple[Run, ...]:
        """Note durably that the service runs; gives all runs that matter."""
        tick = self._monotonic()
        if self._runs is None:
            kept, passed = _decode(await self._store.note(note_names.RUNS) or "[]"), 0.0
        else:
            kept, passed = self._runs, tick - self._noted_at
        runs = forgotten(noted(kept, now, passed), longest)
        await self._store.put_note(note_names.RUNS, msgspec.json.encode(runs).decode(), lead=lead)
        self._runs, self._noted_at = runs, tick
        return runs

    async def watch(self) -> None:
        """Look at disk and store, again and again, until cancelled."""
        while True:
            await self.look_at_disk()
            await self.look_at_store()
            await self._sleep(WATCH_SECONDS)

    async def look_at_store(self) -> None:
        """Say it once each way when the store cannot be relied on; it refuses what is written by itself."""
        fault = await self._store.look()
        if fault is not None and self._fault is None:
            _log.error("The store is not sound: webhooks are refused", reason=fault.reason, remedy=fault.remedy)
        elif fault is None and self._fault is not None:
            _log.info("The store is as it was: webhooks are accepted")
        self._fault = fault

    async def look_at_disk(self) -> None:
        """Refuse events while the disk is nearly full, and say so once each way."""
        try:
            free = await self._store.free_bytes()
        except StoreUnavailable:  # another reason with another remedy: ``look_at_store`` has it
            return
        low = free is not None and await self._is_low(free)
        if low != self._intake.disk_is_low:
            if low:
                _log.error("The disk is nearly full: webhooks are refused", min_free_bytes=self._min_free_bytes)
            else:
                _log.info("The disk has space again: webhooks are accepted")
        self._intake.disk_is_low = low

    async def _is_low(self, free: int) -> bool:
        """What retention removed leaves the file as large as it was: it is written again before the disk is."""
        if free >= self._min_free_bytes:
            return False
        if free < min(self._min_free_bytes, LOG_ROOM_BYTES):
            return True
        try:
            return free + await self._store.reusable_bytes() < self._min_free_bytes
        except StoreUnavailable:
            return True
