"""Notion's rate limit: a token bucket, three requests a second on average with some burst.

Source: Notion API reference, "Request limits".
"""

import math
from collections.abc import Callable
from datetime import datetime


class TokenBucket:
    """`take()` says how long to wait: 0 when the request may pass, else whole seconds, at least one."""

    def __init__(self, clock: Callable[[], datetime], *, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._filled = clock()

    def take(self) -> int:
        """Take a token, or tell the seconds until there is one."""
        now = self._clock()
        gained = (now - self._filled).total_seconds() * self._per_second
        self._tokens, self._filled = min(self._burst, self._tokens + gained), now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, math.ceil((1 - self._tokens) / self._per_second))
