"""Calls that wait together become one load: the rows of one request, the pages of one query, the keys of one deletion.

Invariants: a call is answered only by a load that began after it; a load that fails fails exactly those whom it has not
answered yet; a waiter that is cancelled takes nobody with it, and what nobody waits for any longer is not loaded; at
most ``loads_max`` loads run at once, and what one is of is chosen only when it begins.  It does not know what it loads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

from hookbridge.errors import CacheUnavailable, SourceUnavailable

K = TypeVar("K")
V = TypeVar("V")

Calls = Mapping[K, list[asyncio.Future[V]]]

WINDOW_SECONDS = 0.003
"""How long the first call waits for the others of the same moment."""

LOADS_MAX = 4


class Batcher(Generic[K, V]):
    """``await batcher.ask(key)`` answers with what ``load`` gave for that key, or raises it where it is an error."""

    def __init__(
        self,
        load: Callable[[tuple[K, ...]], AsyncIterator[tuple[K, V | Exception]]],
        *,
        keys_max: int,
        choose: Callable[[Mapping[K, object]], Iterable[K]] = list,
        window_seconds: float = WINDOW_SECONDS,
        loads_max: int = LOADS_MAX,
        stopping: type[CacheUnavailable | SourceUnavailable] = SourceUnavailable,
    ) -> None:
        """``choose`` says which of those that wait are loaded together; the first ``keys_max`` of these are.

        ``stopping`` is what is raised for whoever waits at the close.
        """
        self._load = load
        self._choose = choose
        self._keys_max = keys_max
        self._window_seconds = window_seconds
        self._loads_max = loads_max
        self._stopping = stopping
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loads: set[asyncio.Task[None]] = set()
        self._closed = False

    def ask(self, key: K) -> asyncio.Future[V]:
        """Load a key together with others.  The future raises what its load gave, or ``stopping`` when closed."""
        loop = asyncio.get_running_loop()
        call: asyncio.Future[V] = loop.create_future()
        if self._closed:
            call.set_exception(self._told())
            return call
        self._waiting.setdefault(key, []).append(call)
        if len(self._waiting) >= self._keys_max:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(self._window_seconds, self._begin)
        return call

    def _begin(self) -> None:
        """Begin as many loads as may run; what is left waits for the end of one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and len(self._loads) < self._loads_max:
            chosen = list(islice(self._choose(self._waiting), self._keys_max))
            calls = {key: self._waiting.pop(key) for key in chosen}
            awaited = {key: some for key, some in calls.items() if not all(call.done() for call in some)}
            if awaited:
                load = asyncio.create_task(self._run(awaited), name="batched-load")
                self._loads.add(load)
                load.add_done_callback(partial(self._ended, awaited))

    async def _run(self, calls: Calls[K, V]) -> None:
        async for key, result in self._load(tuple(calls)):
            _answer(calls[key], result)

    def _ended(self, calls: Calls[K, V], load: asyncio.Task[None]) -> None:
        """Whatever ended a load, nobody waits for it any longer."""
        self._loads.discard(load)
        error = self._told() if load.cancelled() else load.exception()
        for some in calls.values():
            _answer(some, error or LookupError("A load left a key unanswered"))
        if self._timer is None:
            self._begin()

    async def close(self) -> None:
        """End what is under way; who still waits is told that the service is stopping.  Idempotent."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for calls in self._waiting.values():
            _answer(calls, self._told())
        self._waiting = {}
        loads = list(self._loads)
        for load in loads:
            load.cancel()
        await asyncio.gather(*loads, return_exceptions=True)

    def _told(self) -> CacheUnavailable | SourceUnavailable:
        return self._stopping("The service is stopping")


def _answer(calls: Iterable[asyncio.Future[V]], result: V | BaseException) -> None:
    for call in calls:
        if call.done():
            continue
        if isinstance(result, BaseException):
            call.set_exception(result)
        else:
            call.set_result(result)
