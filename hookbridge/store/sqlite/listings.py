"""What operators list of the inbox on SQLite: events by filters, a page at a time, and what a replay would choose.

Everything here only reads.  Pages go on behind the last event shown (keyset), so a page costs the same wherever it is.
Invariant: no page looks at more than ``LOOKED_AT`` events, whatever is asked: events have few indexes, because each
one costs every commit, so most filters look at one event after the other.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

import msgspec

from hookbridge.model import Outcome
from hookbridge.store.listed import (
    DEAD,
    DEAD_GROUPS,
    EVERYTHING,
    GROUPS_MAX,
    LOOKED_AT,
    TABLES_MAX,
    WORDS_MAX,
    beginnings,
    cut,
    dead_groups,
    names,
    spellings,
)
from hookbridge.store.reasons import kind
from hookbridge.store.rows import EVENT_COLUMNS, stored_event
from hookbridge.store.sqlite.events import next_id
from hookbridge.store.values import DeadGroups, EventFilter, EventIds, EventPage
from hookbridge.store.where import Where

_OF_IDS = "id IN (SELECT value FROM json_each(?))"
_OF_DIRTY_RECORDS = """id IN (
    WITH RECURSIVE open (id) AS (
        SELECT head FROM dirty WHERE {of_records}
        UNION ALL
        SELECT events.previous FROM open JOIN events USING (id) WHERE events.previous IS NOT NULL
    )
    SELECT id FROM open
)"""
_REPLAYABLE = "outcome IN ('dead', 'applied', 'coalesced')"
# What stands before the second colon of a record's name.
_OF_TABLE = "substr(record, 1, instr(record, ':') + instr(substr(record, instr(record, ':') + 1), ':') - 1)"
_DEAD_BY_TABLE = f"""
    SELECT reason_kind(reason) AS kind, {_OF_TABLE} AS of_table, count(*) AS number, max(id) AS newest,
           min(settled_at) AS first_at, max(settled_at) AS last_at
    FROM events WHERE {{where}} GROUP BY kind, of_table
"""
_LAST_REASON = "SELECT coalesce(reason, '') FROM events WHERE id = last_one"


def events(connection: sqlite3.Connection, which: EventFilter, before: int | None, limit: int) -> EventPage:
    """List events, newest first."""
    horizon = next_id(connection) - 1  # before the page: what comes between them is above it
    # Without a filter, and from the index of dead letters, each row that is looked at is one of the page.
    whole = which in (EVERYTHING, DEAD)
    found, cursor = _page(connection, f"SELECT {EVENT_COLUMNS}", which, _where(which), before, limit, bounded=not whole)
    return EventPage(tuple(map(stored_event, found)), cursor, horizon)


def replayable(connection: sqlite3.Connection, which: EventFilter, before: int | None, limit: int) -> EventIds:
    """Choose what to replay, a page at a time: ids of settled events, newest first, and where it goes on."""
    where = _where(which)
    where.add(_REPLAYABLE)
    found, cursor = _page(connection, "SELECT id", which, where, before, limit, bounded=which != DEAD)
    return EventIds(tuple(id_ for (id_,) in found), cursor)


def dead_letters(connection: sqlite3.Connection, which: EventFilter) -> DeadGroups:
    """Gather dead letters by the kinds of their reasons."""
    which = msgspec.structs.replace(which, outcome=Outcome.DEAD)
    where = _where(which)
    end = None
    if which.ids is not None:
        where.add(_OF_IDS, json.dumps(which.ids))
    else:
        end = _end(connection, which, next_id(connection))
        where.add("id >= ?", end or 0)
    query = DEAD_GROUPS.format(by_table=_DEAD_BY_TABLE.format(where=where), reason=_LAST_REASON)
    found = connection.execute(query, (*where.parameters, GROUPS_MAX + 1, TABLES_MAX)).fetchall()
    return dead_groups(found, whole=end is None)


def _page(
    connection: sqlite3.Connection,
    select: str,
    which: EventFilter,
    where: Where,
    before: int | None,
    limit: int,
    *,
    bounded: bool,
) -> tuple[list[tuple[Any, ...]], int | None]:
    """Give rows that begin with the event's id, and the cursor of the next page (None on the last one)."""
    behind = next_id(connection)
    before = behind if before is None else min(before, behind)
    where.add("id < ?", before)
    end = None
    if which.ids is not None:
        where.add(_OF_IDS, json.dumps(which.ids))
    elif which.open and _open_events(connection) <= LOOKED_AT:
        of_records = _of_records(which)
        where.add(_OF_DIRTY_RECORDS.format(of_records=of_records), *of_records.parameters)
    elif bounded:
        end = _end(connection, which, before)
        where.add("id >= ?", end or 0)
    found = connection.execute(
        f"{select} FROM events WHERE {where} ORDER BY id DESC LIMIT ?", (*where.parameters, limit + 1)
    ).fetchall()
    return cut(found, limit, end)


