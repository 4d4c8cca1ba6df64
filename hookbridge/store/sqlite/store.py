"""The SQLite engine as a ``Store``: every role's methods, each one job or one read."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

from hookbridge.clock import Clock
from hookbridge.errors import StoreUnavailable
from hookbridge.model import (
    COUNTED_EVENTS_MAX,
    Claim,
    Copy,
    Document,
    Event,
    Failure,
    Receipt,
    RecordKey,
    Settled,
    Settlement,
    SourceName,
    StoredEvent,
)
from hookbridge.store.sqlite import (
    claims,
    copies,
    failures,
    inbox,
    listings,
    named,
    notes,
    settlements,
    stale_keys,
    sweeps,
)
from hookbridge.store.sqlite.engine import Engine, Transaction
from hookbridge.store.values import (
    Announcement,
    EventFilter,
    EventPage,
    Fault,
    Hit,
    RecordFilter,
    RecordPage,
    Replay,
    Span,
    StaleKeys,
    Standings,
    Totals,
    Unmet,
)

_TICKETS_PER_START = 1 << 40
"""Each start begins a new range of tickets, so that no ticket of an earlier one is larger."""


class SqliteStore:
    """``hookbridge.store.contract.Store`` on one SQLite file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tickets = itertools.count(engine.starts * _TICKETS_PER_START)

    @classmethod
    async def open(cls, path: Path, clock: Clock = time.time) -> SqliteStore:
        """Open or make the file.  Raises StartupError when it cannot be used or another process has it.

        ``clock`` says when a transaction was: the one by which events came, so that a row's times belong together.
        """
        return cls(Engine(path, clock))

    # Inbox

    def append(
        self, events: Sequence[Event], received_at: float, headers: bytes | None = None
    ) -> asyncio.Future[tuple[Receipt, ...]]:
        """Store events durably."""
        return self._engine.write(inbox.Append(events, received_at, headers))

    async def known(self, identity: bytes) -> StoredEvent | None:
        """Find the event of an identity."""
        return await self._engine.read(lambda connection: inbox.known(connection, identity))

    async def event(self, event_id: int) -> StoredEvent | None:
        """Find one event."""
        return await self._engine.read(lambda connection: inbox.event(connection, event_id))

    async def events(self, which: EventFilter, *, before: int | None, limit: int) -> EventPage:
        """List events, newest first."""
        listed = self._engine.browse if which.text is None else self._engine.search
        return await listed(lambda connection: listings.events(connection, which, before, limit))

    async def replay(
        self,
        which: EventFilter,
        *,
        now: float,
        limit: int,
        before: int | None = None,
        admit: Callable[[int], None] = lambda number: None,  # noqa: ARG005
    ) -> Replay:
        """Process settled events again."""
        chosen: list[int] = []
        cursor = before
        # Pages, not one long read: a filter may have to look at every event.
        while len(chosen) < limit:
            found, cursor = await self._replayable(which, cursor, limit - len(chosen))
            chosen += found
            if cursor is None:
                break
        chosen.sort()
        count = start = 0
        while start < len(chosen):
            admit(len(chosen) - start)
            portion = chosen[start : start + inbox.REPLAYED_AT_ONCE]
            replayed, looked_at = await self._engine.call(partial(inbox.replay, chosen=portion, now=now))
            count, start = count + replayed, start + looked_at
        return Replay(count, cursor)

    async def replayable(self, which: EventFilter) -> int:
        """Count what can be processed again."""
        count, cursor = 0, None
        while True:
            found, cursor = await self._replayable(which, cursor, listings.LOOKED_AT)
            count += len(found)
            if cursor is None:
                return count

    async def _replayable(self, which: EventFilter, before: int | None, limit: int) -> tuple[list[int], int | None]:
        return await self._engine.search(lambda connection: listings.replayable(connection, which, before, limit))

    async def failures(self, event: StoredEvent) -> tuple[Failure, ...]:
        """List failed attempts."""
        return await self._engine.read(lambda connection: failures.of_event(connection, event))

    async def remove_settled(self, when: Span, limit: int) -> int:
        """Remove old settled events."""
        return await self._engine.call(lambda transaction: inbox.remove_settled(transaction, when, limit))

    async def remove_dead(self, when: Span, limit: int) -> int:
        """Give up old dead letters."""
        return await self._engine.call(lambda transaction: inbox.remove_dead(transaction, when, limit))

    async def remove_failures(self, when: Span, limit: int) -> int:
        """Forget old failed attempts."""
        return await self._engine.call(lambda transaction: failures.remove(transaction, when, limit))

    # Claims

    async def claim(self, source: SourceName, limit: int, *, now: float, lease_seconds: float) -> tuple[Claim, ...]:
        """Take dirty records."""
        job = claims.ClaimSome(source, limit, now, lease_seconds, self.ticket())
        return cast("tuple[Claim, ...]", await self._engine.write(job))

    async def settle(self, settlement: Settlement, *, now: float) -> Settled:
        """End a change; a long burst in several transactions, of which the last one has the effects."""
        if settlement.claim.open_events >= COUNTED_EVENTS_MAX:
            while settled := await self._engine.call(lambda t: settlements.settle_behind(t, settlement, now)):
                pass
            if settled is None:
                return Settled.FENCED
            settlement = settlements.only_newest(settlement)
        return cast("Settled", await self._engine.write(settlements.Settle(settlement, now)))

    async def renew(self, held: Sequence[Claim], *, until: float) -> None:
        """Let leases end later."""
        if held:
            await self._engine.call(lambda transaction: claims.renew(transaction, held, until))

    async def release(self, given_back: Sequence[Claim], *, available_at: float) -> None:
        """Give claims back."""
        await self._engine.call(lambda transaction: claims.release(transaction, given_back, available_at))

    async def release_abandoned(self, *, now: float) -> int:
        """Free what a process that is gone had claimed."""
        await self._engine.call(lambda transaction: claims.release_abandoned(transaction, now))
        return self.open_events

    async def next_available(self, source: SourceName) -> float | None:
        """When the next record can be claimed."""
        return await self._engine.read(lambda connection: claims.next_available(connection, source))

    async def dirty_records(self) -> dict[SourceName, int]:
        """Count the dirty records."""
        return await self._engine.browse(claims.dirty_records)

    async def oldest_open(self, *, now: float) -> float | None:
        """Since when the longest waiting record is dirty."""
        return await self._engine.read(lambda connection: claims.oldest_open(connection, now))

    # Stale keys

    async def stale_keys(self, limit: int) -> StaleKeys:
        """Give the oldest ones."""
        return await self._engine.read(lambda connection: stale_keys.some(connection, limit))

    async def remove_stale_keys(self, last_id: int) -> None:
        """Forget what was deleted."""
        await self._engine.call(lambda transaction: stale_keys.remove(transaction, last_id))

    # Copies

    def ticket(self) -> int:
        """Give the next ticket."""
        return next(self._tickets)

    async def copy(self, record: RecordKey) -> Copy | None:
        """Give the copy."""
        return await self._engine.read(lambda connection: copies.one(connection, record))

    async def home(self, record: RecordKey) -> RecordKey | None:
        """Say under which name there is a copy of an id."""
        return await self._engine.read(lambda connection: copies.home(connection, record))

    async def put(self, copy: Copy, document: Document | None, *, exclusive: bool) -> None:
        """Write a copy outside a change."""
        await self._engine.call(lambda transaction: copies.put(transaction, copy, document, exclusive=exclusive))

    async def search(self, text: str, *, source: SourceName | None, table: str | None, limit: int) -> tuple[Hit, ...]:
        """Find records by words."""
        return await self._engine.search(lambda connection: copies.search(connection, text, source, table, limit))

    async def records(self, which: RecordFilter, *, after: RecordKey | None, limit: int) -> RecordPage:
        """List records by name."""
        listed = self._engine.browse if which.text is None else self._engine.search
        return await listed(lambda connection: named.records(connection, which, after, limit))

    async def remove_tombstones(self, when: Span, limit: int) -> int:
        """Forget old absences."""
        return await self._engine.call(lambda transaction: copies.remove_tombstones(transaction, when, limit))

    # Sweeps

    async def standings(self, source: SourceName, table: str, ids: Sequence[str], *, now: float) -> Standings:
        """Say how records stand."""
        ticket = self.ticket()
        return await self._engine.read(lambda connection: sweeps.standings(connection, source, table, ids, now, ticket))

    async def load(self, read: Sequence[tuple[Copy, Document | None]], *, exclusive: bool) -> None:
        """Write many copies."""
        await self._engine.call(lambda transaction: sweeps.load(transaction, read, exclusive=exclusive))

    async def met(self, sweep: int, ids: Sequence[str]) -> frozenset[str]:
        """Say what a sweep has met before."""
        return await self._engine.read(lambda connection: sweeps.met(connection, sweep, ids))

    async def meet(self, sweep: int, ids: Sequence[str], *, note: tuple[str, str] | None = None) -> None:
        """Note what a sweep has met, and where it is."""

        def both(transaction: Transaction) -> None:
            sweeps.meet(transaction, sweep, ids)
            if note is not None:
                notes.put(transaction, *note, only_if_absent=False)

        await self._engine.call(both)

    async def unmet(self, source: SourceName, table: str, sweep: int, *, after: str | None = None, limit: int) -> Unmet:
        """Find what a sweep has not met."""
        return await self._engine.browse(
            lambda connection: sweeps.unmet(connection, source, table, sweep, after, limit)
        )

    async def forget_sweeps(self, *, keep: Sequence[int] = (), only: int | None = None, limit: int) -> int:
        """Forget sweeps."""
        return await self._engine.call(lambda transaction: sweeps.forget_sweeps(transaction, keep, only, limit))

    async def note_findings(self, records: Sequence[RecordKey], standings: Standings, *, now: float) -> None:
        """Remember differences."""
        await self._engine.call(lambda transaction: sweeps.note_findings(transaction, records, standings, now))

    async def settle_findings(self, grace_seconds: float, *, now: float) -> tuple[Announcement, ...]:
        """Count findings as announced or missed."""
        return await self._engine.call(lambda transaction: sweeps.settle_findings(transaction, grace_seconds, now))

    # Notes and counters

    async def note(self, name: str) -> str | None:
        """Give a note."""
        return await self._engine.read(lambda connection: notes.note(connection, name))

    async def put_note(self, name: str, value: str | None, *, only_if_absent: bool = False) -> bool:
        """Set or remove a note."""
        return await self._engine.call(lambda transaction: notes.put(transaction, name, value, only_if_absent))

    async def totals(self) -> Totals:
        """Give the counters as of the last commit."""
        return notes.totals(self._engine.counters)

    @property
    def open_events(self) -> int:
        """How many events are open as of the last commit."""
        return int(self._engine.counters["open"])

    # Housekeeping

    async def reusable_bytes(self) -> int:
        """The size of the file's free pages."""
        return await self._engine.read(_free_pages_bytes)

    async def check_writable(self) -> None:
        """Commit a transaction that writes."""
        await self._engine.call(_touch)

    @property
    def fault(self) -> Fault | None:
        """What is known to be wrong with the file."""
        return self._engine.soundness.fault

    async def look(self) -> Fault | None:
        """Compare the open file with its path: an empty transaction does."""
        with suppress(StoreUnavailable):
            await self._engine.call(lambda _: None)
        return self.fault

    async def close(self) -> None:
        """Finish, then close."""
        await self._engine.close()


def _free_pages_bytes(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)


def _touch(transaction: Transaction) -> None:
    transaction.connection.execute(
        "INSERT INTO notes VALUES ('checked', '1') ON CONFLICT (name) DO UPDATE SET value = value + 1"
    )
