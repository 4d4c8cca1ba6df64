"""What operators list of the records on Postgres, by their last change, and the copies of what is listed.

Everything here only reads.  The order is the feed's.  Invariant: no page looks at more than ``LOOKED_AT`` changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from hookbridge.model import Copy, RecordKey
from hookbridge.store.listed import LOOKED_AT, beginnings
from hookbridge.store.postgres import named
from hookbridge.store.postgres.engine import Role
from hookbridge.store.postgres.texts import has_form
from hookbridge.store.postgres.where import numbered
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.values import LAST_PLACE, RecentPage, RecordFilter
from hookbridge.store.where import Where

# How far a page looks: where there are more changes behind these, the last of these.
_EDGE = "SELECT seq FROM hookbridge.feed WHERE seq < $1 ORDER BY seq DESC LIMIT 2 OFFSET $2"

# One change after the other, and its copy: the plan has no choice.
_CHANGES = f"""
SELECT {named.COLUMNS.replace("record", "c.record")}, seq FROM (
    SELECT seq, record AS changed FROM hookbridge.feed WHERE seq < ? AND seq >= ? ORDER BY seq DESC
) AS f
CROSS JOIN LATERAL (
    SELECT *, data IS NOT NULL AS present FROM hookbridge.copies AS k WHERE k.record = f.changed OFFSET 0
) AS c
LEFT JOIN LATERAL (SELECT since FROM hookbridge.dirty AS k WHERE k.record = f.changed OFFSET 0) AS d ON true
WHERE {{meant}} ORDER BY seq DESC LIMIT ?
"""

_SEVERAL = f"""
SELECT record, {COPY_COLUMNS} FROM (
    SELECT c.*, sum(octet_length(c.data) + coalesce(octet_length(c.content), 0))
                    OVER (ORDER BY one.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM unnest($1::text[]) WITH ORDINALITY AS one (name, n)
    CROSS JOIN LATERAL (
        SELECT * FROM hookbridge.copies AS k WHERE k.record = one.name AND k.data IS NOT NULL OFFSET 0
    ) AS c
) AS page
WHERE coalesce(before, 0) <= $2
"""


def _meant(which: RecordFilter) -> Where:
    where = Where()
    if which.state == "waiting":
        where.add("since IS NOT NULL")
    elif which.state is not None:
        where.add("present" if which.state == "present" else "NOT present")
    if which.source is not None:
        where.add("source = ?", which.source)
    if which.tables:
        names = [":".join(table) for table in beginnings(which)]
        where.add("source || ':' || table_name = ANY (?::text[])", [name for name in names if has_form(name)])
    if which.record_ids:
        where.add("record_id = ANY (?::text[])", [id_ for id_ in which.record_ids if has_form(id_)])
    if which.text is not None:
        named.add_text(where, which.text, of="c")
    return where


class Recent(Role):
    """The records by their last change."""

    async def recent(self, which: RecordFilter, *, before: int | None, limit: int) -> RecentPage:
        """List records, the last change first."""
        listed = self._engine.browse if which.text is None else self._engine.search
        before = LAST_PLACE if before is None else before
        behind = await listed(_EDGE, before, LOOKED_AT - 1)
        edge = behind[0][0] if len(behind) > 1 else None
        meant = _meant(which)
        changes = numbered(_CHANGES.format(meant=meant))
        rows = await listed(changes, before, edge or 0, *meant.parameters, limit + 1)
        entries = tuple(named.entry(tuple(row)[:-1]) for row in rows[:limit])
        return RecentPage(entries, rows[limit - 1][-1] if len(rows) > limit else edge)

    async def several(self, records: Sequence[RecordKey], *, bytes_max: int) -> dict[RecordKey, Copy]:
        """Give copies with data, the first ones up to so many bytes."""
        rows = await self._engine.browse(_SEVERAL, list(map(str, records)), bytes_max)
        return {(key := RecordKey.parse(row[0])): copy_of(key, tuple(row)[1:]) for row in rows}
