"""Rows of events on SQLite, and the list in which the open ones of a record hang together."""

from __future__ import annotations

import sqlite3

from hookbridge.model import COUNTED_EVENTS_MAX, StoredEvent
from hookbridge.store.rows import EVENT_COLUMNS, stored_event

# A head and the events behind it, newest first.
CHAIN = """
WITH RECURSIVE chain (id, depth) AS (
    SELECT ?1, 1
    UNION ALL
    SELECT events.previous, depth + 1 FROM chain JOIN events ON events.id = chain.id
    WHERE events.previous IS NOT NULL AND {end}
)
"""

NEWEST = CHAIN.format(end=f"depth < {COUNTED_EVENTS_MAX}")


def next_id(connection: sqlite3.Connection) -> int:
    """Give the id after the newest event's.  Retention never removes the newest one, so ids are never used twice."""
    (newest,) = connection.execute("SELECT max(id) FROM events").fetchone()
    return (newest or 0) + 1


def one(connection: sqlite3.Connection, event_id: int) -> StoredEvent | None:
    """Find one event."""
    found = connection.execute(f"SELECT {EVENT_COLUMNS} FROM events WHERE id = ?", (event_id,)).fetchone()
    return stored_event(found) if found else None


def of_identity(connection: sqlite3.Connection, identity: bytes) -> StoredEvent | None:
    """Find the event of an identity."""
    found = connection.execute(f"SELECT {EVENT_COLUMNS} FROM events WHERE identity = ?", (identity,)).fetchone()
    return stored_event(found) if found else None
