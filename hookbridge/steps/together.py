"""Deletions of many workers at once: what comes while the cache is busy goes with the next request.

Invariants: a deletion is answered only by a request that began after it was asked for; what the cache says of one key
is told to those who asked for that one alone; at most ``REQUESTS_MAX`` requests are under way, so that no number of
workers makes a cache that is only slow look like one that is down.  It does not know the cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

REQUESTS_MAX = 4
"""A cache that answers in 0.9 s still takes all that 256 workers bring in that time."""

KEYS_MAX = 100
"""In one request: to read more answers would hold the event loop for longer than 2 ms."""

Send = Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, Exception]]]
"""Delete these keys; gives what was refused.  Raises where nothing is known of any."""


class Together:
    """``await together(keys)`` returns when they are deleted, or raises what one of them met."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._places = asyncio.Semaphore(REQUESTS_MAX)
        self._next: dict[bytes, None] = {}
        self._request: asyncio.Task[Mapping[bytes, Exception]] | None = None
        self._requests: set[asyncio.Task[Mapping[bytes, Exception]]] = set()

    async def __call__(self, keys: Sequence[bytes]) -> None:
        """Delete keys together with others.  Raises what ``send`` raises, or says of one of the keys."""
        portions = [keys[start : start + KEYS_MAX] for start in range(0, len(keys), KEYS_MAX)]
        # All are asked for at once: who brings many keys must not be slower than many who bring one each.
        for some, request in [(some, self._joined(some)) for some in portions]:
            refused = await asyncio.shield(request)
            for key in some:
                if key in refused:
                    raise refused[key]

    def _joined(self, keys: Sequence[bytes]) -> asyncio.Task[Mapping[bytes, Exception]]:
        """Put keys to the request that is sent next; a full one takes no more."""
        if self._request is None or len(self._next) + len(keys) > KEYS_MAX:
            self._next = {}
            self._request = asyncio.create_task(self._run(self._next), name="cache-deletion")
            self._requests.add(self._request)
            self._request.add_done_callback(self._ended)
        self._next.update(dict.fromkeys(keys))
        return self._request

    async def _run(self, keys: dict[bytes, None]) -> Mapping[bytes, Exception]:
        async with self._places:
            if self._next is keys:
                self._request = None  # from here on it is too late to join
            return await self._send(tuple(keys))

    def _ended(self, request: asyncio.Task[Mapping[bytes, Exception]]) -> None:
        self._requests.discard(request)
        if not request.cancelled():
            request.exception()  # who asked may be gone

    async def close(self) -> None:
        """End what is under way.  Idempotent."""
        requests = list(self._requests)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
