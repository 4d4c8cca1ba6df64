"""How many requests Notion gets: one budget for all calls of the process, and of all processes that share a store.

On average ``requests_per_second``, with a burst of one second's worth; when Notion names a time to come back, nothing
goes before then (https://developers.notion.com/reference/request-limits), and whoever waited goes at the same rate
afterwards.  Who waits goes by urgency, then in turn: a sweep of a large database delays no reading of a record, and the
bodies of a first load delay neither.  Only every tenth permit goes to whoever has waited longest, so that under steady
reads the others are slow and do not stand still.  What waits here is reserved among all processes, a second's worth at
a time at most; while that cannot be asked, each goes at its own rate.  It sends nothing.
"""

from __future__ import annotations

import asyncio
import bisect
import enum
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from aiolimiter import AsyncLimiter

from hookbridge.api.health import BudgetState
from hookbridge.errors import SourceUnavailable, StoreUnavailable
from hookbridge.sources.statuses import RETRY_AFTER_SECONDS_MAX

PATIENCE_SECONDS = 5.0
"""A longer halt is not waited for here: the caller is told, so that its lane shows the pause and holds no leases."""

RESERVED_SECONDS = 1.0
"""What was reserved and not used by then is given up: it would come on top of what others reserve later."""

FAIR_EVERY = 10
"""So many permits are one that goes to the oldest waiter, whatever its urgency."""


class Reserved(Protocol):
    """Requests that are reserved among all processes."""

    @property
    def wait_seconds(self) -> float:
        """Until they may go."""
        ...

    @property
    def halted_seconds(self) -> float:
        """For how long Notion wants to be left alone, as it told any of them."""
        ...


Reserve = Callable[[int], Awaitable[Reserved]]
"""Reserves so many.  Raises StoreUnavailable."""


class AtOnce(msgspec.Struct, frozen=True):
    """What may go now."""

    wait_seconds: float = 0.0
    halted_seconds: float = 0.0


async def nobody_else(number: int) -> Reserved:  # noqa: ARG001  as whoever reserves
    """Reserve where one process is all there is."""
    return AtOnce()


class Urgency(enum.IntEnum):
    """Who goes first."""

    READ = 0
    """Verification, and reads that a user waits for."""
    POLL = 1
    SWEEP = 2
    LOAD = 3
    """The bodies of a first load: its copies are of use before."""


class Budget:
    """Permits, one a request."""

    def __init__(
        self,
        requests_per_second: float,
        reserve: Reserve = nobody_else,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        burst = max(1.0, requests_per_second)
        self._per_second = requests_per_second
        self._burst = int(burst)
        self._limiter = AsyncLimiter(burst, burst / requests_per_second)
        self._clock = clock
        self._sleep = sleep
        self._reserve = reserve
        self._reserved = 0
        self._reserved_until = 0.0
        self._halted_until = 0.0
        self._told_until = 0.0  # as Notion told this process
        self._turns = itertools.count()
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        """In the order in which they came; few, because whoever reads shares requests."""
        self._giver: asyncio.Task[None] | None = None
        self.waited_seconds = 0.0
        """How long all callers together have waited for a permit."""

    async def permit(self, urgency: Urgency = Urgency.READ) -> None:
        """Return when one request may go.

        Raises SourceUnavailable, with the seconds that are left, while Notion wants to be left alone for longer.
        """
        began = self._clock()
        while True:
            if self.halted_seconds > PATIENCE_SECONDS:
                raise self._halted()
            await self._turn(urgency)
            if not self.halted_seconds:  # it may have begun between the permit and this line
                break
        self.waited_seconds += self._clock() - began

    def halt(self, seconds: float) -> None:
        """Let nothing go for so long, as Notion said; a halt that ends later stays."""
        self._told_until = max(self._told_until, self._clock() + min(seconds, RETRY_AFTER_SECONDS_MAX))
        self.hear(seconds)

    def hear(self, seconds: float) -> None:
        """Do so because of what Notion said to another process."""
        self._halted_until = max(self._halted_until, self._clock() + min(seconds, RETRY_AFTER_SECONDS_MAX))
        if self.halted_seconds > PATIENCE_SECONDS:  # whoever waits already is told, too
            waiting, self._waiting = self._waiting, []
            for _, _, turn in waiting:
                if not turn.done():
                    turn.set_exception(self._halted())

    @property
    def halted_seconds(self) -> float:
        """For how long nothing goes."""
        return max(0.0, self._halted_until - self._clock())

    @property
    def told_seconds(self) -> float:
        """For how long nothing goes because of what Notion said to this process."""
        return max(0.0, self._told_until - self._clock())

    def state(self) -> BudgetState:
        """Give what an operator sees."""
        left = bisect.bisect(range(1, self._burst + 1), 0, key=lambda number: not self._limiter.has_capacity(number))
        return BudgetState(
            requests_per_second=self._per_second,
            left=0 if self.halted_seconds else left,
            waiting=sum(not turn.done() for _, _, turn in self._waiting),
            halted_seconds=round(self.halted_seconds, 3),
        )

    def _halted(self) -> SourceUnavailable:
        return SourceUnavailable("Notion asked for a pause of all requests", retry_after_seconds=self.halted_seconds)

    async def _turn(self, urgency: Urgency) -> None:
        if not self._waiting and not self.halted_seconds and self._has_reserved and self._limiter.has_capacity():
            self._reserved -= 1
            await self._limiter.acquire()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((urgency, next(self._turns), turn))
        if self._giver is None or self._giver.done():
            self._giver = asyncio.create_task(self._give(), name="notion-budget")
        await turn

    async def _give(self) -> None:
        """Hand out permits while somebody waits; who has gone meanwhile costs none."""
        given = 0
        while self._waiting:
            if left := self.halted_seconds:
                await self._sleep(left)
                continue
            await self._limiter.acquire()
            if not self._has_reserved:
                await self._reserve_for_all()
            if self.halted_seconds:  # it began meanwhile: this permit lapses
                continue
            given += 1
            if (turn := self._next(fair=given % FAIR_EVERY == 0)) is not None:
                self._reserved -= 1
                turn.set_result(None)

    @property
    def _has_reserved(self) -> bool:
        return self._reserved > 0 and self._clock() < self._reserved_until

    async def _reserve_for_all(self) -> None:
        """Reserve for all who wait, and return when the first of them may go."""
        number = max(1, min(self._burst, len(self._waiting)))
        try:
            reserved = await self._reserve(number)
        except StoreUnavailable:
            reserved = AtOnce()
        self.hear(reserved.halted_seconds)
        if reserved.wait_seconds > 0:
            await self._sleep(reserved.wait_seconds)
        self._reserved, self._reserved_until = number, self._clock() + RESERVED_SECONDS

    def _next(self, *, fair: bool) -> asyncio.Future[None] | None:
        """Take whose turn it is; None when nobody waits any longer."""
        while self._waiting:
            entry = self._waiting[0] if fair else min(self._waiting)
            self._waiting.remove(entry)
            if not entry[2].done():
                return entry[2]
        return None

    async def close(self) -> None:
        """End the task that hands out permits.  Idempotent."""
        if self._giver is not None:
            self._giver.cancel()
            await asyncio.gather(self._giver, return_exceptions=True)
