"""Calls of the same few milliseconds become one load.

Invariants: a call is answered only by a load that began after it; a failed load fails exactly its own keys; a waiter
that is cancelled takes nobody with it; at most ``loads_max`` loads run at once.  It does not know what it loads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from hookbridge.errors import SourceUnavailable

K = TypeVar("K")
V = TypeVar("V")

WINDOW_SECONDS = 0.003
LOADS_MAX = 4


class Batcher(Generic[K, V]):
    """``await batcher(key)`` answers with what ``load`` gave for that key, or raises it where it is an error."""

    def __init__(
        self,
        load: Callable[[tuple[K, ...]], Awaitable[Mapping[K, V | Exception]]],
        *,
        keys_max: int,
        window_seconds: float = WINDOW_SECONDS,
        loads_max: int = LOADS_MAX,
    ) -> None:
        self._load = load
        self._keys_max = keys_max
        self._window_seconds = window_seconds
        self._slots = asyncio.Semaphore(loads_max)
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loads: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __call__(self, key: K) -> V:
        """Load a key together with others.  Raises what its load gave, SourceUnavailable when closed."""
        if self._closed:
            raise _stopping()
        loop = asyncio.get_running_loop()
        call: asyncio.Future[V] = loop.create_future()
        self._waiting.setdefault(key, []).append(call)
        if len(self._waiting) >= self._keys_max:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(self._window_seconds, self._flush)
        return await call

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        taken, self._waiting = self._waiting, {}
        task = asyncio.create_task(self._run(taken), name="batched-load")
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _run(self, taken: dict[K, list[asyncio.Future[V]]]) -> None:
        try:
            async with self._slots:
                found = await self._load(tuple(taken))
                for key, calls in taken.items():
                    _answer(calls, found[key])
        except Exception as error:  # noqa: BLE001  whatever it is, it is for those who wait
            for calls in taken.values():
                _answer(calls, error)
        except asyncio.CancelledError:
            for calls in taken.values():
                _answer(calls, _stopping())
            raise

    async def close(self) -> None:
        """End what is under way; who still waits is told that the service is stopping.  Idempotent."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for calls in self._waiting.values():
            _answer(calls, _stopping())
        self._waiting = {}
        loads = list(self._loads)
        for load in loads:
            load.cancel()
        await asyncio.gather(*loads, return_exceptions=True)


def _answer(calls: list[asyncio.Future[V]], result: V | Exception) -> None:
    for call in calls:
        if call.done():
            continue
        if isinstance(result, Exception):
            call.set_exception(result)
        else:
            call.set_result(result)


def _stopping() -> SourceUnavailable:
    return SourceUnavailable("The service is stopping")
