"""After the settle: the keys of the user's cache are deleted once more, now that their copies are written.

Whoever missed a key between the first deletion and the settle may have filled it from the copy as it was.  Invariants:
a key is deleted after its settle, restarts and outages in between included, because the settle itself wrote it down and
only its deletion removes it; what is written down is bounded, because the lanes stop while it cannot be deleted, and go
on when nothing is left of it.  Which keys they are, ``steps/cache.py`` says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from hookbridge.errors import CacheUnavailable, HookbridgeError, StoreUnavailable
from hookbridge.store.contract import Stale

ROWS_AT_ONCE = 2_000
"""Enough for all requests that a cache is sent at once, so that this keeps up with the changes while it is slow."""

FIRST_WAIT_SECONDS = 1.0

LOOK_SECONDS = 10.0
"""Nobody is told when another node ends before it has deleted its keys."""

_log = structlog.get_logger(__name__)


class Deleting(Protocol):
    """The user's own cache."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete keys.  Raises CacheUnavailable."""
        ...


class StaleKeys:
    """What deletes them, for all lanes together."""

    def __init__(
        self,
        store: Stale,
        cache: Deleting,
        *,
        wait_seconds_max: float,
        look_seconds: float | None = None,
    ) -> None:
        """``look_seconds`` is how often to look for what other nodes have left; None where there are none."""
        self._store = store
        self._cache = cache
        self._wait_seconds_max = wait_seconds_max
        self._look_seconds = look_seconds
        self._there = asyncio.Event()
        self._there.set()  # whatever an earlier process has left
        self._deleted = asyncio.Event()
        self._turn = asyncio.Lock()

    def wake(self) -> None:
        """Say that a change was settled that has keys."""
        self._there.set()

    async def run(self, stop_lanes: Callable[[HookbridgeError], Awaitable[None]]) -> None:
        """Delete what is there, until cancelled.

        ``stop_lanes`` stops the lanes whose changes have keys; they ask ``delete_all`` before they go on.
        """
        wait = FIRST_WAIT_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._there.wait()
            self._there.set()
            try:
                await self.delete_all()
                wait = FIRST_WAIT_SECONDS
                continue
            except CacheUnavailable as error:
                await stop_lanes(error)
            except StoreUnavailable as error:
                _log.error("Deleting cache keys again waits for the store", error=error.message, hint=error.hint)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait, self._wait_seconds_max)):
                    await self._deleted.wait()  # by a lane that wants to go on
            wait *= 2

    async def delete_all(self) -> None:
        """Return when nothing is left of what was there.  Raises CacheUnavailable, StoreUnavailable."""
        # One at a time: of a store that gives the number of a removed row again, another's new row would be removed.
        async with self._turn:
            while self._there.is_set():
                self._there.clear()  # before the look: whoever settles from here on says so again
                try:
                    await self._delete_some()
                except BaseException:
                    self._there.set()
                    self._deleted.clear()
                    raise
            self._deleted.set()

    async def drain(self, deadline_seconds: float) -> None:
        """Delete what is there, if that can be done until then; else it is done after the next start."""
        try:
            async with asyncio.timeout(deadline_seconds):
                await self.delete_all()
        except (CacheUnavailable, StoreUnavailable, TimeoutError) as error:
            _log.warning("Stopped with cache keys left; they are deleted after the next start", error=str(error))

    async def _delete_some(self) -> None:
        oldest = await self._store.stale_keys(ROWS_AT_ONCE)
        if oldest.keys:
            await self._cache.delete(oldest.keys)
            await self._store.remove_stale_keys(oldest.rows)
            self._there.set()  # there may be more
