"""What operators list of the records on SQLite, by their last change, and the copies of what is listed.

Everything here only reads.  The order is the feed's.  Invariant: no page looks at more than ``LOOKED_AT`` changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookbridge.model import Copy, RecordKey
from hookbridge.store.listed import LOOKED_AT, beginnings
from hookbridge.store.sqlite import named
from hookbridge.store.sqlite.copies import one
from hookbridge.store.sqlite.engine import Role
from hookbridge.store.sqlite.readers import one_moment
from hookbridge.store.values import RecentPage, RecordEntry, RecordFilter
from hookbridge.store.where import Where

_CHANGES = """
SELECT seq, source, table_name, record_id, {meant} FROM feed CROSS JOIN copies ON copies.id = feed.record
WHERE seq < ? ORDER BY seq DESC LIMIT ?
"""
_NEWEST = "SELECT coalesce(max(seq), 0) + 1 FROM feed"
_WAITS = "EXISTS (SELECT 1 FROM dirty WHERE record = copies.source || ':' || table_name || ':' || record_id)"


def _recent(connection: sqlite3.Connection, which: RecordFilter, before: int | None, limit: int) -> RecentPage:
    with one_moment(connection):
        return _page(connection, which, before, limit)


def _page(connection: sqlite3.Connection, which: RecordFilter, before: int | None, limit: int) -> RecentPage:
    meant = _meant(connection, which)
    if before is None:
        (before,) = connection.execute(_NEWEST).fetchone()
    entries: list[RecordEntry] = []
    reached = last = before
    changes = connection.execute(_CHANGES.format(meant=meant), (*meant.parameters, before, LOOKED_AT))
    looked_at = 0
    for seq, source, table, id_, is_meant in changes:
        if is_meant:
            if len(entries) == limit:
                return RecentPage(tuple(entries), last)
            entries.append(named.entry(connection, RecordKey(source, table, id_)))
            last = seq
        looked_at, reached = looked_at + 1, seq
    return RecentPage(tuple(entries), reached if looked_at == LOOKED_AT else None)


def _meant(connection: sqlite3.Connection, which: RecordFilter) -> Where:
    where = Where()
    if which.state == "waiting":
        where.add(_WAITS)
    elif which.state is not None:
        where.add("data IS NOT NULL" if which.state == "present" else "data IS NULL")
    if which.source is not None:
        where.add("source = ?", which.source)
    if which.tables:
        names = beginnings(which)
        where.add(
            f"(source, table_name) IN (VALUES {', '.join(['(?, ?)'] * len(names))})",
            *(part for name in names for part in name),
        )
    if which.record_ids:
        where.add(f"record_id IN ({', '.join('?' * len(which.record_ids))})", *which.record_ids)
    if which.text is not None:
        named.add_text(connection, where, which.text)
    return where


def _several(connection: sqlite3.Connection, records: Sequence[RecordKey], bytes_max: int) -> dict[RecordKey, Copy]:
    found: dict[RecordKey, Copy] = {}
    size = 0
    for record in records:
        if size > bytes_max:
            break
        if (copy := one(connection, record)) is not None and copy.data is not None:
            found[record] = copy
            size += copy.size
    return found


class Recent(Role):
    """The records by their last change."""

    async def recent(self, which: RecordFilter, *, before: int | None, limit: int) -> RecentPage:
        """List records, the last change first."""
        listed = self._engine.browse if which.text is None else self._engine.search
        return await listed(lambda connection: _recent(connection, which, before, limit))

    async def several(self, records: Sequence[RecordKey], *, bytes_max: int) -> dict[RecordKey, Copy]:
        """Give copies with data, the first ones up to so many bytes."""
        return await self._engine.browse(lambda connection: _several(connection, records, bytes_max))
