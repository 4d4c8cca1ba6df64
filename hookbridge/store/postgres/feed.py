"""The feed on Postgres: the copies in the order of their last change, each once.

The places are given by the triggers of feed.sql, at the commit of whatever changes a copy: nothing can change without
one, and none becomes visible behind a later one.  What was read again and is as it was keeps its place.
"""

from __future__ import annotations

from hookbridge.model import RecordKey
from hookbridge.store.listed import LOOKED_AT
from hookbridge.store.postgres.engine import Role
from hookbridge.store.postgres.texts import has_form
from hookbridge.store.postgres.watch import Watch
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.values import EVERY_CHANGE, FEED_BYTES_MAX, LAST_PLACE, FeedEnds, FeedEntry, FeedFilter, FeedPage

ENDS = """
SELECT hookbridge.feed_id_1(), m.oldest, coalesce((SELECT max(f.seq) FROM hookbridge.feed AS f), 0)
FROM hookbridge.feed_mark AS m
"""

# How far a page looks: the last of so many changes.
_EDGE = "SELECT seq FROM hookbridge.feed WHERE seq > $1 ORDER BY seq LIMIT 1 OFFSET $2"

_COLUMNS = COPY_COLUMNS.removesuffix("content") + "CASE WHEN $8 THEN content END AS content"

# One statement, so that the page and the ends are of one moment; one change after the other, and its copy: the plan has
# no choice.
_CHANGES = f"""
SELECT ends.id, ends.oldest, ends.newest, page.* FROM ({ENDS}) AS ends (id, oldest, newest)
LEFT JOIN (
    SELECT *, count(*) OVER () AS number,
           sum(octet_length(data) + coalesce(octet_length(content), 0))
                 OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
        SELECT f.seq, coalesce(f.since, c.read_at) AS since, c.* FROM (
            SELECT seq, since, record AS changed FROM hookbridge.feed WHERE seq > $1 AND seq <= $2 ORDER BY seq
        ) AS f
        CROSS JOIN LATERAL (
            SELECT record, {_COLUMNS} FROM hookbridge.copies AS k
            WHERE k.record = f.changed AND (k.data IS NOT NULL OR f.seq > $7)
              AND ($5::text[] IS NULL OR k.source = ANY ($5) OR k.source || ':' || k.table_name = ANY ($6::text[]))
            OFFSET 0
        ) AS c
        ORDER BY f.seq LIMIT $3
    ) AS one
) AS page ON coalesce(page.before, 0) <= $4
ORDER BY page.seq
"""


_LAST = f"""
SELECT f.seq, coalesce(f.since, c.read_at), {COPY_COLUMNS}
FROM hookbridge.copies AS c JOIN hookbridge.feed AS f USING (record) WHERE record = $1
"""


class Feed(Role):
    """The copies by their last change."""

    _watch: Watch

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
        # Before the page is read: up to there nothing can come any more, because new places are larger.
        edge = await self._edge(after) if which.is_narrow else None
        asked = (after, LAST_PLACE if edge is None else edge, limit, bytes_max)
        rows = await self._engine.browse(_CHANGES, *asked, *_meant(which), contents)
        ends = FeedEnds(*tuple(rows[0])[:3])
        entries = tuple(
            FeedEntry(row["seq"], row["since"], copy_of(RecordKey.parse(row["record"]), tuple(row)[6:-2]))
            for row in rows
            if row["seq"] is not None
        )
        # Not all of them, where others did not come because of their bytes or of the limit.
        if entries and (len(entries) < rows[0]["number"] or len(entries) == limit):
            return FeedPage(entries, entries[-1].seq, ends)
        return FeedPage(entries, max(after, ends.newest if edge is None else edge), ends)

    async def last_change(self, record: RecordKey) -> FeedEntry | None:
        """Give a record's."""
        rows = await self._engine.read(_LAST, str(record))
        if not rows:
            return None
        seq, since, *columns = rows[0]
        return FeedEntry(seq, since, copy_of(record, columns))

    async def feed_ends(self) -> FeedEnds:
        """Say where it begins and ends."""
        (row,) = await self._engine.read(ENDS)
        return FeedEnds(*row)

    async def beyond(self, ends: FeedEnds) -> None:
        """Wait until the watch has seen it go on."""
        await self._watch.beyond(ends)

    async def _edge(self, after: int) -> int | None:
        """Give the last place that a page looks at; None where that is the end."""
        rows = await self._engine.browse(_EDGE, after, LOOKED_AT - 1)
        return int(rows[0][0]) if rows else None


def _meant(which: FeedFilter) -> tuple[list[str] | None, list[str], int]:
    tables = [":".join(table) for table in which.tables]
    sources: list[str] | None = [*which.sources] if which.sources or which.tables else None
    return sources, [one for one in tables if has_form(one)], which.present_until
