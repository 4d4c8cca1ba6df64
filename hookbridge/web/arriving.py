"""The bodies that are on their way: how long each may take, and less of it once the service stops.

Invariant: nobody waits for a body longer than this says.  It reads none itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from hookbridge.errors import BodyTooSlow, TryLater

ARRIVAL_SECONDS = 60.0
"""How long a body may take: a sender that stops in the middle must not hold a connection for good."""

LAST_SECONDS = 1.0
"""How long it may take once the service stops."""


class Arriving:
    """All bodies of one service that are not here yet."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self._stopping = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Give a body its time.  Raises BodyTooSlow, or TryLater when the service stops meanwhile."""
        seconds = LAST_SECONDS if self._stopping else ARRIVAL_SECONDS
        try:
            async with asyncio.timeout(seconds) as limit:
                self._limits.add(limit)
                try:
                    yield
                finally:
                    self._limits.discard(limit)
        except TimeoutError:
            if self._stopping:
                message = "The service is stopping"
                raise TryLater(message, retry_after_seconds=5) from None
            raise BodyTooSlow(f"The body did not arrive within {seconds:g} seconds") from None

    async def stop(self, _app: web.Application) -> None:
        """Wait no longer for what has not begun to come to its end."""
        self._stopping = True
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time() + LAST_SECONDS)
