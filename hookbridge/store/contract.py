"""What hookbridge asks of a store, in roles: Inbox, Claims, Stale, Copies, Feed, Sweeps, Notes, Counters.

The invariants that every engine keeps, and that ``tests/store`` holds against it:

- what an awaited call returned is on disk (fsynced); what raised is not there at all;
- ``received = open + applied + coalesced + ignored + dead`` after every transaction;
- a record has a dirty row exactly while it has open events;
- a settlement or a release of a superseded claim (an older generation) changes nothing;
- a copy is never overwritten by one with an earlier ticket;
- a read ends when the call is cancelled, and nothing waits behind it any more: neither another call nor a thread;
- searches and counts, however many, hold up no list, and neither holds up what finds a thing by its name.

The engine owns the clock: what a method is given are durations, and stored times are the engine's own (``received_at``
of an event is the request's).  So nodes whose clocks differ share one time, and no lease depends on theirs.

The methods speak of events, dirty records, copies and counters.  No SQL leaves the store, no HTTP enters it.
Every method raises StoreUnavailable when the disk or the server refuses, and StoreError when what it was given has no
form on disk (a text that is not Unicode), which trying again cannot change.  Either way its neighbours are stored.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from hookbridge.model import (
    Claim,
    Copy,
    Document,
    Event,
    Failure,
    Fault,
    Receipt,
    RecordKey,
    Settled,
    Settlement,
    SourceName,
    StoredEvent,
)
from hookbridge.store.values import (
    Announcement,
    Candidates,
    CopyPage,
    EventFilter,
    EventIds,
    EventPage,
    FeedPage,
    OpenedAgain,
    RecordFilter,
    RecordPage,
    Span,
    StaleKeys,
    Standings,
    Totals,
    Unmet,
)
from hookbridge.text import Query


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

    async def open_again(self, event_ids: Sequence[int]) -> OpenedAgain:
        """Process settled events again: dead ones are open again, others come in anew with origin ``replay``.

        Open and ignored events are left alone.  As many from the first on as one transaction may hold; the caller
        goes on behind them, so that appends do not wait for all.
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

    async def renew(self, claims: Sequence[Claim], *, lease_seconds: float) -> None:
        """Let the leases of claims that still hold begin anew."""
        ...

    async def release(self, claims: Sequence[Claim], *, after_seconds: float = 0.0) -> None:
        """Give claims back unsettled, to be claimed again after that time; at once in their old place in the line."""
        ...

    async def release_abandoned(self) -> None:
        """At start: free what an earlier life of this node had claimed, or hid; what other nodes have stays theirs.

        A record that became dirty while the clock was ahead has been waiting from now on.
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

    async def remove_stale_keys(self, last_id: int) -> None:
        """Forget the rows up to this one; those of changes that were settled since stay, of the same keys as well."""
        ...


class Copies(Protocol):
    """The records as last read, and their words."""

    async def ticket(self) -> int:
        """Give the ticket for a read that begins afterwards: larger than every one given before this call.

        Restarts and other nodes included.  One for each request to a source.
        """
        ...

    async def copy(self, record: RecordKey) -> Copy | None:
        """Give the copy; one with ``data`` None says that the source has no such record."""
        ...

    async def home(self, record: RecordKey) -> RecordKey | None:
        """Give the name under which there is a copy with data of this id, whatever its table (ids are global)."""
        ...

    async def put(self, copy: Copy, document: Document | None, *, exclusive: bool) -> None:
        """Write a copy that was read outside a change (read-through), unless a later one is there.

        ``exclusive`` drops the copies of the same id in other tables (ids are global).
        """
        ...

    async def label(self, source: SourceName, table: str) -> str | None:
        """Give what people call a table; None where nobody said it."""
        ...

    async def put_label(self, source: SourceName, table: str, label: str) -> None:
        """Say what people call a table."""
        ...

    async def candidates(self, query: Query, *, source: SourceName | None, table: str | None) -> Candidates:
        """Find the copies that have all that is asked, the newest change of their words first, within a bound.

        Whoever ranks them looks again: of a query of very many words only some are looked for here.
        """
        ...

    async def copied(self, *, cursor: str | None, limit: int, bytes_max: int) -> CopyPage:
        """List copies with data, however they are named; at most ``limit``, and none behind so many bytes."""
        ...

    async def index(self, read: Sequence[tuple[Copy, Document]], *, note: tuple[str, str]) -> None:
        """Write titles and words of copies anew, and in the same transaction note how far that is.

        Those that are not as they were read are left alone.  It is no change: the others stay in their order.
        """
        ...

    async def records(self, which: RecordFilter, *, after: RecordKey | None, limit: int) -> RecordPage:
        """List records by name, behind the cursor ``after``.

        Those of ``waiting`` are listed whether or not there is a copy of them; else those with a copy.
        """
        ...

    async def remove_tombstones(self, when: Span, limit: int) -> int:
        """Forget at most ``limit`` absences noted then; gives how many."""
        ...


class Feed(Protocol):
    """The copies in the order of their last change, for whoever follows them.

    Every transaction that changes a copy's content or presence gives it the newest place: a settle, a read-through, a
    first load, and the removal of a copy under another table or spelling, which leaves the knowledge there that it is
    gone.  A record that is read again and is as it was keeps its place.  Places are never given twice, and no change
    becomes visible behind a later one.
    """

    async def feed(self, *, after: int, limit: int) -> FeedPage:
        """Give the changes behind a place, 0 for all there are: a record appears once, at its last change."""
        ...


class Sweeps(Protocol):
    """What the reconciler compares and remembers."""

    async def standings(self, source: SourceName, table: str, ids: Sequence[str]) -> Standings:
        """Say how records of one table stand, all as of one moment."""
        ...

    async def load(self, read: Sequence[tuple[Copy, Document | None]], *, exclusive: bool) -> None:
        """Write many copies that were read outside a change, in one transaction; as ``put``."""
        ...

    async def met(self, sweep: int, ids: Sequence[str]) -> frozenset[str]:
        """Say which of these a sweep has met before."""
        ...

    async def meet(self, sweep: int, ids: Sequence[str], *, note: tuple[str, str] | None = None) -> None:
        """Note what a sweep (named by its ticket) has met, and in the same transaction a note on where it is."""
        ...

    async def unmet(self, source: SourceName, table: str, sweep: int, *, after: str | None = None, limit: int) -> Unmet:
        """Find copies with data that are older than the sweep and that it has not met, those behind ``after`` or all.

        An id may be the empty text, which is behind nothing.
        """
        ...

    async def forget_sweeps(self, *, keep: Sequence[int] = (), only: int | None = None, limit: int) -> int:
        """Remove what one sweep has met, or all but those of ``keep``, at most ``limit`` rows; gives how many."""
        ...

    async def note_findings(self, records: Sequence[RecordKey], standings: Standings) -> None:
        """Remember differences until it is known whether a webhook announces them.

        Not those whose copy is younger than the comparison: a webhook was faster, and is counted by itself.  A webhook
        announces one when its event was not there yet when the record was compared.
        """
        ...

    async def settle_findings(self, grace_seconds: float) -> tuple[Announcement, ...]:
        """Count what was found longer ago than that as announced or missed, and forget it; also what lies ahead."""
        ...


class Notes(Protocol):
    """Small durable values by name: learnt tokens, cursors."""

    async def note(self, name: str) -> str | None:
        """Give the value."""
        ...

    async def put_note(self, name: str, value: str | None, *, only_if_absent: bool = False) -> bool:
        """Set the value, or remove it with None; gives whether it was written."""
        ...


class Counters(Protocol):
    """The books and the guide's statistics."""

    async def totals(self) -> Totals:
        """Give all counters as of the last commit."""
        ...

    @property
    def open_events(self) -> int:
        """How many events are open, without waiting: what admission compares to the cap.

        As of this node's last commit, so an estimate where others write as well.
        """
        ...


class Store(Inbox, Claims, Stale, Copies, Feed, Sweeps, Notes, Counters, Protocol):
    """One engine."""

    def describe(self) -> str:
        """Say where it is, for logs and for operators: no password."""
        ...

    def watch_commits(self, observer: Callable[[int, float], None]) -> None:
        """Tell the observer of each group that was written: how many jobs, and the seconds until they were on disk."""
        ...

    async def free_bytes(self) -> int | None:
        """How much of the disk is left; None where the disk is not this machine's.  Raises StoreUnavailable."""
        ...

    async def reusable_bytes(self) -> int:
        """How much can be stored in what was removed, before the store takes more of the disk."""
        ...

    async def check_writable(self) -> None:
        """Commit an empty transaction.  Raises StoreUnavailable."""
        ...

    @property
    def fault(self) -> Fault | None:
        """Why nothing is written until an operator acts, as of the last look; None while the store is sound."""
        ...

    async def look(self) -> Fault | None:
        """Look whether the store is sound, without writing."""
        ...

    async def close(self) -> None:
        """Finish what is submitted, then close.  Idempotent."""
        ...
