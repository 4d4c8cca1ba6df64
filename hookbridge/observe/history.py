"""How much came in and was applied lately: counts in steps of time, for the last hour and the last day.

It samples the counters; between two samples it keeps nothing.  Bounded: so many steps, and the oldest fall out.  It
lives as long as the process: what was before its start is not in it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from hookbridge.api.stats import Hours, PerSecond, Sample
from hookbridge.clock import time_of
from hookbridge.errors import StoreUnavailable

STEP_SECONDS = 10.0
HOUR_STEPS = 360
DAY_STEP_SECONDS = 300.0
DAY_STEPS = 288
RATE_STEPS = 6
"""The rates are those of so many of the last short steps: one minute."""


_log = structlog.get_logger(__name__)


class Counts(NamedTuple):
    """The counters of one moment."""

    received: int
    applied: int
    """Applied, or coalesced into a later event that was."""
    open: int


class History:
    """The steps of the last hour and of the last day."""

    def __init__(
        self,
        count: Callable[[], Awaitable[Counts]],
        clock: Callable[[], float],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``count`` reads the counters; what it says first is where the first step begins."""
        self._count = count
        self._clock = clock
        self._sleep = sleep
        self._hour = _Steps(STEP_SECONDS, HOUR_STEPS)
        self._day = _Steps(DAY_STEP_SECONDS, DAY_STEPS)

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            try:
                await self.sample()
            except StoreUnavailable as error:
                _log.warning("The history has a gap", error=error.message)
            await self._sleep(STEP_SECONDS)

    async def sample(self) -> None:
        """Read the counters, and end the steps whose time is over."""
        counts, now = await self._count(), self._clock()
        self._hour.take(counts, now)
        self._day.take(counts, now)

    def steps(self, hours: Hours) -> tuple[Sample, ...]:
        """Give the steps that have ended, the oldest first."""
        return tuple((self._hour if hours == 1 else self._day).ended)

    def rates(self) -> PerSecond | None:
        """Give the rates of the last minute; None before the first step has ended."""
        last = list(self._hour.ended)[-RATE_STEPS:]
        if not last:
            return None
        seconds = STEP_SECONDS * len(last)
        received, applied = sum(one.received for one in last), sum(one.applied for one in last)
        return PerSecond(received=round(received / seconds, 3), applied=round(applied / seconds, 3))


class _Steps:
    def __init__(self, seconds: float, number: int) -> None:
        self._seconds = seconds
        self._began: tuple[float, Counts] | None = None
        self.ended: deque[Sample] = deque(maxlen=number)

    def take(self, counts: Counts, now: float) -> None:
        if self._began is None:
            self._began = now, counts
            return
        began_at, before = self._began
        # The sample that is nearest to the step's end ends it.
        if now - began_at < self._seconds - STEP_SECONDS / 2:
            return
        if now - began_at < self._seconds * 2:  # else nobody looked for a while: what came then has no place in time
            received, applied = counts.received - before.received, counts.applied - before.applied
            self.ended.append(Sample(at=time_of(now), received=received, applied=applied, open=counts.open))
        self._began = now, counts
