"""So many requests to a source at once, each with its full time once its turn has come.

An HTTP client counts the wait for a connection to an answer's time, so that many requests to a source which is only
slow would look like a source that is down.  Invariant: as long as anything is answered, nobody's time runs while he
waits for his turn; while nothing is, he waits no longer than for an answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Turns:
    """Those of one client: ``async with turns(): …`` is one request."""

    def __init__(self, most: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``most`` requests at once, of ``seconds`` each."""
        self._places = asyncio.Semaphore(most)
        self._seconds = seconds
        self._clock = clock
        self._heard_at = clock()

    async def heard(self, _response: object) -> None:
        """Take note that the source answered, whatever it said: a hook of httpx's client."""
        self._heard_at = self._clock()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """Wait for a turn, and give it its time.  Raises TimeoutError."""
        await self._turn()
        try:
            async with asyncio.timeout(self._seconds):
                yield
        finally:
            self._places.release()

    async def _turn(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._places.acquire()
            except TimeoutError:
                if self._clock() - self._heard_at >= self._seconds:
                    raise
            else:
                return
