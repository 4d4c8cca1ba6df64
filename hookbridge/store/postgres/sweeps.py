"""What the reconciler asks of Postgres: how records stand, what a sweep has met, which findings were announced.

Where several nodes write, an event with a smaller id may be committed later than one with a larger one.  So the moment
of a comparison is a snapshot: what could not be seen in it came later, whatever its id is.
"""

from __future__ import annotations

from collections.abc import Sequence

from hookbridge.model import Copy, Document, RecordKey, SourceName
from hookbridge.store.nodes import Lead
from hookbridge.store.postgres import copies
from hookbridge.store.postgres.engine import Role
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.values import Announcement, ContentCounts, Standing, Standings, Unmet

_STANDINGS = """
SELECT m.moment, one.id, c.ticket IS NOT NULL, c.present, c.fingerprint, c.changed_at, c.ticket, c.verified,
       d.record IS NOT NULL, d.generation <> 0 AND d.available_at > hookbridge.now_1($4)
FROM (SELECT hookbridge.horizon_1($4) || '/' || pg_current_snapshot()::text AS moment) AS m
LEFT JOIN unnest($3::text[]) AS one (id) ON true
LEFT JOIN LATERAL (
    SELECT k.ticket, k.data IS NOT NULL AS present, k.fingerprint, k.changed_at, k.verified
    FROM hookbridge.copies AS k WHERE k.source = $1 AND k.table_name = $2 AND k.record_id = one.id OFFSET 0
) AS c ON true
LEFT JOIN LATERAL (
    SELECT k.record, k.generation, k.available_at
    FROM hookbridge.dirty AS k WHERE k.record = $1 || ':' || $2 || ':' || one.id OFFSET 0
) AS d ON true
"""

_UNMET = """
FROM hookbridge.copies AS c WHERE source = $1 AND table_name = $2 AND data IS NOT NULL AND ticket < $3
AND ($4::text IS NULL OR record_id > $4)
AND NOT EXISTS (SELECT FROM hookbridge.met AS m WHERE m.sweep = $3 AND m.record_id = c.record_id)
"""

_UNMET = f"""
SELECT (SELECT count(*) FROM hookbridge.copies WHERE source = $1 AND table_name = $2 AND data IS NOT NULL),
       (SELECT count(*) {_UNMET}), ARRAY(SELECT record_id {_UNMET} ORDER BY record_id LIMIT $5)
"""

_WANTING = f"""
SELECT record_id, {COPY_COLUMNS} FROM hookbridge.copies
WHERE source = $1 AND table_name = $2 AND data IS NOT NULL AND content IS NULL AND ($3::text IS NULL OR record_id > $3)
ORDER BY record_id LIMIT $4
"""

_CONTENTS = """
SELECT count(*) - count(content), count(*)
FROM hookbridge.copies WHERE source = $1 AND table_name = $2 AND data IS NOT NULL
"""

# From sweep to sweep, without the rows between.
_FORGET = """
WITH RECURSIVE sweeps (sweep) AS (
    SELECT min(sweep) FROM hookbridge.met
    UNION ALL
    SELECT (SELECT min(m.sweep) FROM hookbridge.met AS m WHERE m.sweep > s.sweep) FROM sweeps AS s
    WHERE s.sweep IS NOT NULL
), old AS (
    SELECT m.sweep, m.record_id FROM sweeps AS s
    CROSS JOIN LATERAL (SELECT * FROM hookbridge.met AS k WHERE k.sweep = s.sweep OFFSET 0) AS m
    WHERE {chosen} LIMIT {limit}
), gone AS (
    DELETE FROM hookbridge.met AS m USING old WHERE m.sweep = old.sweep AND m.record_id = old.record_id RETURNING 1
)
SELECT count(*) FROM gone
"""
_FORGET_ONE = _FORGET.format(chosen="s.sweep = $1", limit="$2")
_FORGET_OTHERS = _FORGET.format(chosen="s.sweep < $1 AND s.sweep <> ALL ($2::bigint[])", limit="$3")