def _open_events(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT value FROM counters WHERE name = 'open'").fetchone()
    return int(found[0]) if found else 0


def _end(connection: sqlite3.Connection, which: EventFilter, before: int) -> int | None:
    """Give the last event that a page may look at; None when that is the oldest one there is.

    Where dead letters were kept there are gaps among the ids, so this is one more than the next older event's.
    """
    if which.outcome is Outcome.DEAD:
        older = "outcome = 'dead' AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?"
        found = connection.execute(f"SELECT id FROM events WHERE {older}", (before, LOOKED_AT)).fetchone()
    else:
        older = "id < ? ORDER BY id DESC LIMIT 1"
        found = connection.execute(f"SELECT id FROM events WHERE {older}", (before - LOOKED_AT,)).fetchone()
    return None if found is None else found[0] + 1


def _where(which: EventFilter) -> Where:
    where = _of_records(which)
    for column, value in (("type", which.type), ("origin", which.origin)):
        if value is not None:
            where.add(f"{column} = ?", value)
    if which.outcome is not None:
        # Spelled out, so that the partial index of dead letters can serve it.
        where.add(f"outcome = '{which.outcome.value}'")
    if which.open is not None:
        where.add("outcome IS NULL" if which.open else "outcome IS NOT NULL")
    if which.reason is not None:
        where.add("reason_kind(reason) = ?", kind(which.reason))
    if which.since is not None:
        where.add("received_at >= ?", which.since)
    if which.until is not None:
        where.add("received_at < ?", which.until)
    for word in (which.text or "").split()[:WORDS_MAX]:
        found, patterns = _mentions(word)
        where.add(found, *patterns)
    return where


def _of_records(which: EventFilter) -> Where:
    """Narrow to the records that are meant; good for every table with the columns ``source`` and ``record``."""
    where = Where()
    if which.source is not None:
        where.add("source = ?", which.source)
    if which.tables and which.record_ids:
        named = names(which)
        where.add(f"record IN ({', '.join('?' * len(named))})", *named)
    elif which.tables:
        begin = [f"{':'.join(table)}:" for table in beginnings(which)]
        begins = " OR ".join("substr(record, 1, length(?)) = ?" for _ in begin)
        where.add(f"({begins})", *(one for beginning in begin for one in (beginning, beginning)))
    elif which.record_ids:
        # What stands behind the second colon.
        behind_first = "substr(record, instr(record, ':') + 1)"
        behind_second = f"substr({behind_first}, instr({behind_first}, ':') + 1)"
        where.add(f"{behind_second} IN ({', '.join('?' * len(which.record_ids))})", *which.record_ids)
    return where


def _mentions(word: str) -> tuple[str, list[str]]:
    """Give the condition that an event mentions a word, and its parameters."""
    patterns = ["%" + re.sub(r"([%_!])", r"!\1", form) + "%" for form in spellings(word)]
    places = ("record", "type", "reason", "CAST(body AS TEXT)")
    return (
        "(" + " OR ".join(f"{place} LIKE ? ESCAPE '!'" for place in places for _ in patterns) + ")",
        [pattern for _ in places for pattern in patterns],
    )
