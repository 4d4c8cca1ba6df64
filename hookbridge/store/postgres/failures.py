"""Failed attempts on Postgres: ``settle.sql`` notes them; listed for one event, forgotten in time."""

from __future__ import annotations

from hookbridge.model import Failure, StoredEvent
from hookbridge.store.postgres.engine import Role
from hookbridge.store.values import Span

# A record's changes follow each other, so whatever failed between an event's arrival and its end concerned it.
_OF_EVENT = """
SELECT number, began_at, ended_at, error, traceback FROM hookbridge.failures
WHERE record = $1 AND began_at >= $2 AND ($3::double precision IS NULL OR ended_at <= $3) ORDER BY began_at LIMIT $4
"""

SHOWN_MAX = 100


class Failures(Role):
    """The failed attempts of changes."""

    async def failures(self, event: StoredEvent) -> tuple[Failure, ...]:
        """Give the failed attempts between an event's arrival and its end, the first ones first."""
        # Where the clock was ahead when the event came, its change was claimed before that by the clock.
        arrived = event.received_at if event.claimed_at is None else min(event.received_at, event.claimed_at)
        asked = (str(event.event.record), arrived, event.settled_at, SHOWN_MAX)
        return tuple(Failure(**one) for one in await self._engine.read(_OF_EVENT, *asked))

    async def remove_failures(self, when: Span, limit: int) -> int:
        """Forget old failed attempts."""
        asked = (when.start, when.end, limit)
        ((removed,),) = await self._engine.write("SELECT hookbridge.remove_failures_1($1, $2, $3)", *asked)
        return int(removed)