class Sweeps(Role):
    """What the reconciler compares and remembers."""

    async def standings(self, source: SourceName, table: str, ids: Sequence[str]) -> Standings:
        """Say how records stand."""
        ticket = await self._engine.ticket()
        rows = await self._engine.read(_STANDINGS, source, table, list(ids), self._engine.moment)
        by_id = {
            id_: Standing(
                known=known,
                present=bool(present),
                fingerprint=fingerprint or b"",
                changed_at=changed_at,
                ticket=read or 0,
                verified=bool(verified),
                dirty=dirty,
                claimed=bool(claimed),
            )
            for _, id_, known, present, fingerprint, changed_at, read, verified, dirty, claimed in rows
            if id_ is not None
        }
        return Standings(by_id, rows[0][0], ticket)

    async def load(
        self, read: Sequence[tuple[Copy, Document | None]], *, exclusive: bool, lead: Lead | None = None
    ) -> None:
        """Write many copies."""
        await self._led("load_1", lead, *copies.outside(read, exclusive=exclusive))

    async def met(self, sweep: int, ids: Sequence[str]) -> frozenset[str]:
        """Say what a sweep has met before."""
        query = "SELECT record_id FROM hookbridge.met WHERE sweep = $1 AND record_id = ANY ($2::text[])"
        return frozenset(id_ for (id_,) in await self._engine.read(query, sweep, list(ids)))

    async def meet(
        self, sweep: int, ids: Sequence[str], *, note: tuple[str, str] | None = None, lead: Lead | None = None
    ) -> None:
        """Note what a sweep has met, and where it is."""
        await self._led("meet_1", lead, sweep, list(ids), *(note or (None, None)))

    async def unmet(self, source: SourceName, table: str, sweep: int, *, after: str | None = None, limit: int) -> Unmet:
        """Find what a sweep has not met."""
        ((copied, count, ids),) = await self._engine.browse(_UNMET, source, table, sweep, after, limit)
        return Unmet(tuple(RecordKey(source, table, id_) for id_ in ids), count, copied)

    async def wanting(
        self, source: SourceName, table: str, *, after: str | None = None, limit: int
    ) -> tuple[Copy, ...]:
        """Find copies without content."""
        rows = map(tuple, await self._engine.browse(_WANTING, source, table, after, limit))
        return tuple(copy_of(RecordKey(source, table, row[0]), row[1:]) for row in rows)

    async def content_counts(self, source: SourceName, table: str) -> ContentCounts:
        """Count them."""
        ((wanting, copied),) = await self._engine.browse(_CONTENTS, source, table)
        return ContentCounts(wanting, copied)

    async def forget_sweeps(
        self, *, only: int | None = None, before: int = 0, keep: Sequence[int] = (), limit: int
    ) -> int:
        """Forget what sweeps have met."""
        if only is None:
            ((removed,),) = await self._engine.write(_FORGET_OTHERS, before, list(keep), limit)
        else:
            ((removed,),) = await self._engine.write(_FORGET_ONE, only, limit)
        return int(removed)

    async def note_findings(
        self, records: Sequence[RecordKey], standings: Standings, *, lead: Lead | None = None
    ) -> None:
        """Remember differences."""
        await self._led("note_findings_1", lead, [str(one) for one in records], standings.moment, standings.ticket)

    async def settle_findings(self, grace_seconds: float) -> tuple[Announcement, ...]:
        """Count findings as announced or missed."""
        query = "SELECT * FROM hookbridge.settle_findings_1($1, $2, $3)"
        rows = await self._engine.write(query, self._engine.slot, self._engine.moment, grace_seconds)
        return tuple(
            Announcement(source=source, table=table, announced=announced, missed=missed)
            for source, table, announced, missed in rows
        )

    async def _led(self, function: str, lead: Lead | None, *arguments: object) -> None:
        """Call a function that writes while a lead holds.  Raises LeadLost."""
        places = ", ".join(f"${place}" for place in range(1, 4 + len(arguments)))
        of = (None, None) if lead is None else (lead.duty, lead.epoch)
        await self._engine.write(f"SELECT hookbridge.{function}({places})", *of, self._engine.moment, *arguments)
