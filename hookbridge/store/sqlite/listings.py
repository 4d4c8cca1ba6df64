"""What operators list on SQLite: events and records by filters, a page at a time, and what a replay would choose.

Everything here only reads, and pages go on behind the last row shown (keyset), so a page costs the same wherever it is.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from hookbridge.model import RecordKey
from hookbridge.store.contract import EventFilter, EventPage, RecordEntry, RecordFilter, RecordPage
from hookbridge.store.sqlite import copies
from hookbridge.store.sqlite.inbox import COLUMNS, next_id, stored_event

SEARCHED_EVENTS = 20_000
"""A page of a search for words looks at so many events."""

WORDS_MAX = 8
"""More words than this narrow no further."""


def events(connection: sqlite3.Connection, which: EventFilter, before: int | None, limit: int) -> EventPage:
    """List events, newest first."""
    where, parameters = _where(which)
    if before is not None:
        where.append("id < ?")
        parameters.append(before)
    floor = None
    if which.text is not None:
        # Bodies are read one by one: a page looks at so many and says where the next one goes on.
        floor = (next_id(connection) if before is None else before) - SEARCHED_EVENTS
        where.append("id >= ?")
        parameters.append(floor)
    found = connection.execute(
        f"SELECT {COLUMNS} FROM events WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?",
        (*parameters, limit + 1),
    ).fetchall()
    page = tuple(stored_event(one) for one in found[:limit])
    if len(found) > limit:
        return EventPage(page, page[-1].id)
    return EventPage(page, floor if floor is not None and _any_before(connection, floor) else None)


def _any_before(connection: sqlite3.Connection, event_id: int) -> bool:
    return connection.execute("SELECT 1 FROM events WHERE id < ? LIMIT 1", (event_id,)).fetchone() is not None


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
    if which.text is not None:
        for word in which.text.split()[:WORDS_MAX]:
            found, patterns = _mentions(word)
            where.append(found)
            parameters += patterns
    if which.record_id is not None:
        # What stands behind the second colon.
        behind_first = "substr(record, instr(record, ':') + 1)"
        where.append(f"substr({behind_first}, instr({behind_first}, ':') + 1) = ?")
        parameters.append(which.record_id)
    return where, parameters


def _mentions(word: str) -> tuple[str, list[str]]:
    """Give the condition that an event mentions a word, and its parameters."""
    forms = [word]
    escaped = json.dumps(word)[1:-1]
    if escaped != word:
        forms.append(escaped)  # many senders write only ASCII
    patterns = ["%" + re.sub(r"([%_!])", r"!\1", form) + "%" for form in forms]
    places = ("record", "type", "reason", "CAST(body AS TEXT)")
    return (
        "(" + " OR ".join(f"{place} LIKE ? ESCAPE '!'" for place in places for _ in patterns) + ")",
        [pattern for _ in places for pattern in patterns],
    )


_REPLAYABLE = "outcome IN ('dead', 'applied', 'coalesced')"


def replayable(
    connection: sqlite3.Connection, which: EventFilter, limit: int, event_id: int | None, before: int | None
) -> list[int]:
    """Choose what to replay: the ids of the newest settled events, oldest first.

    A filter may have to look at very many events: that is for a reader, while the writer goes on.
    """
    where, parameters = _where(which)
    where.append(_REPLAYABLE)
    for condition, value in (("id = ?", event_id), ("id < ?", before)):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    chosen = connection.execute(
        f"SELECT id FROM events WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?", (*parameters, limit)
    ).fetchall()
    return sorted(id_ for (id_,) in chosen)


def count_replayable(connection: sqlite3.Connection, which: EventFilter) -> int:
    """Count what could be chosen."""
    where, parameters = _where(which)
    (count,) = connection.execute(
        f"SELECT count(*) FROM events WHERE {' AND '.join([*where, _REPLAYABLE])}", parameters
    ).fetchone()
    return int(count)


_ENTRY = """
SELECT source, table_name, record_id, data IS NOT NULL, changed_at, read_at, verified,
       (SELECT since FROM dirty WHERE record = source || ':' || table_name || ':' || record_id)
FROM copies
"""

_WAITING = """
SELECT record, since FROM dirty WHERE record > ?1 AND substr(record, 1, length(?2)) = ?2 AND (?3 IS NULL OR source = ?3)
ORDER BY record
"""


def records(connection: sqlite3.Connection, which: RecordFilter, after: RecordKey | None, limit: int) -> RecordPage:
    """List records by name."""
    find = _waiting_records if which.state == "waiting" else _copied_records
    found = find(connection, which, after, limit + 1)
    page = tuple(found[:limit])
    return RecordPage(page, page[-1].record if len(found) > limit else None)


def _copied_records(
    connection: sqlite3.Connection, which: RecordFilter, after: RecordKey | None, limit: int
) -> list[RecordEntry]:
    where, parameters = ["true"], []
    named = {"source": which.source, "table_name": which.table, "record_id": which.record_id}
    for column, value in named.items():
        if value is not None:
            where.append(f"{column} = ?")
            parameters.append(value)
    if which.state is not None:
        where.append("data IS NOT NULL" if which.state == "present" else "data IS NULL")
    if which.text is not None:
        where.append("(substr(record_id, 1, length(?)) = ? OR id IN (SELECT rowid FROM words WHERE words MATCH ?))")
        parameters += [which.text, which.text, copies.words_of(which.text) or '""']
    if after is not None:
        where.append("(source, table_name, record_id) > (?, ?, ?)")
        parameters += [after.source, after.table, after.id]
    return [
        _entry(row)
        for row in connection.execute(
            f"{_ENTRY} WHERE {' AND '.join(where)} ORDER BY source, table_name, record_id LIMIT ?", (*parameters, limit)
        )
    ]


def _waiting_records(
    connection: sqlite3.Connection, which: RecordFilter, after: RecordKey | None, limit: int
) -> list[RecordEntry]:
    """Go through the dirty records; there are no more than open events, and few that a filter leaves out."""
    found: list[RecordEntry] = []
    beginning = f"{which.source}:{which.table}:" if which.source and which.table else ""
    asked = ("" if after is None else str(after), beginning, which.source)
    for name, since in connection.execute(_WAITING, asked):
        record = RecordKey.parse(name)
        if which.record_id not in {None, record.id} or which.table not in {None, record.table}:
            continue
        if which.text is not None and not record.id.startswith(which.text):
            continue
        copied = connection.execute(
            f"{_ENTRY} WHERE source = ? AND table_name = ? AND record_id = ?", (record.source, record.table, record.id)
        ).fetchone()
        found.append(_entry(copied) if copied else RecordEntry(record=record, present=None, waiting_since=since))
        if len(found) == limit:
            break
    return found


def _entry(row: tuple[Any, ...]) -> RecordEntry:
    source, table, id_, present, changed_at, read_at, verified, waiting_since = row
    return RecordEntry(
        record=RecordKey(source, table, id_),
        present=bool(present),
        changed_at=changed_at,
        read_at=read_at,
        verified=bool(verified),
        waiting_since=waiting_since,
    )
