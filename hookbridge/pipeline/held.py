"""What a lane has in hand: the claims in its queue and at work, their leases and their weight.

Invariants: while a claim is here its lease does not end, however long it waits for a worker, or its worker for its turn
at a handler or a source; and large records leave no room for more, so that a full queue of them cannot fill the
memory.  It settles nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

import structlog

from hookbridge.errors import StoreUnavailable
from hookbridge.model import CLAIM_BYTES_MAX, Claim, SourceName
from hookbridge.store.contract import Claims

# 512 records with bursts of 2 MiB bodies would else be loaded at once.
HELD_BYTES_MAX = 4 * CLAIM_BYTES_MAX
"""With more than this in hand nothing is claimed."""

RENEWALS_PER_LEASE = 3
"""Of which two may fail."""

STORE_RETRY_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class Held:
    """The claims of one lane."""

    def __init__(
        self,
        source: SourceName,
        store: Claims,
        lease_seconds: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._source = source
        self._store = store
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._sleep = sleep
        self._owed: list[tuple[tuple[Claim, ...], float | None]] = []
        """Let go of while the store did not answer, each with the time until which they wait: none is to wait for the
        end of its lease."""
        self._claims: dict[tuple[int, int], Claim] = {}
        self._bytes = 0
        self._until = math.inf  # when the first of the leases ends
        self._claimed_until = math.inf  # when those do that were claimed last
        self._waits_because = ""  # what the store said, while it refuses

    async def claim(self, most: int) -> tuple[Claim, ...]:
        """Claim so many records at most, and none where there is no room, however long the store refuses."""
        while self.has_room:
            try:
                await self._give_back_owed()
                if self._left() <= 0.0:
                    await self._renew()
                asked_at = self._clock()
                claims = await self._store.claim(
                    self._source, most, lease_seconds=self._lease_seconds, within_seconds=self._left()
                )
                self._waits_because = ""
                if claims or self._left() > 0.0:
                    # The store counts from its commit, which is later: no lease ends before what is remembered here.
                    self._claimed_until = asked_at + self._lease_seconds
                    return claims
            except StoreUnavailable as error:
                # An outage is told once, or it would fill the log with itself.
                tell = _log.debug if error.message == self._waits_because else _log.error
                tell("Claiming waits for the store", source=self._source, error=error.message, hint=error.hint)
                self._waits_because = error.message
                await self._sleep(STORE_RETRY_SECONDS)
        return ()

    def add(self, claim: Claim) -> None:
        """Take a claim in hand."""
        self._claims[_key(claim)] = claim
        self._until = min(self._until, self._claimed_until)
        self._bytes += _weight(claim)

    def drop(self, claim: Claim) -> bool:
        """Let go of it, if it is here; gives whether there is room again because of it."""
        if self._claims.pop(_key(claim), None) is None:
            return False
        if not self._claims:
            self._until = math.inf
        had_room = self.has_room
        self._bytes -= _weight(claim)
        return self.has_room and not had_room

    async def due_in(self, most: float) -> float:
        """Give the seconds until a record can be claimed, and never more than ``most``.

        Asked of the store, because it waits by the store's clock: a look just before that would find nothing.
        """
        if not self.has_room:
            return most
        try:
            due = await self._store.next_due_in(self._source)
        except StoreUnavailable:
            return STORE_RETRY_SECONDS
        return most if due is None else min(due, most)

    async def give_back(self, claims: Sequence[Claim], until: float | None = None) -> None:
        """Let go of them, to be claimed again from that time on, or at once in their old place in the line."""
        if not claims:
            return
        for claim in claims:
            self.drop(claim)
        self._owed.append((tuple(claims), until))
        try:
            await self._give_back_owed()
        except StoreUnavailable as error:
            _log.error("Claims are given back when the store answers", source=self._source, error=error.message)

    async def _give_back_owed(self) -> None:
        """Give back what was let go of.  Raises StoreUnavailable, and what is left then is still owed."""
        owed, self._owed = self._owed, []
        while owed:
            claims, until = owed[0]
            after_seconds = 0.0 if until is None else max(until - self._clock(), 0.0)
            try:
                await self._store.release(claims, after_seconds=after_seconds)
            except BaseException:
                self._owed += owed
                raise
            del owed[0]

    def holds(self, claim: Claim) -> bool:
        """Whether it is here and its lease goes on; else another node may have it."""
        return _key(claim) in self._claims and self._left() > 0.0

    @property
    def has_room(self) -> bool:
        """Whether more may be claimed."""
        return self._bytes < HELD_BYTES_MAX

    async def keep(self) -> None:
        """Renew the leases until cancelled."""
        while True:
            await asyncio.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            try:
                await self._renew()
            except StoreUnavailable as error:
                _log.error("Leases could not be renewed", error=error.message, hint=error.hint)

    def _left(self) -> float:
        """Give the seconds until the first of the leases ends.

        By the clock that may be far less than a moment ago: it was set forward, or the event loop stood still.
        """
        return self._until - self._clock()

    async def _renew(self) -> None:
        if not (claims := tuple(self._claims.values())):
            return
        until = self._clock() + self._lease_seconds
        held = await self._store.renew(claims, lease_seconds=self._lease_seconds)
        holding = {_key(claim) for claim in held}
        for claim in claims:
            if _key(claim) not in holding:
                self.drop(claim)
        self._until = until if self._claims else math.inf


def is_cut(claims: Sequence[Claim]) -> bool:
    """Whether a claim ended because of its size, so that more may be waiting."""
    return sum(len(claim.events[-1].event.body) for claim in claims) >= CLAIM_BYTES_MAX


def _key(claim: Claim) -> tuple[int, int]:
    return claim.generation, claim.head


def _weight(claim: Claim) -> int:
    copy = claim.previous
    kept = 0 if copy is None else len(copy.data or b"") + len(copy.content or "")
    return kept + sum(len(one.event.body) for one in claim.events)
