"""The feed on Postgres: the copies in the order of their last change, each once.

The places are given by the triggers of feed.sql, at the commit of whatever changes a copy: nothing can change without
one, and none becomes visible behind a later one.  What was read again and is as it was keeps its place.
"""

from __future__ import annotations

from hookbridge.model import RecordKey
from hookbridge.store.postgres.engine import Role
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.values import FeedEntry, FeedPage

# One statement, so that the page and the newest place are of one moment.
_CHANGES = f"""
SELECT newest.seq, one.seq, c.* FROM (SELECT coalesce(max(seq), 0) AS seq FROM hookbridge.feed) AS newest
LEFT JOIN LATERAL (
    SELECT f.seq, f.record FROM hookbridge.feed AS f WHERE f.seq > $1 ORDER BY f.seq LIMIT $2
) AS one ON true
LEFT JOIN LATERAL (
    SELECT c.record, {COPY_COLUMNS} FROM hookbridge.copies AS c WHERE c.record = one.record OFFSET 0
) AS c ON true
ORDER BY one.seq
"""


class Feed(Role):
    """The copies by their last change."""

    async def feed(self, *, after: int, limit: int) -> FeedPage:
        """Give what changed behind a place."""
        rows = await self._engine.browse(_CHANGES, after, limit)
        entries = tuple(
            FeedEntry(row[1], copy_of(RecordKey.parse(row[2]), tuple(row)[3:])) for row in rows if row[1] is not None
        )
        return FeedPage(entries, rows[0][0])
