"""One call of a user's handler, in a task of its own: nothing that it does reaches beyond its change.

Invariants: whatever a handler raises, or a task that it started, comes out as ``HandlerFailed``, also what is no
``Exception``; cancelling its own task ends the call and nothing else; a call that took longer than its time has failed,
whatever the handler makes of being cancelled; and who cancels the worker does not wait for a handler that takes no
cancellation.  It decides neither which handlers are called nor what their failures mean.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import FrameType
from typing import Any

import msgspec
import structlog

from hookbridge.api.health import StuckHandler
from hookbridge.config import HandlersConfig
from hookbridge.errors import HandlerFailed, HandlerGaveUp, PermanentFailure, named
from hookbridge.handlers import Handler, file_of, name_at, name_of
from hookbridge.model import Change
from hookbridge.observe import places
from hookbridge.observe.redaction import without_secrets

ENDING_SECONDS = 0.5
"""So long a handler has to end once it was cancelled; what does not end is stuck."""

_caller: ContextVar[Handler] = ContextVar("hookbridge_handler")
"""The handler that runs, also in the tasks that it starts."""

_log = structlog.get_logger(__name__)


class _Stuck(msgspec.Struct, frozen=True):
    handler: Handler
    where: str
    since: float


class Calls:
    """The calls of all handlers: so many at once, each for so long."""

    def __init__(self, config: HandlersConfig, clock: Callable[[], float]) -> None:
        self._timeout_seconds = config.timeout_seconds
        self._places = asyncio.Semaphore(config.concurrency)
        self._clock = clock
        self._stuck: dict[asyncio.Task[Any], _Stuck] = {}

    async def call(self, handler: Handler, change: Change) -> None:
        """Call it.  Raises HandlerFailed.

        A handler that is stuck keeps its worker, because nothing else may be done to its record meanwhile, but no place
        that another call could have.
        """
        async with self._places:
            # In the worker's own task, a handler that cancels its task would look like the end of the service.  15 µs.
            task = asyncio.create_task(_outcome_of(handler, change), name="handler")
            try:
                late = await self._past_its_time(task, handler)
            except asyncio.CancelledError:
                await _leave(task, handler)
                raise
        if not task.done():
            await self._stuck_until_it_ends(task, handler, late)
        # A task that cancelled itself is cancelled also where its coroutine came to an end.
        error = asyncio.CancelledError() if task.cancelled() else task.result()
        if late is not None:
            took = TimeoutError(f"it did not end within {self._timeout_seconds:g} s")
            took.__cause__ = error
            raise failed(handler, took, late)
        if error is not None:
            raise failed(handler, error)

    async def _past_its_time(self, task: asyncio.Task[Any], handler: Handler) -> str | None:
        """Wait for its end, or cancel it in the end; gives where it was then, None when it ended in time."""
        await asyncio.wait([task], timeout=self._timeout_seconds)
        if task.done():
            return None
        where = name_at(handler, places.place(places.of_waiting(task.get_coro()), file_of(handler)))
        task.cancel()
        await asyncio.wait([task], timeout=ENDING_SECONDS)
        return where

    async def _stuck_until_it_ends(self, task: asyncio.Task[Any], handler: Handler, where: str | None) -> None:
        stuck = self._stuck[task] = _Stuck(handler, where or name_of(handler), self._clock())
        _log.error(
            "A handler does not end, although its time is up and it was cancelled; its worker waits for it",
            handler=stuck.where,
            hint="let CancelledError through, and give what it waits for a timeout",
        )
        try:
            await asyncio.wait([task])
            _log.warning("A handler that was stuck has ended", handler=stuck.where)
        except asyncio.CancelledError:
            await _leave(task, handler)
            raise
        finally:
            del self._stuck[task]

    def stuck(self) -> tuple[StuckHandler, ...]:
        """Say which handlers do not end."""
        since: dict[str, list[float]] = {}
        for stuck in self._stuck.values():
            since.setdefault(stuck.where, []).append(stuck.since)
        now = self._clock()
        return tuple(
            StuckHandler(handler=where, workers=len(times), waiting_seconds=round(now - min(times), 3))
            for where, times in since.items()
        )

    def stuck_workers(self, names: tuple[str, ...]) -> dict[str, int]:
        """Count the workers that are stuck in each of the handlers of these names."""
        workers = Counter(dict.fromkeys(names, 0))
        workers.update(name_of(stuck.handler) for stuck in self._stuck.values())
        return dict(workers)


async def _leave(task: asyncio.Task[Any], handler: Handler) -> None:
    """End a call because its worker ends, and do not wait for one that takes no cancellation."""
    task.cancel()
    await asyncio.wait([task], timeout=ENDING_SECONDS)
    if not task.done():
        _log.error("A handler takes no cancellation, and is left behind", handler=name_of(handler))


async def _outcome_of(handler: Handler, change: Change) -> BaseException | None:
    """Call it; gives what it raised.  What is no Exception would end the loop if a task ended with it."""
    _caller.set(handler)
    try:
        await handler(change)
    except BaseException as error:  # noqa: BLE001  see above; being closed or cancelled ends here, too
        return error
    return None


def handler_at(frame: FrameType | None) -> str | None:
    """Name the handler that a running frame is of, with the line of the user's code; None when it is of none."""
    innermost, handler = frame, None
    while frame is not None and handler is None:
        if frame.f_code in _RUNNING:
            handler = frame.f_locals["handler"]
        frame = frame.f_back
    if handler is None:
        return None
    return name_at(handler, places.place(places.of_running(innermost), file_of(handler)))


