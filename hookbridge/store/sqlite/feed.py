"""The feed on SQLite: the copies in the order of their last change, each once.

The places are given by the triggers of steps 0015 and 0016, in the statement that changes a copy: whichever way
it came, nothing can change without one.  What was read again and is as it was keeps its place.
"""

from __future__ import annotations

import sqlite3

import msgspec

from hookbridge.model import RecordKey
from hookbridge.store.listed import LOOKED_AT
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.sqlite.engine import Role
from hookbridge.store.sqlite.readers import one_moment
from hookbridge.store.values import EVERY_CHANGE, FEED_BYTES_MAX, FeedEnds, FeedEntry, FeedFilter, FeedPage
from hookbridge.store.where import Where

_ENDS = "SELECT id, oldest, (SELECT coalesce(max(seq), 0) FROM feed) FROM feed_mark"

# How far a page looks: the last of so many changes.
_EDGE = "SELECT seq FROM feed WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET ?"

_CHANGES = """
SELECT seq, coalesce(since, read_at), source, table_name, record_id, {columns}
FROM feed CROSS JOIN copies ON copies.id = feed.record
WHERE seq > ? AND seq <= ? AND {meant} ORDER BY seq
"""

_LAST = f"""
SELECT seq, coalesce(since, read_at), {COPY_COLUMNS} FROM copies CROSS JOIN feed ON feed.record = copies.id
WHERE source = ? AND table_name = ? AND record_id = ?
"""

_WITHOUT_CONTENT = COPY_COLUMNS.removesuffix("content") + "NULL"


class Feed(Role):
    """The copies by their last change."""

    async def feed(
        self,
        which: FeedFilter = EVERY_CHANGE,
        *,
        after: int,
        limit: int,
        bytes_max: int = FEED_BYTES_MAX,
        contents: bool = True,
    ) -> FeedPage:
        """Give what changed behind a place."""
        columns = COPY_COLUMNS if contents else _WITHOUT_CONTENT
        meant = _meant(which)
        changes = _CHANGES.format(columns=columns, meant=meant)

        def page(connection: sqlite3.Connection) -> FeedPage:
            with one_moment(connection):
                ends = feed_ends(connection)
                edge = _edge(connection, after, ends) if which.is_narrow else ends.newest
                rows = connection.execute(changes, (after, edge, *meant.parameters))
                return _page(rows, ends, limit, bytes_max, edge=max(after, edge))

        return await self._engine.browse(page)

    async def last_change(self, record: RecordKey) -> FeedEntry | None:
        """Give a record's."""
        return await self._engine.read(lambda connection: _last_change(connection, record))

    async def feed_ends(self) -> FeedEnds:
        """Say where it begins and ends."""
        return await self._engine.read(feed_ends)

    async def beyond(self, ends: FeedEnds) -> None:
        """Wait for a commit that changes a copy."""
        await self._engine.followers.beyond(ends)


def feed_ends(connection: sqlite3.Connection) -> FeedEnds:
    """Say where it begins and ends."""
    return FeedEnds(*connection.execute(_ENDS).fetchone())


def _last_change(connection: sqlite3.Connection, record: RecordKey) -> FeedEntry | None:
    row = connection.execute(_LAST, (record.source, record.table, record.id)).fetchone()
    return None if row is None else FeedEntry(row[0], row[1], copy_of(record, row[2:]))


def _edge(connection: sqlite3.Connection, after: int, ends: FeedEnds) -> int:
    row = connection.execute(_EDGE, (after, LOOKED_AT - 1)).fetchone()
    return ends.newest if row is None else int(row[0])


def _page(rows: sqlite3.Cursor, ends: FeedEnds, limit: int, bytes_max: int, *, edge: int) -> FeedPage:
    entries: list[FeedEntry] = []
    size = 0
    for seq, since, source, table, id_, *columns in rows:
        entries.append(FeedEntry(seq, since, copy_of(RecordKey(source, table, id_), columns)))
        size += entries[-1].copy.size
        if len(entries) == limit or size > bytes_max:
            return FeedPage(tuple(entries), seq, ends)
    return FeedPage(tuple(entries), edge, ends)


def _meant(which: FeedFilter) -> Where:
    where = Where()
    if which.sources or which.tables:
        where.add(
            "(source IN (SELECT value FROM json_each(?)) OR (source, table_name) IN"
            " (SELECT value ->> 0, value ->> 1 FROM json_each(?)))",
            *(msgspec.json.encode(one).decode() for one in (which.sources, which.tables)),
        )
    if which.present_until:
        where.add("(data IS NOT NULL OR seq > ?)", which.present_until)
    return where
