"""The places of destinations, of whichever node's configuration: which deletions they hold, and when one is dropped.

Invariants: what a place needs is known as long as the place is kept, whichever node drives the destination, and whether
or not it takes anything; and a place is kept as long as a node has its destination in its configuration, and for
``KEPT_SECONDS`` after that.  Nodes may differ in what they have: each says of its own that they are wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from hookbridge import feed
from hookbridge.clock import Clock
from hookbridge.destinations import standing
from hookbridge.errors import StoreUnavailable
from hookbridge.retention import Run, old
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Lead

KEPT_SECONDS = 30 * 86_400.0
RENEW_SECONDS = 86_400.0
"""That a destination is wanted is noted again after so long: it costs a write."""
LOOK_SECONDS = 3_600.0
HOLDS_MAX = 1_000_000
"""So many deletions are kept longer than ``tombstone_days`` for those who have not taken them yet."""

_log = structlog.get_logger(__name__)


class Places:
    """What is kept of destinations."""

    keeps_seconds = KEPT_SECONDS

    def __init__(
        self,
        store: Store,
        wanted: Sequence[str],
        clock: Clock,
        *,
        holds_max: int = HOLDS_MAX,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``wanted`` names those of this node's configuration."""
        self._store = store
        self._wanted = wanted
        self._clock = clock
        self.holds_max = holds_max
        self._sleep = sleep

    async def open(self) -> None:
        """Say that this node's are wanted, before any of them goes on.  Raises StoreUnavailable."""
        now = self._clock()
        for name in self._wanted:
            said = await self._store.note(note_names.wanted(name))
            if said is None or abs(now - float(said)) > RENEW_SECONDS:
                await self._store.put_note(note_names.wanted(name), str(now))

    async def run(self) -> None:
        """Say it again and again, until cancelled."""
        while True:
            await self._sleep(LOOK_SECONDS)
            try:
                await self.open()
            except StoreUnavailable as error:
                _log.warning("That destinations are wanted is not noted", error=error.message)

    async def needs(self) -> Mapping[str, int]:
        """Give the change behind which each destination needs every deletion; none for those whose place is gone.

        Raises StoreUnavailable.
        """
        notes = await self._store.notes(note_names.OF_DESTINATIONS)
        ends = await self._store.feed_ends()
        needs: dict[str, int] = {}
        for name in _names(notes):
            word = standing.read_word(notes.get(note_names.word_on_destination(name)))
            kept = standing.read(notes.get(note_names.destination(name))).obeying(word)
            if kept.place and feed.why_gone(place := feed.Place.parse(kept.place), ends) is None:
                needs[name] = place.needs
        return needs

    async def drop(self, runs: Sequence[Run], now: float, lead: Lead | None) -> int:
        """Drop those that nobody has wanted for long; gives how many.  Raises LeadLost, StoreUnavailable."""
        notes = await self._store.notes(note_names.OF_DESTINATIONS)
        spans, dropped = old(runs, now, KEPT_SECONDS), 0
        for name in _names(notes):
            said = notes.get(note_names.wanted(name))
            if said is None:  # it is of before that was noted
                await self._store.put_note(note_names.wanted(name), str(now), only_if_absent=True)
                continue
            is_old = any(span.start <= float(said) < span.end for span in spans)
            # Not where somebody says so meanwhile.
            if is_old and await self._store.drop_destination(name, _of(name), value=said, lead=lead):
                _log.warning("A destination that left the configuration is forgotten", destination=name)
                dropped += 1
        return dropped


def _of(name: str) -> tuple[str, ...]:
    return note_names.wanted(name), note_names.destination(name), note_names.word_on_destination(name)


def _names(notes: Mapping[str, str]) -> set[str]:
    """Name the destinations that these notes are about: behind the colon of each stands a name."""
    return {note.partition(":")[2] for note in notes}
