"""The one that looks whether the feed has gone on, for all of this node that wait for it, and only while they do.

Other nodes change copies, too, so the server has to be asked: once a second, however many wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hookbridge.errors import StoreError
from hookbridge.store.following import Followers
from hookbridge.store.values import FeedEnds

LOOK_SECONDS = 1.0


class Watch:
    """Looks, and wakes whoever waits."""

    def __init__(self, look: Callable[[], Awaitable[FeedEnds]]) -> None:
        self._look = look
        self._followers = Followers()
        self._looking: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._looked_at = self._loop.time() - LOOK_SECONDS

    async def beyond(self, ends: FeedEnds) -> None:
        """Wait until the feed is seen beyond this end, or is another one.  Raises StoreUnavailable once closed."""
        if self._looking is None or self._looking.done():
            # It begins after this call is among those that wait.
            self._looking = asyncio.create_task(self._watch(), name="feed-watch")
        await self._followers.beyond(ends)

    async def close(self) -> None:
        """Look no more."""
        self._followers.close()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _watch(self) -> None:
        """Look again and again until nobody waits any more."""
        while True:
            await asyncio.sleep(self._looked_at + LOOK_SECONDS - self._loop.time())
            if not self._followers:
                return
            self._looked_at = self._loop.time()
            try:
                ends = await self._look()
            except StoreError:  # it is said where connections are made
                continue
            self._followers.reached(ends.id, ends.newest)
