"""How often an idle lane looks whether other nodes have made something dirty: often after it found something.

Nobody tells a lane of what another node took in but the beat of its own, a second later at most.  Pure.
"""

from __future__ import annotations

import math

import msgspec

LIVELY_SECONDS = 5.0
"""For so long after something was found it is worth looking again and again."""

GAP_SECONDS = 0.05
GAP_SECONDS_MAX = 0.5
GROWTH = 1.5


class Looks(msgspec.Struct, frozen=True):
    """Those of one lane; times are in seconds since 1970."""

    looked_at: float = -math.inf
    found_at: float = -math.inf
    gap: float = GAP_SECONDS

    def after(self, now: float, *, found: bool, told: bool = False) -> Looks:
        """It has looked; what it was told of by its own node says nothing of the others."""
        if found and not told:
            return Looks(now, now)
        return Looks(now, self.found_at, min(self.gap * GROWTH, GAP_SECONDS_MAX))

    def gap_seconds(self, idle_seconds: float) -> float:
        """Give the seconds until the next look; ``idle_seconds`` where little can be found."""
        return self.gap if self.looked_at - self.found_at < LIVELY_SECONDS else idle_seconds
