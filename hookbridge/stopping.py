"""The signals that end a process in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopping(stop: Callable[[], object]) -> Iterator[None]:
    """Have SIGTERM, SIGINT and SIGHUP call ``stop``; a hang-up that is ignored at the start (nohup) stays so.

    After one of them the process is on its way out, and no other one changes how it ends.
    """
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    came = False

    def stopped() -> None:
        nonlocal came
        came = True
        stop()

    for number in numbers:
        loop.add_signal_handler(number, stopped)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            if came:
                signal.signal(number, signal.SIG_IGN)
