"""Which changes destinations rejected, on Postgres."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hookbridge.model import RecordKey
from hookbridge.store.nodes import Lead
from hookbridge.store.postgres.engine import Role
from hookbridge.store.values import LAST_PLACE, Rejected, Rejection

_REJECT = "SELECT hookbridge.reject_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_DROP = "SELECT hookbridge.drop_destination_1($1, $2, $3, $4, $5, $6)"
_LIST = """
SELECT record, seq, reason, rejected_at FROM hookbridge.rejected WHERE destination = $1 AND seq < $2
ORDER BY seq DESC LIMIT $3
"""
_COUNT = "SELECT destination, count(*) FROM hookbridge.rejected GROUP BY destination"


class Rejections(Role):
    """Which changes destinations rejected."""

    async def reject(
        self,
        destination: str,
        rejected: Sequence[Rejected],
        *,
        taken: Collection[RecordKey] = (),
        note: tuple[str, str],
        lead: Lead | None = None,
    ) -> None:
        """Keep some, forget some, and set a note."""
        duty, epoch = (None, None) if lead is None else (lead.duty, lead.epoch)
        records = [str(one.record) for one in rejected]
        kept = records, [one.seq for one in rejected], [one.reason for one in rejected]
        over = [str(record) for record in taken]
        await self._engine.write(_REJECT, duty, epoch, self._engine.moment, destination, *kept, over, *note)

    async def rejections(self, destination: str, *, before: int | None = None, limit: int) -> tuple[Rejection, ...]:
        """Give what one has rejected."""
        rows = await self._engine.browse(_LIST, destination, LAST_PLACE if before is None else before, limit)
        return tuple(
            Rejection(record=RecordKey.parse(record), seq=seq, reason=reason, rejected_at=at)
            for record, seq, reason, at in rows
        )

    async def rejection_counts(self) -> dict[str, int]:
        """Count what each has rejected."""
        return dict(map(tuple, await self._engine.read(_COUNT)))

    async def drop_destination(
        self, destination: str, notes: Sequence[str], *, value: str, lead: Lead | None = None
    ) -> bool:
        """Forget what one has rejected, and remove its notes."""
        duty, epoch = (None, None) if lead is None else (lead.duty, lead.epoch)
        asked = (duty, epoch, self._engine.moment, destination, [*notes], value)
        ((dropped,),) = await self._engine.write(_DROP, *asked)
        return bool(dropped)
