"""Requests that wait for something to happen: each ends with the service, and says so to its client.

Invariant: once the service stops, nothing is waited for any more, neither a change nor a client that reads nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aiohttp import web


class Listening:
    """All requests of one service that wait."""

    def __init__(self) -> None:
        self._stopped = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def is_over(self) -> bool:
        """Whether the service stops."""
        return self._stopped.is_set()

    async def unless_over(self, work: Awaitable[None], seconds: float | None = None) -> bool:
        """Do this, for so long, unless the service stops; gives whether it was done.  Raises what it raises."""
        task = asyncio.ensure_future(work)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(over)
        try:
            if not self.is_over:
                await asyncio.wait({task, over}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return False
            task.result()
            return True
        finally:
            self._waiting.discard(over)
            task.cancel()
            # What it raises by now is nobody's any more, and asyncio would log it as what nobody has looked at.
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self, _app: web.Application) -> None:
        """Let nobody wait any longer."""
        self._stopped.set()
        for over in self._waiting:
            if not over.done():
                over.set_result(None)
