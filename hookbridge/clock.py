"""The service's clock: epoch seconds that never go back; and what is answered of them, which is a time with its zone.

It starts at the wall clock and goes on with the monotonic one, so that a clock that is set back by an hour does not
hide waiting records for that hour.  One that is set forward was behind, or the machine slept: it is followed at once,
or what is written until the next start would have times that are long past then.  Signatures are made and compared with
the wall clock itself: the other side knows no other.  Inside, times are numbers to reckon with; whatever leaves the
process has them as ISO 8601 in UTC, and durations as seconds under a name that ends in ``_seconds``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]


def anchored_clock(wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> Clock:
    """Give a clock that starts now."""
    offset = wall() - monotonic()

    def now() -> float:
        nonlocal offset
        # The wall first: a pause between the two must not look like a clock that was set forward.
        ahead, since = wall(), monotonic()
        if ahead - since > offset:  # noqa: PLR1730  ``max`` would be half of the cost, some times a change
            offset = ahead - since
        return offset + since

    return now


class FollowedClock:
    """A clock that goes by another one, as often as it is told what that says: not ahead of it, and never back.

    Between two words of it, it goes on with this machine's monotonic one.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """It has no time before it was told the first."""
        self._monotonic = monotonic
        self._offset = -math.inf

    def told(self, now: float) -> None:
        """Take note of what the other clock said a moment ago."""
        self._offset = max(self._offset, now - self._monotonic())

    def __call__(self) -> float:
        """Give epoch seconds."""
        return self._offset + self._monotonic()


def happened(at: float | None, now: float) -> float | None:
    """Give a stored time at which something happened, unless that is ahead of now.

    Such a one was written while the clock was ahead: that it happened is known, and when is not.  Whoever takes up a
    time of an earlier run asks here, so that no "last" time holds anything back until the clock has come to it.
    """
    return at if at is not None and at <= now else None


def minute_of(seconds: float) -> int:
    """Give the number of the minute, since the epoch, in which a time lies."""
    return math.floor(seconds / 60)


def time_of(seconds: float) -> datetime:
    """Give epoch seconds as a time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def epoch_time(seconds: float | None) -> datetime | None:
    """Do so where there may be none."""
    return None if seconds is None else time_of(seconds)
