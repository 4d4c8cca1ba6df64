"""Samples on SQLite: what the counters said, once a minute."""

from __future__ import annotations

import sqlite3

from hookbridge.clock import minute_of
from hookbridge.model import Counts
from hookbridge.store.sqlite.engine import Role, Transaction
from hookbridge.store.values import SAMPLES_MAX

_TAKE = """
INSERT OR REPLACE INTO samples (minute, at, received, applied, open)
SELECT ?, ?,
       CAST(coalesce(sum(value) FILTER (WHERE name = 'received'), 0) AS INTEGER),
       CAST(coalesce(sum(value) FILTER (WHERE name IN ('applied', 'coalesced')), 0) AS INTEGER),
       CAST(coalesce(sum(value) FILTER (WHERE name = 'open'), 0) AS INTEGER)
FROM counters
"""

_FORGET = "DELETE FROM samples WHERE minute <= (SELECT minute FROM samples ORDER BY minute DESC LIMIT 1 OFFSET ?)"

_SINCE = "SELECT at, received, applied, open FROM samples WHERE minute >= ? ORDER BY minute"


class Samples(Role):
    """What the counters said."""

    async def take_sample(self) -> None:
        """Write down what the counters say, as of the last commit."""
        await self._engine.call(_take)

    async def samples(self, *, since: float) -> tuple[Counts, ...]:
        """Give what was written down."""
        return await self._engine.browse(lambda connection: _since(connection, since))


def _take(transaction: Transaction) -> None:
    transaction.connection.execute(_TAKE, (minute_of(transaction.now), transaction.now))
    transaction.connection.execute(_FORGET, (SAMPLES_MAX,))


def _since(connection: sqlite3.Connection, since: float) -> tuple[Counts, ...]:
    return tuple(Counts(*row) for row in connection.execute(_SINCE, (minute_of(since),)))
