"""How much came in and was applied lately: the last hour in short steps, the last day in longer ones.

It looks at the counters again and again: the short steps are this process's own, and once a minute the store writes
down what they say.  What was before the process began is made of that, whichever node was there.  Where nobody looked
there is no step, and no step reaches across such a gap.  Bounded: of the short ones the oldest fall out, and the store
keeps a day.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import structlog

from hookbridge.api.stats import Hours, PerSecond, Sample
from hookbridge.clock import minute_of, time_of
from hookbridge.errors import StoreUnavailable
from hookbridge.model import Counts

STEP_SECONDS = 10.0
HOUR_STEPS = 360
DAY_STEP_SECONDS = 300.0
RATE_STEPS = 6
"""The rates are those of so many of the last short steps: one minute."""

TOGETHER_SECONDS = 2.0
"""The process looks, and the store writes down: so far lie the two apart at most."""

_HOUR = 3600.0

_log = structlog.get_logger(__name__)


class Keeper(Protocol):
    """What writes samples down: the store."""

    async def take_sample(self) -> None:
        """Write down what the counters say, for this minute."""
        ...

    async def samples(self, *, since: float) -> Sequence[Counts]:
        """Give what was written down since then, the oldest first."""
        ...


class _Step(NamedTuple):
    began: float
    ended: float
    received: int
    applied: int
    open: int


class History:
    """The steps of the last hour and of the last day."""

    def __init__(
        self,
        count: Callable[[], Awaitable[Counts]],
        keeper: Keeper,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``count`` reads the counters, more often than the store writes them down."""
        self._count = count
        self._keeper = keeper
        self._sleep = sleep
        self._last: Counts | None = None
        self._own: deque[_Step] = deque(maxlen=HOUR_STEPS)
        self._own_since = math.inf
        self._kept: int | None = None
        self._is_missing = False

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            try:
                await self.sample()
            except StoreUnavailable as error:
                if not self._is_missing:
                    _log.warning("The history has a gap", error=error.message)
                self._is_missing = True
            else:
                self._is_missing = False
            await self._sleep(STEP_SECONDS)

    async def sample(self) -> None:
        """Look at the counters, which ends a step; where the minute is another one, have them written down.

        Raises StoreUnavailable.
        """
        counts = await self._count()
        self._take(counts)
        if (minute := minute_of(counts.at)) != self._kept:
            await self._keeper.take_sample()
            self._kept = minute

    def _take(self, counts: Counts) -> None:
        before = self._last
        if before is None:
            self._own_since = counts.at
        elif counts.at - before.at < STEP_SECONDS / 2:
            return
        self._last = counts
        # Else nobody looked for a while: what came then has no place in time.
        if before is not None and counts.at - before.at < 2 * STEP_SECONDS:
            self._own.append(_step(before, counts))

    async def steps(self, hours: Hours, now: float) -> tuple[Sample, ...]:
        """Give the steps that have ended, the oldest first.  Raises StoreUnavailable."""
        since = now - hours * _HOUR
        kept = [one for one in _minutes(await self._keeper.samples(since=since)) if one.ended <= now]
        if hours == 1:
            # The sample with which this process began is the end of a minute as well.
            before = (one for one in kept if one.ended < self._own_since + TOGETHER_SECONDS)
            return tuple(map(_shown, (*before, *(one for one in self._own if one.ended > since))))
        return tuple(map(_shown, _joined(kept)))

    def rates(self) -> PerSecond | None:
        """Give the rates of the last minute; None before the first step has ended."""
        last = list(self._own)[-RATE_STEPS:]
        if not last:
            return None
        seconds = sum(one.ended - one.began for one in last)
        received, applied = sum(one.received for one in last), sum(one.applied for one in last)
        return PerSecond(received=round(received / seconds, 3), applied=round(applied / seconds, 3))


def _step(before: Counts, after: Counts) -> _Step:
    return _Step(before.at, after.at, after.received - before.received, after.applied - before.applied, after.open)


def _minutes(kept: Iterable[Counts]) -> Iterator[_Step]:
    """Make a step of two samples of neighbouring minutes.

    Counters only grow: a sample with less than the one before it was taken by a clock that was ahead.
    """
    for before, after in pairwise(kept):
        step = _step(before, after)
        if minute_of(after.at) == minute_of(before.at) + 1 and step.received >= 0 and step.applied >= 0:
            yield step


def _joined(steps: Iterable[_Step]) -> list[_Step]:
    """Join steps that follow each other, those that began in the same longer one."""
    joined: list[_Step] = []
    for step in steps:
        last = joined[-1] if joined else None
        if last is not None and last.ended == step.began and _place(last) == _place(step):
            received, applied = last.received + step.received, last.applied + step.applied
            joined[-1] = _Step(last.began, step.ended, received, applied, step.open)
        else:
            joined.append(step)
    return joined


def _place(step: _Step) -> int:
    return math.floor(step.began / DAY_STEP_SECONDS)


def _shown(step: _Step) -> Sample:
    return Sample(
        at=time_of(step.ended),
        step_seconds=round(step.ended - step.began, 3),
        received=step.received,
        applied=step.applied,
        open=step.open,
    )
