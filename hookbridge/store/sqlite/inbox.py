"""The inbox on SQLite: events in, duplicates known, settled ones listed, replayed and removed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from hookbridge.model import Event, Outcome, Receipt, RecordKey, StoredEvent, Verification
from hookbridge.store.contract import EventFilter, EventPage
from hookbridge.store.sqlite.engine import Job, Transaction

# The dirty row is written by the trigger event_arrives, and for a dead letter that is known again by dead_letter_opens:
# what is stored and what is claimable cannot differ.
_APPEND = """
INSERT INTO events (id, source, record, type, format, origin, identity, received_at, occurred_at, body,
                    previous, outcome, reason, settled_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
        (SELECT head FROM dirty WHERE record = ?3), ?11, ?12, ?13)
ON CONFLICT (identity) WHERE identity IS NOT NULL DO UPDATE
SET outcome = NULL, reason = NULL, verification = NULL, attempts = 0, settled_at = excluded.received_at,
    previous = (SELECT head FROM dirty WHERE record = events.record)
WHERE events.outcome = 'dead'
"""

_REOPEN = """
UPDATE events SET outcome = NULL, reason = NULL, verification = NULL, attempts = 0, settled_at = ?2,
                  previous = (SELECT head FROM dirty WHERE record = events.record)
WHERE id = ?1 AND outcome = 'dead'
"""

_COLUMNS = (
    "id, record, type, format, origin, body, identity, occurred_at, received_at,"
    " outcome, reason, verification, attempts, settled_at"
)


class Append(Job):
    """The events of one request."""

    __slots__ = ("events", "received_at")

    rank = 0

    def __init__(self, events: Sequence[Event], received_at: float) -> None:
        self.events = events
        self.received_at = received_at

    @staticmethod
    def run_together(jobs: Sequence[Append], transaction: Transaction) -> Sequence[tuple[Receipt, ...]]:
        """Insert the events of all jobs with one prepared statement."""
        first = next_id(transaction.connection)
        rows = [
            row(event, first + place, at)
            for place, (event, at) in enumerate((event, job.received_at) for job in jobs for event in job.events)
        ]
        receipts = iter(_insert(transaction, rows, first))
        return [tuple(next(receipts) for _ in job.events) for job in jobs]


def next_id(connection: sqlite3.Connection) -> int:
    """Give the id after the newest event's.  Retention never removes the newest one, so ids are never used twice."""
    (newest,) = connection.execute("SELECT max(id) FROM events").fetchone()
    return (newest or 0) + 1


def row(event: Event, event_id: int, received_at: float) -> tuple[Any, ...]:
    """Give the parameters of ``_APPEND``."""
    ignored = event.ignored is not None
    return (
        event_id,
        event.record.source,
        str(event.record),
        event.type,
        event.format,
        event.origin,
        event.identity,
        received_at,
        event.occurred_at,
        event.body,
        Outcome.IGNORED.value if ignored else None,
        event.ignored,
        received_at if ignored else None,
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


def known(connection: sqlite3.Connection, identity: bytes) -> StoredEvent | None:
    """Find the event of an identity."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE identity = ?", (identity,)).fetchone()
    return stored_event(found) if found else None


def event(connection: sqlite3.Connection, event_id: int) -> StoredEvent | None:
    """Find one event."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE id = ?", (event_id,)).fetchone()
    return stored_event(found) if found else None


def stored_event(columns: tuple[Any, ...]) -> StoredEvent:
    """Make the struct of a row of ``_COLUMNS``."""
    (id_, record, type_, format_, origin, body, identity, occurred_at, received_at) = columns[:9]
    outcome, reason, verification, attempts, settled_at = columns[9:]
    return StoredEvent(
        id=id_,
        event=Event(
            record=RecordKey.parse(record),
            type=type_,
            format=format_,
            origin=origin,
            body=body,
            identity=identity,
            occurred_at=occurred_at,
        ),
        received_at=received_at,
        outcome=Outcome(outcome) if outcome else None,
        reason=reason,
        verification=Verification(verification) if verification else None,
        attempts=attempts,
        settled_at=settled_at,
    )


def events(connection: sqlite3.Connection, which: EventFilter, before: int | None, limit: int) -> EventPage:
    """List events, newest first."""
    where, parameters = _where(which)
    if before is not None:
        where.append("id < ?")
        parameters.append(before)
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?",
        (*parameters, limit + 1),
    ).fetchall()
    page = tuple(stored_event(one) for one in found[:limit])
    return EventPage(page, page[-1].id if len(found) > limit else None)


def _where(which: EventFilter) -> tuple[list[str], list[Any]]:
    where: list[str] = ["true"]
    parameters: list[Any] = []
    equal = {"source": which.source, "type": which.type, "origin": which.origin}
    for column, value in equal.items():
        if value is not None:
            where.append(f"{column} = ?")
            parameters.append(value)
    if which.outcome is not None:
        # Spelled out, so that the partial index of dead letters can serve it.
        where.append(f"outcome = '{which.outcome.value}'")
    if which.open is not None:
        where.append("outcome IS NULL" if which.open else "outcome IS NOT NULL")
    if which.table is not None:
        where.append("substr(record, instr(record, ':') + 1, ?) = ?")
        prefix = which.table + ":"
        parameters += [len(prefix), prefix]
    if which.record_id is not None:
        # What stands behind the second colon.
        behind_first = "substr(record, instr(record, ':') + 1)"
        where.append(f"substr({behind_first}, instr({behind_first}, ':') + 1) = ?")
        parameters.append(which.record_id)
    return where, parameters


def replayable(connection: sqlite3.Connection, which: EventFilter, limit: int, event_id: int | None) -> list[int]:
    """Choose what to replay: the ids of the newest settled events, oldest first.

    A filter may have to look at very many events: that is for a reader, while the writer goes on.
    """
    where, parameters = _where(which)
    where.append("outcome IN ('dead', 'applied', 'coalesced')")
    if event_id is not None:
        where.append("id = ?")
        parameters.append(event_id)
    chosen = connection.execute(
        f"SELECT id FROM events WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?", (*parameters, limit)
    ).fetchall()
    return sorted(id_ for (id_,) in chosen)


def replay(transaction: Transaction, chosen: Sequence[int], now: float) -> int:
    """Open dead letters again, bring other settled events in anew; gives how many of the chosen were still settled."""
    count = 0
    for found in (event(transaction.connection, id_) for id_ in chosen):
        if found is None or found.outcome in {None, Outcome.IGNORED}:
            continue
        count += 1
        if found.outcome is Outcome.DEAD:
            transaction.connection.execute(_REOPEN, (found.id, now))
            transaction.count("open")
            transaction.count("dead", -1)
        else:
            again = msgspec.structs.replace(found.event, origin="replay", identity=None)
            first = next_id(transaction.connection)
            _insert(transaction, [row(again, first, now)], first)
    return count


def remove_settled(transaction: Transaction, before: float, limit: int) -> int:
    """Remove old settled events.  The newest event stays whatever it is: ``next_id`` counts from it."""
    return transaction.connection.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE settled_at < ? AND settled_at IS NOT NULL"
        " AND outcome <> 'dead' AND id < (SELECT max(id) FROM events) ORDER BY settled_at LIMIT ?)",
        (before, limit),
    ).rowcount
