"""What operators list of the records on SQLite, by name: those with a copy, or those with open events.

Everything here only reads.  Pages go on behind the last name that was looked at (keyset).  Invariant: no page looks at
more than ``LOOKED_AT`` names, whatever is asked.  Of a search for words the index reads its list of each, some
bytes a record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from msgspec.structs import astuple

from hookbridge.model import RecordKey, SourceName
from hookbridge.store.listed import LOOKED_AT, beginnings, names
from hookbridge.store.named import PLACE, behind, waiting
from hookbridge.store.ordinals import place
from hookbridge.store.sqlite import words
from hookbridge.store.sqlite.engine import Role
from hookbridge.store.values import RecordEntry, RecordFilter, RecordPage
from hookbridge.store.where import Where
from hookbridge.text import parse

Candidates = Iterator[tuple[RecordKey, bool]]
"""Names in their order, and whether each is one that is meant."""

_ONE = "source = ? AND table_name = ? AND record_id = ?"
_NEXT_TABLE = (
    "SELECT source, table_name FROM copies WHERE (source, table_name) > (?, ?) ORDER BY source, table_name LIMIT 1"
)


def _records(connection: sqlite3.Connection, which: RecordFilter, after: RecordKey | None, limit: int) -> RecordPage:
    """List records by name."""
    candidates = _waiting if which.state == "waiting" else _by_id if which.record_ids else _copied
    entries: list[RecordEntry] = []
    last = after
    for number, (record, is_meant) in enumerate(candidates(connection, which, after)):
        if number == LOOKED_AT:
            return RecordPage(tuple(entries), last)
        if is_meant:
            if len(entries) == limit:
                return RecordPage(tuple(entries), entries[-1].record)
            entries.append(entry(connection, record))
        last = record
    return RecordPage(tuple(entries), None)


def entry(connection: sqlite3.Connection, record: RecordKey) -> RecordEntry:
    """Give what is known of a record."""
    copied = connection.execute(
        f"SELECT data IS NOT NULL, changed_at, read_at, verified FROM copies WHERE {_ONE}", astuple(record)
    ).fetchone()
    dirty = connection.execute("SELECT since FROM dirty WHERE record = ?", (str(record),)).fetchone()
    present, changed_at, read_at, verified = copied or (None, None, None, None)
    return RecordEntry(
        record=record,
        present=None if present is None else bool(present),
        changed_at=changed_at,
        read_at=read_at,
        verified=None if verified is None else bool(verified),
        waiting_since=dirty[0] if dirty else None,
    )


# Records with a copy


def _copied(connection: sqlite3.Connection, which: RecordFilter, after: RecordKey | None) -> Candidates:
    meant = _meant(connection, which)
    for beginning in beginnings(which):
        where = behind(beginning, after)
        if where is not None:
            yield from (
                (RecordKey(source, table, id_), bool(is_meant))
                for source, table, id_, is_meant in connection.execute(
                    f"SELECT source, table_name, record_id, {meant} FROM copies WHERE {where}"
                    f" ORDER BY {', '.join(PLACE)}",
                    (*meant.parameters, *where.parameters),
                )
            )


def _meant(connection: sqlite3.Connection, which: RecordFilter) -> Where:
    where = Where()
    if which.state is not None:
        where.add("data IS NOT NULL" if which.state == "present" else "data IS NULL")
    if which.text is not None:
        add_text(connection, where, which.text)
    return where


def add_text(connection: sqlite3.Connection, where: Where, text: str) -> None:
    """Narrow to copies with these words, or with an id that begins so."""
    begins, mentions = (
        "substr(record_id, 1, length(?)) = ?",
        "words IN (SELECT rowid FROM words WHERE words MATCH ?)",
    )
    asked = words.Expression(connection, parse(text)).texts
    where.add(f"({begins} OR {mentions})", text, text, asked[-1] if asked else '""')


def _by_id(connection: sqlite3.Connection, which: RecordFilter, after: RecordKey | None) -> Candidates:
    """Look the ids up in each table that is meant, or in each that there is."""
    meant = _meant(connection, which)
    tables = beginnings(which) if which.tables else _copied_tables(connection, which.source, after)
    for source, table in tables:
        wanted = (RecordKey.parse(f"{source}:{table}:{id_}") for id_ in which.record_ids)
        for record in sorted(wanted, key=place):
            if after is None or place(record) > place(after):
                found = connection.execute(
                    f"SELECT 1 FROM copies WHERE {_ONE} AND {meant}", (*astuple(record), *meant.parameters)
                )
                yield record, found.fetchone() is not None


def _copied_tables(
    connection: sqlite3.Connection, source: SourceName | None, after: RecordKey | None
) -> Iterator[tuple[str, str]]:
    """Go from table to table, without the records between; the cursor's own comes first."""
    reached: tuple[str, str] = (source or "", "")
    if after is not None and (after.source, after.table) > reached:
        reached = (after.source, after.table)
        if source in {None, after.source}:
            yield reached
    while found := connection.execute(_NEXT_TABLE, reached).fetchone():
        reached = found
        if source not in {None, reached[0]}:
            return
        yield reached


# Records with open events


def _waiting(connection: sqlite3.Connection, which: RecordFilter, after: RecordKey | None) -> Candidates:
    if which.tables and which.record_ids:
        for name in names(which):
            if after is None or name > str(after):
                found = connection.execute("SELECT 1 FROM dirty WHERE record = ?", (name,)).fetchone()
                record = RecordKey.parse(name)
                yield record, found is not None and record.id.startswith(which.text or "")
        return
    for _, where in waiting(which, after):
        for (name,) in connection.execute(f"SELECT record FROM dirty WHERE {where} ORDER BY record", where.parameters):
            record = RecordKey.parse(name)
            is_meant = not which.record_ids or record.id in which.record_ids
            yield record, is_meant and record.id.startswith(which.text or "")


class Records(Role):
    """The records by name."""

    async def records(self, which: RecordFilter, *, after: RecordKey | None, limit: int) -> RecordPage:
        """List records by name."""
        listed = self._engine.browse if which.text is None else self._engine.search
        return await listed(lambda connection: _records(connection, which, after, limit))
