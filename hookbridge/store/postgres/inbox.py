"""The inbox on Postgres: events in, duplicates known, settled ones opened again and removed.  ``append.sql`` decides.

An append whose connection broke is neither known to be stored nor not to be: it fails, its sender repeats it, and the
identity says whether it is there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hookbridge.model import Event, Receipt
from hookbridge.store.commits import GROUP_BYTES
from hookbridge.store.postgres.engine import EVENT_BYTES, Job, Writer
from hookbridge.store.postgres.events import Events
from hookbridge.store.postgres.failures import Failures
from hookbridge.store.postgres.texts import shown
from hookbridge.store.values import Portion, Span

AT_ONCE = 500
"""Events that one transaction gives up, or opens again where their bodies are not larger than a group of appends."""

_APPEND = (
    "SELECT * FROM hookbridge.append_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
)
_OPEN_AGAIN = "SELECT * FROM hookbridge.open_again_1($1, $2, $3, $4)"
_DISMISS = "SELECT hookbridge.dismiss_1($1, $2, $3, $4)"
_REMOVE = "SELECT hookbridge.remove_events_1($1, $2, $3, $4, $5)"


class Append(Job):
    """The events of one request."""

    __slots__ = ("events", "headers", "received_at")

    def __init__(self, events: Sequence[Event], received_at: float, headers: bytes | None) -> None:
        self.events = events
        self.received_at = received_at
        self.headers = headers

    @property
    def weight(self) -> int:
        """The bodies, and the rows beside them."""
        return sum([len(one.body) + EVENT_BYTES for one in self.events])

    @staticmethod
    async def run_together(jobs: Sequence[Append], writer: Writer) -> Sequence[tuple[Receipt, ...]]:
        """Store the events of all jobs."""
        (stored,) = await writer.call(_APPEND, writer.slot, writer.moment, *_columns(jobs))
        writer.opened(stored["opened"])
        receipts = map(Receipt, stored["event_ids"], stored["duplicates"])
        return [tuple(next(receipts) for _ in job.events) for job in jobs]


def _columns(jobs: Sequence[Append]) -> tuple[Sequence[Any], ...]:
    """Give the events as columns, in the order of their identities: in that their locks are taken."""
    arrived = [(event, job) for job in jobs for event in job.events]
    counted: Counter[str] = Counter()
    for event, _ in arrived:
        counted["received"] += 1
        counted[f"received:{event.record.source}:{event.origin}"] += 1
        if event.ignored is None:
            counted["open"] += 1
        else:
            counted["ignored"] += 1
            counted[f"settled:{event.record.source}:ignored"] += 1
    order = sorted(range(len(arrived)), key=lambda place: (arrived[place][0].identity or b"", place))
    rows = [(place + 1, *arrived[place]) for place in order]
    return (
        [place for place, _, _ in rows],
        [str(event.record) for _, event, _ in rows],
        [event.record.source for _, event, _ in rows],
        [event.type for _, event, _ in rows],
        [event.format for _, event, _ in rows],
        [event.origin for _, event, _ in rows],
        [event.identity for _, event, _ in rows],
        [event.occurred_at for _, event, _ in rows],
        [job.received_at for _, _, job in rows],
        [event.body for _, event, _ in rows],
        [job.headers for _, _, job in rows],
        [event.ignored for _, event, _ in rows],
        [place for place, event, _ in rows if event.by_id],
        list(counted),
        list(map(float, counted.values())),
    )


class Inbox(Events, Failures):
    """The inbox."""

    def append(
        self, events: Sequence[Event], received_at: float, headers: bytes | None = None
    ) -> asyncio.Future[tuple[Receipt, ...]]:
        """Store events durably."""
        return self._engine.appends.submit(Append(events, received_at, headers))

    async def open_again(self, event_ids: Sequence[int]) -> Portion:
        """Process settled events again."""
        asked = list(event_ids[:AT_ONCE])
        (done,) = await self._engine.write(_OPEN_AGAIN, self._engine.slot, self._engine.moment, asked, GROUP_BYTES)
        self._engine.open_events += done["opened"]
        return Portion(done["opened"], done["looked"])

    async def dismiss(self, event_ids: Sequence[int], words: str) -> Portion:
        """Give dead letters up."""
        asked = list(event_ids[:AT_ONCE])
        engine = self._engine
        ((count,),) = await engine.write(_DISMISS, engine.slot, engine.moment, asked, shown(words))
        return Portion(int(count), len(asked))

    async def remove_settled(self, when: Span, limit: int) -> int:
        """Remove old settled events."""
        return await self._remove(when, limit, dead=False)

    async def remove_dead(self, when: Span, limit: int) -> int:
        """Give up old dead letters."""
        return await self._remove(when, limit, dead=True)

    async def _remove(self, when: Span, limit: int, *, dead: bool) -> int:
        ((removed,),) = await self._engine.write(_REMOVE, self._engine.slot, dead, when.start, when.end, limit)
        return int(removed)
