"""The signals that end a process in order, and the end of one that does not end."""

from __future__ import annotations

import asyncio
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopping(stop: Callable[[], object], *, at_once: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Have SIGTERM, SIGINT and SIGHUP call ``stop``; a hang-up that is ignored at the start (nohup) stays so.

    After one of them the process is on its way out, and no other one changes how it ends.  ``stop`` is called by the
    event loop, ``at_once`` whatever the loop does: in the signal handler, as often as a signal comes.
    """
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    came = False

    def arrived(*_: object) -> None:
        nonlocal came
        came = True
        at_once()
        loop.call_soon_threadsafe(stop)

    # Not the loop's own handlers: while code of a user's blocks the loop, those would hear of nothing.
    before = {number: signal.signal(number, arrived) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if came else handler)


class LastResort:
    """Ends a process that does not end by itself: a thread that waits, because all others may be kept from it."""

    def __init__(self, seconds: float, end: Callable[[], object]) -> None:
        """``end`` is called so long after the first ``begin``, unless the process is gone by then."""
        self._seconds = seconds
        self._end = end
        # Of all that wakes a thread, only this may be used in a signal handler that interrupts itself.
        self._begun: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=self._wait, name="last-resort", daemon=True).start()

    def begin(self) -> None:
        """Say that the process is on its way out.  Any number of times, from anywhere, a signal handler too."""
        self._begun.put(None)

    def _wait(self) -> None:
        self._begun.get()
        time.sleep(self._seconds)
        self._end()
