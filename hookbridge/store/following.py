"""Those who wait for the feed to go on, in this process: all are woken by what sees its end move, whatever that is."""

from __future__ import annotations

import asyncio

from hookbridge.errors import StoreUnavailable
from hookbridge.store.values import FeedEnds


class Followers:
    """Whoever waits for changes behind the newest one."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._id = ""
        self._newest = 0
        self._closed = False

    def __bool__(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def reached(self, id_: str, newest: int) -> None:
        """Say where the feed ends now, and wake everybody if that is elsewhere than before."""
        if (id_, newest) != (self._id, self._newest):
            self._id, self._newest = id_, newest
            self._wake()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self._wake()

    async def beyond(self, ends: FeedEnds) -> None:
        """Wait until the feed goes beyond this end, or is another one.  Raises StoreUnavailable once it is closed."""
        # Before anybody has looked the id is none, and not another one.
        while self._id in ("", ends.id) and self._newest <= ends.newest:
            if self._closed:
                message = "The store is closed"
                raise StoreUnavailable(message)
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
