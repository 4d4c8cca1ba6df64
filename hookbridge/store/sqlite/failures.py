"""Failed attempts on SQLite: noted with the settlement that ends their change, listed for one event, forgotten in time.

A change that succeeds at once costs nothing here.  The attempts of a change that was given back, because its source was
down, are none: an outage burns no attempt.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookbridge.model import Failure, Settlement, StoredEvent
from hookbridge.store.sqlite.engine import Transaction
from hookbridge.store.values import Span

_NOTE = "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)"

# A record's changes follow each other, so whatever failed between an event's arrival and its end concerned it.
_OF_EVENT = """
SELECT number, began_at, ended_at, error, traceback FROM failures
WHERE record = ?1 AND began_at >= ?2 AND (?3 IS NULL OR ended_at <= ?3) ORDER BY began_at LIMIT ?4
"""

SHOWN_MAX = 100


def note(connection: sqlite3.Connection, settlements: Sequence[Settlement]) -> None:
    """Note the failed attempts of changes that are settled."""
    connection.executemany(
        _NOTE,
        [
            (
                str(one.claim.record),
                failure.began_at,
                failure.number,
                failure.ended_at,
                failure.error,
                failure.traceback,
            )
            for one in settlements
            for failure in one.failures
        ],
    )


def of_event(connection: sqlite3.Connection, event: StoredEvent) -> tuple[Failure, ...]:
    """Give the failed attempts between an event's arrival and its end, the first ones first."""
    # Where the clock was ahead when the event came, its change was claimed before that by the clock.
    arrived = event.received_at if event.claimed_at is None else min(event.received_at, event.claimed_at)
    asked = (str(event.event.record), arrived, event.settled_at, SHOWN_MAX)
    return tuple(
        Failure(number=number, began_at=began_at, ended_at=ended_at, error=error, traceback=traceback)
        for number, began_at, ended_at, error, traceback in connection.execute(_OF_EVENT, asked)
    )


def remove(transaction: Transaction, when: Span, limit: int) -> int:
    """Forget attempts that ended then; gives how many."""
    return transaction.connection.execute(
        "DELETE FROM failures WHERE (record, began_at) IN"
        " (SELECT record, began_at FROM failures WHERE ended_at >= ? AND ended_at < ? LIMIT ?)",
        (when.start, when.end, limit),
    ).rowcount
