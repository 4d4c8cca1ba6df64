"""How a script that starts other processes is run, so that none of them and none of its files outlives it.

Invariants: Ctrl-C and SIGTERM cancel the work, which ends its processes as after any other end, and then the folder
goes.  Those processes are started by ``programs``.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHELLS_SIGNAL = 128
"""What a shell adds to a signal's number to tell it as an exit code."""
UNUSABLE = 2
"""The exit code of a run that cannot be, as of the commands."""


def run(prefix: str, work: Callable[[Path], Coroutine[Any, Any, int]]) -> int:
    """Do the work in an empty folder that goes with it; gives its exit code, or the one of the signal that ended it."""
    with asyncio.Runner() as runner:
        return runner.run(_guarded(prefix, work))


async def _guarded(prefix: str, work: Callable[[Path], Coroutine[Any, Any, int]]) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    received: list[int] = []

    def end(number: int) -> None:
        if not received:  # a second one must not cut the cleaning short
            received.append(number)
            task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, end, number)
    try:
        with tempfile.TemporaryDirectory(prefix=prefix) as folder:
            return await work(Path(folder))
    except asyncio.CancelledError:
        if not received:
            raise
        return SHELLS_SIGNAL + received[0]


def refuse(problem: str, advice: str) -> int:
    """Say what keeps a script from running; gives its exit code."""
    print(f"error: {problem}", f"try: {advice}", sep="\n", file=sys.stderr)
    return UNUSABLE


def unless_linux() -> int | None:
    """Refuse where there is no prlimit and no /proc."""
    if hasattr(resource, "prlimit"):
        return None
    return refuse("this needs prlimit and /proc, which only Linux has", "run it in a Linux container")
