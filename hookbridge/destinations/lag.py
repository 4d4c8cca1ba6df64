"""How long the oldest change that a destination has not taken has waited, by the time of that change.

Nothing of it is kept, so that a restart, a pause and another place need no care.
"""

from __future__ import annotations

from collections.abc import Collection

from hookbridge import feed
from hookbridge.destinations.message import type_of
from hookbridge.destinations.standing import Standing
from hookbridge.store.contract import Feed
from hookbridge.store.values import FeedEnds, FeedFilter

LOOKS_MAX = 20
"""So many pages are looked at for a change that is meant; the next time it goes on there."""


class Lag:
    """One destination's."""

    def __init__(self, store: Feed, which: FeedFilter, types: Collection[str]) -> None:
        self._store = store
        self._which = which
        self._types = types
        self._place = feed.Place("", 0)
        self._reached = 0
        """Between the place and here nothing is meant: what changes goes behind it."""

    async def since(self, stands: Standing, ends: FeedEnds) -> float | None:
        """Give when the oldest change that it has not taken was read, in epoch seconds; None where none is known.

        In a snapshot everything has waited since that began.  Raises StoreUnavailable.
        """
        place = feed.Place.parse(stands.place) if stands.place else None
        if place is None or place.began_at is not None:
            return stands.begun_at
        return await self._behind(place, ends)

    async def _behind(self, place: feed.Place, ends: FeedEnds) -> float | None:
        if place.feed != ends.id or place.seq >= ends.newest:
            return None
        if place.feed != self._place.feed or place.seq < self._place.seq:
            self._reached = 0
        self._place, self._reached = place, max(place.seq, self._reached)
        for _ in range(LOOKS_MAX):
            page = await self._store.feed(self._which, after=self._reached, limit=1, contents=False)
            for change in page.entries:
                if type_of(change) in self._types:
                    return change.since
            self._reached = page.reached
            if page.reached >= page.ends.newest:
                break
        return None
