"""The inbox on SQLite: events in, duplicates known, settled ones replayed and removed.  ``listings`` shows them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from hookbridge.model import Event, Failure, Outcome, Receipt, RecordKey, StoredEvent
from hookbridge.store.commits import GROUP_BYTES
from hookbridge.store.sqlite import copies, events, failures, listings
from hookbridge.store.sqlite.engine import Job, Role, Transaction
from hookbridge.store.values import DeadGroups, EventFilter, EventIds, EventPage, Portion, Span

# The dirty row is written by the trigger event_arrives, and for a dead letter that is known again by dead_letter_opens:
# what is stored and what is claimable cannot differ.
_OPEN = "SELECT record FROM dirty WHERE source = 'notion' AND substr(record, -36) = ?"

_APPEND = """
INSERT INTO events (id, source, record, type, format, origin, identity, received_at, occurred_at, body,
                    previous, outcome, reason, settled_at, stored_at, headers)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
        (SELECT head FROM dirty WHERE record = ?3), ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (identity) WHERE identity IS NOT NULL DO UPDATE
SET outcome = NULL, reason = NULL, verification = NULL, attempts = 0, settled_at = excluded.received_at,
    claimed_at = NULL, verified_at = NULL,
    previous = (SELECT head FROM dirty WHERE record = events.record)
WHERE events.outcome = 'dead'
"""

_REOPEN = """
UPDATE events SET outcome = NULL, reason = NULL, verification = NULL, attempts = 0, settled_at = ?2,
                  claimed_at = NULL, verified_at = NULL,
                  previous = (SELECT head FROM dirty WHERE record = events.record)
