"""Everything that a data file holds, for another engine: row by row, in an order that can be gone on with.

It reads, and changes nothing.  Nobody writes meanwhile, because the process that reads has the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from hookbridge.store.moving import BYTES_MAX, COLUMNS, ROWS_MAX, Batch, Ends, Kind, Tally, hash_of
from hookbridge.store.sqlite.engine import Role
from hookbridge.store.sqlite.feed import feed_ends

# The key, in whose order rows are read, to go on behind the last one's; and what is read of them.
_ROWS: dict[Kind, tuple[str, str]] = {
    "copies": (
        "copies.id",
        """
        source, table_name, record_id, data, changed_at, fingerprint, ticket, read_at, verified, occurred_at,
        copies.title, content, copies.words, words.title, words.properties, words.body
        FROM copies LEFT JOIN words ON words.rowid = copies.words
        """,
    ),
    "feed": (
        "seq",
        """
        seq, source || ':' || table_name || ':' || record_id, coalesce(since, read_at)
        FROM feed JOIN copies ON copies.id = feed.record
        """,
    ),
    "labels": ("source, table_name", "source, table_name, label FROM labels"),
    "events": (
        "id",
        """
        id, source, record, type, format, origin, identity, received_at, occurred_at, body, headers, stored_at,
        outcome, reason, verification, attempts, settled_at, claimed_at, verified_at FROM events
        """,
    ),
    "open": ("record", "record, head, source, since FROM dirty"),
    "failures": (
        "record, began_at",
        "record, began_at, number, ended_at, error, traceback FROM failures",
    ),
    "stale_keys": ("id", "key FROM stale_keys"),
    "found": (
        "record",
        """
        record, found_at, last_event, record IN (
            SELECT events.record FROM events
            JOIN found AS told ON told.record = events.record AND events.id > told.last_event
            WHERE events.id > (SELECT min(last_event) FROM found) AND events.origin IN ('webhook', 'pull')
        ) FROM found
        """,
    ),
    "met": ("sweep, record_id", "sweep, record_id FROM met"),
    "samples": ("minute", "minute, at, received, applied, open FROM samples"),
    "rejected": ("destination, record", "destination, record, seq, reason, rejected_at FROM rejected"),
}

_OPEN = """
WITH RECURSIVE chain (id, depth) AS (
    SELECT ?1, 1
    UNION ALL
    SELECT events.previous, depth + 1 FROM chain JOIN events ON events.id = chain.id WHERE events.previous IS NOT NULL
)
SELECT id FROM chain ORDER BY depth DESC
"""

_ENDS = """
SELECT (SELECT coalesce(max(id), 0) FROM events), (SELECT coalesce(max(ticket), 0) FROM copies),
       (SELECT coalesce(min(words), 0) FROM copies), (SELECT coalesce(max(words), 0) FROM copies)
"""

_TABLES: dict[Kind, str] = {
    "copies": "copies",
    "feed": "feed",
    "labels": "labels",
    "events": "events",
    "open": "events WHERE outcome IS NULL",
    "failures": "failures",
    "stale_keys": "stale_keys",
    "found": "found",
    "met": "met",
    "samples": "samples",
    "rejected": "rejected",
}


def _batch(connection: sqlite3.Connection, kind: Kind, cursor: str | None) -> Batch:
    key, rest = _ROWS[kind]
    keys = key.count(",") + 1
    behind: list[Any] = [] if cursor is None else msgspec.json.decode(cursor)
    where = f" WHERE ({key}) > ({', '.join('?' * keys)})" if behind else ""
    found = connection.execute(f"SELECT {key}, {rest}{where} ORDER BY {key}", behind)
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in found:
        behind = list(row[:keys])
        for one in _lines(connection, row[keys:]) if kind == "open" else (row[keys:],):
            rows.append(one)
            size += sum(len(value) for value in one if isinstance(value, bytes | str))
        if len(rows) >= ROWS_MAX or size >= BYTES_MAX:
            break
    else:
        behind = []
    columns = tuple(zip(*rows, strict=True)) or ((),) * len(COLUMNS[kind])
    cursor = msgspec.json.encode(behind).decode() if behind else None
    return Batch(kind=kind, columns=columns, cursor=cursor)


def _lines(connection: sqlite3.Connection, dirty: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Give the open events of a record in their order."""
    record, head, *rest = dirty
    for place, (id_,) in enumerate(connection.execute(_OPEN, (head,)), start=1):
        yield (record, place, id_, *rest)


def _tally(connection: sqlite3.Connection) -> Tally:
    rows = {
        kind: int(connection.execute(f"SELECT count(*) FROM {which}").fetchone()[0]) for kind, which in _TABLES.items()
    }
    copies = connection.execute("SELECT source, table_name, record_id, ticket, fingerprint FROM copies")
    counters = dict(connection.execute("SELECT name, value FROM counters WHERE value <> 0"))
    event, ticket, first, last = connection.execute(_ENDS).fetchone()
    ends = Ends(event=event, ticket=ticket, feed=feed_ends(connection), words_first=first, words_last=last)
    return Tally(rows=rows, copies=sum(hash_of(*one) for one in copies), counters=counters, ends=ends)


class Moving(Role):
    """What is carried to another engine."""

    async def batch(self, kind: Kind, cursor: str | None) -> Batch:
        """Give the rows behind a cursor; None begins with the first ones."""
        return await self._engine.search(lambda connection: _batch(connection, kind, cursor))

    async def tally(self) -> Tally:
        """Count what is there."""
        return await self._engine.search(_tally)

    async def some_events(self, number: int) -> tuple[int, ...]:
        """Draw some events; gives their ids."""
        query = "SELECT id FROM events ORDER BY random() LIMIT ?"
        return await self._engine.search(
            lambda connection: tuple(id_ for (id_,) in connection.execute(query, (number,)))
        )

    async def some_words(self, number: int) -> tuple[str, ...]:
        """Draw the tokens of some entries of the index."""
        query = "SELECT title || ' ' || properties || ' ' || body FROM words ORDER BY random() LIMIT ?"
        return await self._engine.search(
            lambda connection: tuple(tokens for (tokens,) in connection.execute(query, (number,)))
        )
