"""The way of an event: the inbox, who works on which record, and the cache keys that are left of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Sequence
from typing import Protocol

from hookbridge.model import Claim, Event, Failure, Receipt, Settled, Settlement, SourceName, StoredEvent
from hookbridge.store.values import DeadGroups, EventFilter, EventIds, EventPage, Portion, Span, StaleKeys


class Inbox(Protocol):
    """The durable table of events."""

    def append(
        self, events: Sequence[Event], received_at: float, headers: bytes | None = None
    ) -> asyncio.Future[tuple[Receipt, ...]]:
        """Store the events of one request, with its masked headers, and make their records dirty, in one transaction.

        An event whose identity is known is not stored again; when the known one is dead it is open again.  One that
        names its record ``by_id`` is of the record that has the copy, and is not ignored then.
        """
        ...

    async def known(self, identity: bytes) -> StoredEvent | None:
        """Find the event of this identity."""
        ...

    async def event(self, event_id: int) -> StoredEvent | None:
        """Find one event."""
        ...

    async def events(self, which: EventFilter, *, before: int | None, limit: int) -> EventPage:
        """List events, newest first, older than the cursor ``before``."""
        ...

    async def replayable(self, which: EventFilter, *, before: int | None, limit: int) -> EventIds:
        """Choose what can be processed again, a page at a time: settled events that were not ignored, newest first."""
        ...

    async def dead_letters(self, which: EventFilter) -> DeadGroups:
        """Gather the dead letters among these by the kinds of their reasons; it looks at the newest ones."""
        ...

    async def open_again(self, event_ids: Sequence[int]) -> Portion:
        """Process settled events again: dead ones are open again, others come in anew with origin ``replay``.

        Open and ignored events are left alone.  As many from the first on as one transaction may hold; the caller
        goes on behind them, so that appends do not wait for all.
        """
        ...

    async def dismiss(self, event_ids: Sequence[int], words: str) -> Portion:
        """Give dead letters up: they are ignored from then on, for ``words`` and the reason that they had.

        Whatever is no dead letter is left alone.  As many from the first on as one transaction may hold.
        """
        ...

    async def failures(self, event: StoredEvent) -> tuple[Failure, ...]:
        """List the failed attempts of an event's change, the first ones first."""
        ...

    async def remove_settled(self, when: Span, limit: int) -> int:
        """Remove at most ``limit`` events that were applied, coalesced or ignored then; gives how many."""
        ...

    async def remove_dead(self, when: Span, limit: int) -> int:
        """Give up at most ``limit`` dead letters that died then and remove them; gives how many.

        In the books they are ignored from then on: nothing of them was applied, and nobody can replay them any more.
        """
        ...

    async def remove_failures(self, when: Span, limit: int) -> int:
        """Forget at most ``limit`` failed attempts that ended then; gives how many."""
        ...


class Claims(Protocol):
    """Who works on which dirty record."""

    async def claim(
        self, source: SourceName, limit: int, *, lease_seconds: float, within_seconds: float = math.inf
    ) -> tuple[Claim, ...]:
        """Take the dirty records that have waited longest, until the lease ends.

        At most ``limit``, and none any more once their newest bodies have ``CLAIM_BYTES_MAX`` bytes.  None, too, where
        ``within_seconds`` have passed before it is done: leases that the caller has may have ended meanwhile.
        """
        ...

    async def settle(self, settlement: Settlement) -> Settled:
        """Write outcome, effects (stale keys, too) and counters of a claim in one transaction, if it still holds.

        Of a claim with ``COUNTED_EVENTS_MAX`` events or more, those behind the newest one are settled before that, a
        portion a call: it gives ``MORE`` then, and wants the same settlement again.
        """
        ...

    async def renew(self, claims: Sequence[Claim], *, lease_seconds: float) -> tuple[Claim, ...]:
        """Let the leases of claims that still hold begin anew, also of those that have ended; gives these claims."""
        ...

    async def release(self, claims: Sequence[Claim], *, after_seconds: float = 0.0) -> None:
        """Give claims back unsettled, to be claimed again after that time; at once in their old place in the line."""
        ...

    async def release_abandoned(self) -> None:
        """At start: free what an earlier life of this node had claimed, or hid; what other nodes have stays theirs.

        A record that became dirty while the clock was ahead has been waiting from now on.
        """
        ...

    async def release_of_others(self, there: Collection[str]) -> int:
        """Free what nodes had claimed that are not among these, because they are gone; gives how many records.

        Where one process has the store, nobody else has anything.
        """
        ...

    async def next_due_in(self, source: SourceName) -> float | None:
        """Give the seconds until one can be claimed or a lease ends: 0 when one can be, None when none is dirty."""
        ...

    async def dirty_records(self) -> dict[SourceName, int]:
        """Count the dirty records of each source; one that has none may be left out."""
        ...

    async def oldest_open_seconds(self) -> float | None:
        """For how long the longest waiting record has been dirty; None when nothing is open."""
        ...


class Stale(Protocol):
    """Keys of the user's cache that changes which are settled have made stale, until they were deleted there again."""

    async def stale_keys(self, limit: int) -> StaleKeys:
        """Give the keys of the oldest ``limit`` rows, each once; fewer where they are very long."""
        ...

    async def remove_stale_keys(self, rows: Sequence[int]) -> None:
        """Forget these rows; those of changes that were settled since stay, of the same keys as well."""
        ...
