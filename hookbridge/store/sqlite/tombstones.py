"""What is remembered of records that are gone, on SQLite, until retention forgets it."""

from __future__ import annotations

import sqlite3

from hookbridge.store.sqlite.engine import Role
from hookbridge.store.sqlite.readers import one_moment
from hookbridge.store.values import LAST_PLACE, TOMBSTONES_LOOKED_AT, Span

# But for the newest change: the feed counts its places from there.
_FORGET = """
DELETE FROM copies WHERE id IN (
    SELECT old.id FROM (
        SELECT id FROM copies WHERE data IS NULL AND read_at >= ? AND read_at < ? ORDER BY read_at LIMIT ?
    ) AS old
    CROSS JOIN feed ON feed.record = old.id
    WHERE feed.seq <= ? AND feed.seq < (SELECT max(seq) FROM feed) LIMIT ?
)
"""
_OLD = "SELECT count(*) FROM copies WHERE data IS NULL AND read_at >= ? AND read_at < ?"
_OLD_PLACE = """
SELECT feed.seq FROM copies CROSS JOIN feed ON feed.record = copies.id
WHERE data IS NULL AND read_at >= ? AND read_at < ? ORDER BY feed.seq LIMIT 1 OFFSET ?
"""


def _too_many_tombstones(connection: sqlite3.Connection, when: Span, most: int) -> int | None:
    with one_moment(connection):
        (number,) = connection.execute(_OLD, (when.start, when.end)).fetchone()
        if number <= most:
            return None
        (place,) = connection.execute(_OLD_PLACE, (when.start, when.end, number - most - 1)).fetchone()
        return int(place)


class Tombstones(Role):
    """The absences among the copies."""

    async def remove_tombstones(self, when: Span, limit: int, *, passed: int = LAST_PLACE) -> int:
        """Forget old absences."""
        asked = (when.start, when.end, TOMBSTONES_LOOKED_AT, passed, limit)
        return await self._engine.call(lambda transaction: transaction.connection.execute(_FORGET, asked).rowcount)

    async def too_many_tombstones(self, when: Span, most: int) -> int | None:
        """Give the place up to which there are too many old absences."""
        return await self._engine.browse(lambda connection: _too_many_tombstones(connection, when, most))
