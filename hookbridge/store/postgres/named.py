"""What operators list of the records on Postgres, by name: those with a copy, or those with open events.

Everything here only reads.  Pages go on behind the last name that was looked at (keyset).  Invariant: no page looks at
more than ``LOOKED_AT`` names of a table that it was asked for, whatever else is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hookbridge.model import RecordKey
from hookbridge.store.listed import LOOKED_AT, beginnings, names
from hookbridge.store.named import PLACE, behind, waiting
from hookbridge.store.ordinals import place
from hookbridge.store.postgres import words
from hookbridge.store.postgres.engine import Role
from hookbridge.store.postgres.texts import has_form
from hookbridge.store.postgres.where import numbered
from hookbridge.store.values import RecordEntry, RecordFilter, RecordPage
from hookbridge.store.where import Where
from hookbridge.text import parse

Listed = Callable[..., Awaitable[list[Any]]]

COLUMNS = "record, present, changed_at, read_at, verified, since"
_COPIES = f"""
SELECT {COLUMNS} FROM (
    SELECT *, data IS NOT NULL AS present FROM hookbridge.copies WHERE {{where}} ORDER BY {", ".join(PLACE)} LIMIT ?
) AS c
LEFT JOIN LATERAL (SELECT since FROM hookbridge.dirty AS k WHERE k.record = c.record OFFSET 0) AS d ON true
ORDER BY {", ".join(PLACE)}
"""
_DIRTY = f"""
SELECT {COLUMNS.replace("record", "d.record")} FROM (
    SELECT record, since FROM hookbridge.dirty WHERE {{where}} ORDER BY record LIMIT ?
) AS d
LEFT JOIN LATERAL (
    SELECT *, data IS NOT NULL AS present FROM hookbridge.copies AS k WHERE k.record = d.record OFFSET 0
) AS c ON true
ORDER BY d.record
"""

# The last name that a page may look at, and the one behind it.
_EDGE = "SELECT record FROM hookbridge.{table} WHERE {where} ORDER BY {order} LIMIT 2 OFFSET ?"

# From table to table, without the records between.
_TABLES = """
WITH RECURSIVE tables AS (
    (SELECT source, table_name FROM hookbridge.copies WHERE (source, table_name) >= ($1, $2)
     ORDER BY source, table_name LIMIT 1)
    UNION ALL
    SELECT n.source, n.table_name FROM tables AS t CROSS JOIN LATERAL (
        SELECT source, table_name FROM hookbridge.copies WHERE (source, table_name) > (t.source, t.table_name)
        ORDER BY source, table_name LIMIT 1
    ) AS n
)
SELECT source, table_name FROM tables WHERE $3::text IS NULL OR source = $3 LIMIT $4
"""


class Records(Role):
    """The records by name."""

    async def records(self, which: RecordFilter, *, after: RecordKey | None, limit: int) -> RecordPage:
        """List records by name."""
        listed = self._engine.browse if which.text is None else self._engine.search
        if which.state == "waiting":
            return await _waiting(listed, which, after, limit)
        if which.record_ids:
            return await _by_id(listed, which, after, limit)
        return await _copied(listed, which, after, limit)


class _Gathered:
    """A page, while it is gathered from one range of names after the other."""

    def __init__(self, listed: Listed, limit: int) -> None:
        self._listed = listed
        self._limit = limit
        self._entries: list[RecordEntry] = []

    async def add(self, select: str, where: Where) -> RecordPage | None:
        """Add what is found, until the page is full; then it is given."""
        wanted = self._limit + 1 - len(self._entries)
        rows = await self._listed(numbered(select.format(where=where)), *where.parameters, wanted)
        self._entries += map(entry, rows)
        if len(self._entries) <= self._limit:
            return None
        return RecordPage(tuple(self._entries[: self._limit]), self._entries[self._limit - 1].record)

    def page(self, last: RecordKey | None) -> RecordPage:
        """Give what there is; it goes on behind ``last``."""
        return RecordPage(tuple(self._entries), last)


def entry(row: Sequence[Any]) -> RecordEntry:
    """Make the struct of a row of ``COLUMNS``."""
    name, present, changed_at, read_at, verified, since = row
    return RecordEntry(
        record=RecordKey.parse(name),
        present=present,
        changed_at=changed_at,
        read_at=read_at,
        verified=verified,
        waiting_since=since,
    )


async def _edge(listed: Listed, table: str, order: str, where: Where) -> RecordKey | None:
    """Give the last name of a range that a page may look at; None where that is all of it."""
    edge = numbered(_EDGE.format(table=table, order=order, where=where))
    rows = await listed(edge, *where.parameters, LOOKED_AT - 1)
    return RecordKey.parse(rows[0][0]) if len(rows) > 1 else None


# Records with a copy


async def _copied(listed: Listed, which: RecordFilter, after: RecordKey | None, limit: int) -> RecordPage:
    gathered = _Gathered(listed, limit)
    meant = _meant(which)
    for beginning in beginnings(which):
        where = behind(beginning, after) if all(map(has_form, beginning)) else None
        if where is None:
            continue
        # Without a filter each name that is looked at is one of the page.
        edge = await _edge(listed, "copies", ", ".join(PLACE), where) if meant.parameters or which.state else None
        if edge is not None:
            where.add(f"({', '.join(PLACE)}) <= (?, ?, ?, ?)", *place(edge))
        where.add(str(meant), *meant.parameters)
        if (page := await gathered.add(_COPIES, where)) is not None:
            return page
        if edge is not None:
            return gathered.page(edge)
    return gathered.page(None)


def _meant(which: RecordFilter) -> Where:
    where = Where()
    if which.state is not None:
        where.add("data IS NOT NULL" if which.state == "present" else "data IS NULL")
    if which.text is not None:
        add_text(where, which.text, of="copies")
    return where


def add_text(where: Where, text: str, *, of: str) -> None:
    """Narrow to copies with these words, or with an id that begins so; ``of`` is the copies' name in the statement."""
    conditions = ["false"]
    parameters: list[object] = []
    if has_form(text):
        conditions, parameters = ["starts_with(record_id, ?)"], [text]
    if (asked := words.asked(parse(text))) is not None:
        conditions.append(
            f"EXISTS (SELECT FROM hookbridge.words AS w WHERE w.record = {of}.record"
            " AND w.lexemes @@ ?::text::tsquery AND w.tokens LIKE ALL (?::text[])"
            " AND NOT w.tokens LIKE ANY (?::text[]))"
        )
        parameters += asked.widest
    where.add(f"({' OR '.join(conditions)})", *parameters)


