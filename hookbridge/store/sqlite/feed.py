"""The feed on SQLite: the copies in the order of their last change, each once.

The places are given by the triggers of step 0009, in the statement that changes a copy: whichever way it came, nothing
can change without one.  What was read again and is as it was keeps its place.
"""

from __future__ import annotations

import sqlite3

from hookbridge.model import RecordKey
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.sqlite.engine import Role
from hookbridge.store.sqlite.readers import one_moment
from hookbridge.store.values import FeedEntry, FeedPage

CHANGES = f"""
SELECT seq, source, table_name, record_id, {COPY_COLUMNS} FROM feed JOIN copies ON copies.id = feed.record
WHERE seq > ? ORDER BY seq LIMIT ?
"""


class Feed(Role):
    """The copies by their last change."""

    async def feed(self, *, after: int, limit: int) -> FeedPage:
        """Give what changed behind a place."""
        return await self._engine.browse(lambda connection: _page(connection, after, limit))


def _page(connection: sqlite3.Connection, after: int, limit: int) -> FeedPage:
    with one_moment(connection):
        found = connection.execute(CHANGES, (after, limit)).fetchall()
        (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM feed").fetchone()
    entries = tuple(
        FeedEntry(seq, copy_of(RecordKey(source, table, id_), columns)) for seq, source, table, id_, *columns in found
    )
    return FeedPage(entries, newest)
