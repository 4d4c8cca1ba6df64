"""From where on a claim looks: what was claimed leaves dead rows, which a foreign long transaction keeps.

Each claim would walk over all of them again: 47 → 218 µs per 9,000 records that were claimed meanwhile.  So it begins
where the last one had left nothing.  What comes to lie below later (an append that committed late, what another node
gave back) is found by looks at everything, now and then, that take no more than a twentieth of the time.
"""

from __future__ import annotations

import math

LATE_SECONDS = 0.5
"""An append that is under way commits within this, nearly always."""

EVERYTHING_SECONDS = 10.0
"""So long nothing lies below unseen, however many wait above."""

EVERYTHING_SHORT_SECONDS = 1.0
"""And so long where fewer wait above than were asked for."""

EVERYTHING_SECONDS_MAX = 30.0
"""However long a look took: most of that may have been an outage, and what another node had waits for the next one."""

_PART = 20


class Floor:
    """Of one source, on one node.  Times are those of the caller's monotonic clock, ``lowest`` is the store's."""

    def __init__(self) -> None:
        self.lowest = 0.0
        """The next claim can begin here."""
        self._soon = self._late = -math.inf

    def begin(self, now: float) -> float:
        """Say where a claim begins."""
        if now >= self._late:
            self.lowest = 0.0
        return self.lowest

    def end(self, began_at: float, reached: float | None, seconds: float, now: float, *, short: bool) -> None:
        """Note how far a claim came and how long it took; ``short`` is one that found fewer than were asked for."""
        if began_at == 0.0:
            self._soon = now + min(max(EVERYTHING_SHORT_SECONDS, _PART * seconds), EVERYTHING_SECONDS)
            self._late = now + min(max(EVERYTHING_SECONDS, _PART * seconds), EVERYTHING_SECONDS_MAX)
        if reached is not None:
            self.lowest = max(self.lowest, reached - LATE_SECONDS)
        if short and began_at > 0.0 and now >= self._soon:
            self.forget()

    def forget(self) -> None:
        """Let the next claim look at everything."""
        self._late = -math.inf
        self.lowest = 0.0