WHERE id = ?1 AND outcome = 'dead'
"""

_DISMISS = """
UPDATE events SET outcome = 'ignored', reason = ?2 || coalesce(': ' || reason, ''), settled_at = ?3
WHERE id = ?1 AND outcome = 'dead' RETURNING source, length(body)
"""

AT_ONCE = 500
"""Events that one transaction opens again or gives up, if their bodies are not larger than a group of appends."""


class Append(Job):
    """The events of one request."""

    __slots__ = ("events", "headers", "received_at")

    rank = 0

    def __init__(self, events: Sequence[Event], received_at: float, headers: bytes | None) -> None:
        self.events = events
        self.received_at = received_at
        self.headers = headers

    @property
    def weight(self) -> int:
        """The bodies."""
        return sum([len(one.body) for one in self.events])

    @staticmethod
    def run_together(jobs: Sequence[Append], transaction: Transaction) -> Sequence[tuple[Receipt, ...]]:
        """Insert the events of all jobs with one prepared statement."""
        first = events.next_id(transaction.connection)
        met: dict[str, RecordKey] = {}
        arrived = [
            StoredEvent(
                id=first + place,
                event=_placed(transaction.connection, event, met) if event.by_id else event,
                received_at=job.received_at,
                stored_at=transaction.now,
                headers=job.headers,
            )
            for place, (event, job) in enumerate((event, job) for job in jobs for event in job.events)
        ]
        rows = [_row(one) for one in arrived]
        receipts = _insert(transaction, rows, first)
        for one, row, receipt in zip(arrived, rows, receipts, strict=True):
            if not receipt.duplicate and one.event.ignored is None:
                transaction.fresh.put(row[2], one)
        told = iter(receipts)
        return [tuple(next(told) for _ in job.events) for job in jobs]


def _placed(connection: sqlite3.Connection, event: Event, met: dict[str, RecordKey]) -> Event:
    """Give an event that names its record by its id to the record that has open events, else to that of the copy.

    ``met`` are the open ones of this transaction that are not stored yet.
    """
    id_ = event.record.id
    record = met.get(id_) or _open(connection, id_) or copies.home(connection, event.record)
    placed = msgspec.structs.replace(event, by_id=False)
    if record is not None:
        placed = msgspec.structs.replace(placed, record=record, ignored=None)
    if placed.ignored is None:
        met[id_] = placed.record
    return placed


def _open(connection: sqlite3.Connection, id_: str) -> RecordKey | None:
    found = connection.execute(_OPEN, (id_,)).fetchone()
    return None if found is None else RecordKey.parse(found[0])


def _row(arrived: StoredEvent) -> tuple[Any, ...]:
    """Give the parameters of ``_APPEND``."""
    event = arrived.event
    ignored = event.ignored is not None
    return (
        arrived.id,
        event.record.source,
        str(event.record),
        event.type,
        event.format,
        event.origin,
        event.identity,
        arrived.received_at,
        event.occurred_at,
        event.body,
        Outcome.IGNORED.value if ignored else None,
        event.ignored,
        arrived.received_at if ignored else None,
        arrived.stored_at,
        arrived.headers,
    )


def _insert(transaction: Transaction, rows: list[tuple[Any, ...]], first: int) -> list[Receipt]:
    connection = transaction.connection
    changed = connection.executemany(_APPEND, rows).rowcount
    last = first + len(rows) - 1
    (stored,) = connection.execute("SELECT count(*) FROM events WHERE id BETWEEN ? AND ?", (first, last)).fetchone()
    if stored == len(rows):
        receipts = [Receipt(event_id) for event_id in range(first, last + 1)]
        fresh = rows
    else:
        receipts = _with_duplicates(connection, rows, first, last)
        fresh = [one for one, receipt in zip(rows, receipts, strict=True) if not receipt.duplicate]
    ignored = Counter(one[1] for one in fresh if one[10] is not None)
    opened_again = changed - stored
    for (source, origin), number in Counter((one[1], one[5]) for one in fresh).items():
        transaction.count(f"received:{source}:{origin}", number)
    for source, number in ignored.items():
        transaction.count(f"settled:{source}:ignored", number)
    transaction.count("received", stored)
    transaction.count("open", stored - ignored.total() + opened_again)
    transaction.count("ignored", ignored.total())
    transaction.count("dead", -opened_again)
    transaction.count("duplicates", len(rows) - stored)
    return receipts


def _with_duplicates(
    connection: sqlite3.Connection, rows: list[tuple[Any, ...]], first: int, last: int
) -> list[Receipt]:
    stored = {one for (one,) in connection.execute("SELECT id FROM events WHERE id BETWEEN ? AND ?", (first, last))}
    receipts = []
    for one in rows:
        if one[0] in stored:
            receipts.append(Receipt(one[0]))
        else:
            (known,) = connection.execute("SELECT id FROM events WHERE identity = ?", (one[6],)).fetchone()
            receipts.append(Receipt(known, duplicate=True))
    return receipts


def _open_again(transaction: Transaction, chosen: Sequence[int]) -> Portion:
    """Open dead letters again, bring other settled events in anew, until it is enough for one transaction."""
    count = size = looked = 0
    for stored in (events.one(transaction.connection, id_) for id_ in chosen[:AT_ONCE]):
        if size >= GROUP_BYTES:
            break
        looked += 1
        if stored is None or stored.outcome in {None, Outcome.IGNORED}:
            continue
        count += 1
        size += len(stored.event.body)
        if stored.outcome is Outcome.DEAD:
            transaction.connection.execute(_REOPEN, (stored.id, transaction.now))
            transaction.count("open")
            transaction.count("dead", -1)
        else:
            again = msgspec.structs.replace(stored.event, origin="replay", identity=None)
            first = events.next_id(transaction.connection)
            arrived = StoredEvent(id=first, event=again, received_at=transaction.now, stored_at=transaction.now)
            _insert(transaction, [_row(arrived)], first)
    return Portion(count, looked)


def _dismiss(transaction: Transaction, chosen: Sequence[int], words: str) -> Portion:
    """Give dead letters up, until it is enough for one transaction: what is written is the whole row."""
    count = size = looked = 0
    for id_ in chosen[:AT_ONCE]:
        if size >= GROUP_BYTES:
            break
        looked += 1
        for source, length in transaction.connection.execute(_DISMISS, (id_, words, transaction.now)).fetchall():
            count += 1
            size += length
            transaction.count("dead", -1)
            transaction.count("ignored")
            transaction.count(f"settled:{source}:ignored")
    return Portion(count, looked)


def _remove_settled(transaction: Transaction, when: Span, limit: int) -> int:
    """Remove old settled events.  The newest event stays whatever it is: ``next_id`` counts from it."""
    return transaction.connection.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE settled_at >= ? AND settled_at < ?"
        " AND outcome <> 'dead' AND id < (SELECT max(id) FROM events) ORDER BY settled_at LIMIT ?)",
        (when.start, when.end, limit),
    ).rowcount


def _remove_dead(transaction: Transaction, when: Span, limit: int) -> int:
    """Remove old dead letters, and count them as ignored from then on."""
    removed = transaction.connection.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE outcome = 'dead'"
        " AND settled_at >= ? AND settled_at < ? AND id < (SELECT max(id) FROM events) ORDER BY settled_at LIMIT ?)",
        (when.start, when.end, limit),
    ).rowcount
    transaction.count("dead", -removed)
    transaction.count("ignored", removed)
    return removed


class Inbox(Role):
    """The inbox."""

    def append(
        self, events: Sequence[Event], received_at: float, headers: bytes | None = None
    ) -> asyncio.Future[tuple[Receipt, ...]]:
        """Store events durably."""
        return self._engine.write(Append(events, received_at, headers))

    async def known(self, identity: bytes) -> StoredEvent | None:
        """Find the event of an identity."""
        return await self._engine.read(lambda connection: events.of_identity(connection, identity))

    async def event(self, event_id: int) -> StoredEvent | None:
        """Find one event."""
        return await self._engine.read(lambda connection: events.one(connection, event_id))

    async def events(self, which: EventFilter, *, before: int | None, limit: int) -> EventPage:
        """List events, newest first."""
        listed = self._engine.browse if which.text is None else self._engine.search
        return await listed(lambda connection: listings.events(connection, which, before, limit))

    async def replayable(self, which: EventFilter, *, before: int | None, limit: int) -> EventIds:
        """Choose what can be processed again."""
        return await self._engine.search(lambda connection: listings.replayable(connection, which, before, limit))

    async def dead_letters(self, which: EventFilter) -> DeadGroups:
        """Gather dead letters by reason."""
        return await self._engine.search(lambda connection: listings.dead_letters(connection, which))

    async def open_again(self, event_ids: Sequence[int]) -> Portion:
        """Process settled events again."""
        return await self._engine.call(lambda transaction: _open_again(transaction, event_ids))

    async def dismiss(self, event_ids: Sequence[int], words: str) -> Portion:
        """Give dead letters up."""
        return await self._engine.call(lambda transaction: _dismiss(transaction, event_ids, words))

    async def failures(self, event: StoredEvent) -> tuple[Failure, ...]:
        """List failed attempts."""
        return await self._engine.read(lambda connection: failures.of_event(connection, event))

    async def remove_settled(self, when: Span, limit: int) -> int:
        """Remove old settled events."""
        return await self._engine.call(lambda transaction: _remove_settled(transaction, when, limit))

    async def remove_dead(self, when: Span, limit: int) -> int:
        """Give up old dead letters."""
        return await self._engine.call(lambda transaction: _remove_dead(transaction, when, limit))

    async def remove_failures(self, when: Span, limit: int) -> int:
        """Forget old failed attempts."""
        return await self._engine.call(lambda transaction: failures.remove(transaction, when, limit))
