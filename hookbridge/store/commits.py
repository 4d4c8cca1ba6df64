"""Group commit: jobs that arrive together share one transaction and one fsync.

A job that arrives while a commit is under way waits for the next one; a commit begins when the event loop has run what
was ready, so that all requests of one round are in one group.  A job's future is done only after its commit: a result
means fsynced, an exception means that nothing of the job is stored.  It knows no SQL: ``commit`` is the engine's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from hookbridge.errors import StoreUnavailable

Job = TypeVar("Job")

Results = Sequence[Any]
"""One entry for each job, in order: its result, or the exception it ends with."""

GROUP_MAX = 1024
"""Jobs in one transaction: bounds how long the ack of the first of them waits for the last."""

GROUP_BYTES = 8 * 1024 * 1024
"""A group ends with the job that makes it as heavy as this, for the same reason."""


class GroupCommit(Generic[Job]):
    """Hands jobs to an engine in groups, one group at a time unless it is told otherwise."""

    def __init__(
        self,
        commit: Callable[[list[Job], Callable[[Results], None]], None],
        weigh: Callable[[Job], int],
        *,
        at_once: int = 1,
        spacing_seconds: float = 0.0,
    ) -> None:
        """``commit(jobs, done)`` starts a transaction elsewhere; ``done(results)`` is called in the event loop.

        ``weigh(job)`` gives the bytes that it writes.  ``at_once`` groups may be under way.  Behind a group of several
        jobs the next one begins no sooner than ``spacing_seconds`` after it did: where each transaction has its price,
        there are fewer of them while there is much to do, and whoever is alone never waits.
        """
        self._commit = commit
        self._weigh = weigh
        self._at_once = at_once
        self._spacing = spacing_seconds
        self._loop = asyncio.get_running_loop()
        self.observer: Callable[[int, float], None] = lambda jobs, seconds: None
        """Told of each group when it is done: its jobs, and the seconds since it was handed over."""
        self._waiting: deque[tuple[Job, asyncio.Future[Any]]] = deque()
        self._under_way = 0
        self._not_before = 0.0
        self._scheduled = False
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """Add a job to the next group.  The future fails with StoreUnavailable when the store is closed."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed:
            message = "The store is closed"
            future.set_exception(StoreUnavailable(message))
            return future
        self._waiting.append((job, future))
        if not self._scheduled and self._under_way < self._at_once:
            self._scheduled = True
            self._idle.clear()
            if self._not_before > self._loop.time():
                self._loop.call_at(self._not_before, self._begin)
            else:
                self._loop.call_soon(self._begin)
        return future

    def _begin(self) -> None:
        self._scheduled = False
        jobs: list[Job] = []
        futures: list[asyncio.Future[Any]] = []
        weight = 0
        while self._waiting and weight < GROUP_BYTES and len(jobs) < GROUP_MAX:
            job, future = self._waiting.popleft()
            jobs.append(job)
            futures.append(future)
            weight += self._weigh(job)
        began = self._loop.time()
        self._under_way += 1
        self._not_before = began + self._spacing if len(jobs) > 1 else 0.0
        self._commit(jobs, lambda results: self._done(futures, began, results))

    def _done(self, futures: Sequence[asyncio.Future[Any]], began: float, results: Results) -> None:
        self.observer(len(futures), self._loop.time() - began)
        for future, result in zip(futures, results, strict=True):
            if future.done():  # its waiter was cancelled; what was stored stays stored
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._under_way -= 1
        if self._waiting:
            self._go_on()
        elif not self._under_way:
            self._idle.set()

    def _go_on(self) -> None:
        """Begin with what waits, now or when it is time."""
        if self._scheduled:
            return
        if self._not_before > self._loop.time():
            self._scheduled = True
            self._loop.call_at(self._not_before, self._begin)
        else:
            self._begin()

    async def close(self) -> None:
        """Refuse new jobs and wait until every submitted one is done."""
        self._closed = True
        await self._idle.wait()
