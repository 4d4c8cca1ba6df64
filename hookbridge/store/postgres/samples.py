"""Samples on Postgres: what the counters of all nodes said, once a minute."""

from __future__ import annotations

from hookbridge.clock import minute_of
from hookbridge.model import Counts
from hookbridge.store.postgres.engine import Role
from hookbridge.store.values import SAMPLES_MAX

_TAKE = "SELECT hookbridge.take_sample_1($1, $2)"
_SINCE = "SELECT at, received, applied, open FROM hookbridge.samples WHERE minute >= $1 ORDER BY minute"


class Samples(Role):
    """What the counters said."""

    async def take_sample(self) -> None:
        """Write down what the counters say."""
        await self._engine.write(_TAKE, SAMPLES_MAX, self._engine.moment)

    async def samples(self, *, since: float) -> tuple[Counts, ...]:
        """Give what was written down."""
        return tuple(Counts(*row) for row in await self._engine.browse(_SINCE, minute_of(since)))
