"""The service's clock: epoch seconds that never jump.

It starts at the wall clock and goes on with the monotonic one, so that a clock that is set back by an hour does not
hide waiting records for that hour.  Signatures are compared with the wall clock itself: their senders know no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def anchored_clock() -> Clock:
    """Give a clock that starts now."""
    offset = time.time() - time.monotonic()
    monotonic = time.monotonic

    def now() -> float:
        return offset + monotonic()

    return now
