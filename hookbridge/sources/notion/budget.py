"""How many requests Notion gets: one budget for all calls of the process.

On average ``requests_per_second``, with a burst of one second's worth; when Notion names a time to come back, nothing
goes before then (https://developers.notion.com/reference/request-limits).  First come, first served.  It sends nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter

from hookbridge.errors import SourceUnavailable

PATIENCE_SECONDS = 5.0
"""A longer halt is not waited for here: the caller is told, so that its lane shows the pause and holds no leases."""

HALT_SECONDS_MAX = 3600.0
"""No header silences us for longer than this."""


class Budget:
    """Permits, one a request."""

    def __init__(
        self,
        requests_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        burst = max(1.0, requests_per_second)
        self._limiter = AsyncLimiter(burst, burst / requests_per_second)
        self._clock = clock
        self._sleep = sleep
        self._halted_until = 0.0

    async def permit(self) -> None:
        """Return when one request may go.

        Raises SourceUnavailable, with the seconds that are left, while Notion wants to be left alone for longer.
        """
        await self._outlast_halt()
        await self._limiter.acquire()
        # Whoever waited for the limiter may have missed a halt.
        await self._outlast_halt()

    def halt(self, seconds: float) -> None:
        """Let nothing go for so long; a halt that ends later stays."""
        self._halted_until = max(self._halted_until, self._clock() + min(seconds, HALT_SECONDS_MAX))

    async def _outlast_halt(self) -> None:
        while (left := self._halted_until - self._clock()) > 0:
            if left > PATIENCE_SECONDS:
                raise SourceUnavailable("Notion asked for a pause of all requests", retry_after_seconds=left)
            await self._sleep(left)
