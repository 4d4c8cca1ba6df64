"""Which changes destinations rejected, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from hookbridge.model import RecordKey
from hookbridge.store.nodes import Lead
from hookbridge.store.sqlite import notes
from hookbridge.store.sqlite.engine import Role, Transaction
from hookbridge.store.values import LAST_PLACE, Rejected, Rejection

_KEEP = "INSERT OR REPLACE INTO rejected (destination, record, seq, reason, rejected_at) VALUES (?, ?, ?, ?, ?)"
_TAKEN = "DELETE FROM rejected WHERE destination = ? AND record = ?"
_FORGET = "DELETE FROM rejected WHERE destination = ?"
_LIST = """
SELECT record, seq, reason, rejected_at FROM rejected WHERE destination = ? AND seq < ? ORDER BY seq DESC LIMIT ?
"""
_COUNT = "SELECT destination, count(*) FROM rejected GROUP BY destination"


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
        self._engine.duties.require(lead)

        def write(transaction: Transaction) -> None:
            rows = ((destination, str(one.record), one.seq, one.reason, transaction.now) for one in rejected)
            transaction.connection.executemany(_TAKEN, [(destination, str(record)) for record in taken])
            transaction.connection.executemany(_KEEP, rows)
            notes.put(transaction, *note, only_if_absent=False)

        await self._engine.call(write)

    async def rejections(self, destination: str, *, before: int | None = None, limit: int) -> tuple[Rejection, ...]:
        """Give what one has rejected."""
        behind = LAST_PLACE if before is None else before
        return await self._engine.browse(lambda connection: _rejections(connection, destination, behind, limit))

    async def rejection_counts(self) -> dict[str, int]:
        """Count what each has rejected."""
        return await self._engine.read(lambda connection: dict(connection.execute(_COUNT)))

    async def drop_destination(
        self, destination: str, notes: Sequence[str], *, value: str, lead: Lead | None = None
    ) -> bool:
        """Forget what one has rejected, and remove its notes."""
        self._engine.duties.require(lead)
        return await self._engine.call(lambda transaction: _drop(transaction, destination, notes, value))


def _rejections(connection: sqlite3.Connection, destination: str, before: int, limit: int) -> tuple[Rejection, ...]:
    rows = connection.execute(_LIST, (destination, before, limit))
    return tuple(
        Rejection(record=RecordKey.parse(record), seq=seq, reason=reason, rejected_at=at)
        for record, seq, reason, at in rows
    )


def _drop(transaction: Transaction, destination: str, names: Sequence[str], value: str) -> bool:
    if not notes.drop(transaction, names, value):
        return False
    transaction.connection.execute(_FORGET, (destination,))
    return True
