"""What is remembered of records that are gone, on Postgres, until retention forgets it."""

from __future__ import annotations

from hookbridge.store.postgres.engine import Role
from hookbridge.store.values import LAST_PLACE, TOMBSTONES_LOOKED_AT, Span

_OLD = "SELECT count(*) FROM hookbridge.copies WHERE gone_at >= $1 AND gone_at < $2"
_OLD_PLACE = """
SELECT place.seq FROM (SELECT record FROM hookbridge.copies WHERE gone_at >= $1 AND gone_at < $2) AS old
CROSS JOIN LATERAL (SELECT seq FROM hookbridge.feed AS f WHERE f.record = old.record OFFSET 0) AS place
ORDER BY place.seq LIMIT 1 OFFSET $3
"""


class Tombstones(Role):
    """The absences among the copies."""

    async def remove_tombstones(self, when: Span, limit: int, *, passed: int = LAST_PLACE) -> int:
        """Forget old absences."""
        asked = (when.start, when.end, passed, TOMBSTONES_LOOKED_AT, limit)
        removed = await self._engine.write("SELECT hookbridge.remove_tombstones_2($1, $2, $3, $4, $5)", *asked)
        return int(removed[0][0])

    async def too_many_tombstones(self, when: Span, most: int) -> int | None:
        """Give the place up to which there are too many old absences."""
        ((number,),) = await self._engine.browse(_OLD, when.start, when.end)
        if number <= most:
            return None
        found = await self._engine.browse(_OLD_PLACE, when.start, when.end, number - most - 1)
        return int(found[0][0]) if found else None  # fewer by now