async def _by_id(listed: Listed, which: RecordFilter, after: RecordKey | None, limit: int) -> RecordPage:
    """Look the ids up in each table that is meant, or in each that there is."""
    tables = beginnings(which) if which.tables else await _copied_tables(listed, which, after)
    wanted = [RecordKey.parse(":".join((*table, id_))) for table in tables for id_ in which.record_ids]
    wanted = [record for record in wanted if (after is None or place(record) > place(after)) and has_form(str(record))]
    wanted.sort(key=place)
    where = _meant(which)
    where.add("record = ANY (?::text[])", [str(record) for record in wanted[:LOOKED_AT]])
    gathered = _Gathered(listed, limit)
    page = await gathered.add(_COPIES, where)
    return page or gathered.page(wanted[LOOKED_AT - 1] if len(wanted) > LOOKED_AT else None)


async def _copied_tables(listed: Listed, which: RecordFilter, after: RecordKey | None) -> list[tuple[str, ...]]:
    """Go from table to table; the cursor's own comes first."""
    reached = max((which.source or "", ""), ("", "") if after is None else (after.source, after.table))
    rows = await listed(_TABLES, *reached, which.source, LOOKED_AT)
    return [(source, table) for source, table in rows]


# Records with open events


async def _waiting(listed: Listed, which: RecordFilter, after: RecordKey | None, limit: int) -> RecordPage:
    gathered = _Gathered(listed, limit)
    meant = Where()
    if which.text is not None and not has_form(which.text):
        return gathered.page(None)
    if which.text is not None:
        meant.add("starts_with(hookbridge.id_of_1(record), ?)", which.text)
    if which.record_ids and not which.tables:
        meant.add("hookbridge.id_of_1(record) = ANY (?::text[])", [id_ for id_ in which.record_ids if has_form(id_)])
    for where in _waiting_ranges(which, after):
        edge = await _edge(listed, "dirty", "record", where) if meant.parameters else None
        if edge is not None:
            where.add("record <= ?", str(edge))
        where.add(str(meant), *meant.parameters)
        if (page := await gathered.add(_DIRTY, where)) is not None:
            return page
        if edge is not None:
            return gathered.page(edge)
    return gathered.page(None)


def _waiting_ranges(which: RecordFilter, after: RecordKey | None) -> list[Where]:
    """Give the ranges of names that are meant, in their order, behind the cursor."""
    if which.tables and which.record_ids:
        wanted = [name for name in names(which) if (after is None or name > str(after)) and has_form(name)]
        where = Where()
        where.add("record = ANY (?::text[])", wanted)
        return [where]
    return [where for beginning, where in waiting(which, after) if has_form(beginning)]