def failed(handler: Handler, error: BaseException, where: str | None = None) -> HandlerFailed:
    """Say what a handler raised, in which line of the user's code, and keep its traceback."""
    told, alone = places.traceback_of(error, without=__file__, clean=without_secrets), error
    while isinstance(alone, BaseExceptionGroup) and len(alone.exceptions) == 1:
        alone = alone.exceptions[0]  # a group of one says nothing more
    if where is None:
        where = name_at(handler, places.place(places.of_traceback(alone.__traceback__), file_of(handler)))
    final = _permanent(error)
    failure = (HandlerFailed if final is None else HandlerGaveUp)(
        without_secrets(f"{where}: {named(alone, without_secrets)}"),
        hint="" if final is None else without_secrets(final.hint),
        traceback=told,
    )
    failure.__cause__ = error
    return failure


def _permanent(error: BaseException) -> PermanentFailure | None:
    """Give the PermanentFailure that it is, or that a task group of the handler's gathered."""
    if isinstance(error, PermanentFailure):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((one for one in map(_permanent, error.exceptions) if one is not None), None)
    return None


# The tasks that a handler starts.  One that ends with KeyboardInterrupt or SystemExit ends the loop, whoever awaits it.


async def _contained(inner: Awaitable[Any], handler: Handler) -> Any:  # noqa: ANN401  whatever it gives
    """Await a coroutine of a handler's own task: its worst ending is an error like any other."""
    try:
        return await inner
    except (KeyboardInterrupt, SystemExit) as error:
        message = f"a task that {name_of(handler)} started ended with {type(error).__name__}"
        raise RuntimeError(message) from error


_RUNNING = (_outcome_of.__code__, _contained.__code__)
"""What has a handler's code inside of it, and says which in ``handler``."""


class _Containing:
    """A loop's task factory."""

    def __init__(self, before: Callable[..., asyncio.Future[Any]] | None) -> None:
        self._make = before

    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Any,  # noqa: ANN401  typeshed: a generator or a coroutine
        **more: Any,  # noqa: ANN401  Python's own
    ) -> asyncio.Future[Any]:
        """Make a task as it was made before, of a contained coroutine where a handler runs."""
        handler = _caller.get(None)
        made: Any = coroutine
        if handler is not None:
            made = _contained(coroutine, handler)
            made.__qualname__ = getattr(coroutine, "__qualname__", type(coroutine).__qualname__)
        task = asyncio.Task(made, loop=loop, **more) if self._make is None else self._make(loop, made, **more)
        if handler is not None:
            # One that was cancelled before it began would be left unawaited, with a warning.
            task.add_done_callback(lambda _: coroutine.close())
        return task


def contain_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """See that no task which a handler starts ends the loop; other tasks are made as before."""
    before = loop.get_task_factory()
    if not isinstance(before, _Containing):
        loop.set_task_factory(_Containing(before))
