"""How long what is ready waits for the event loop, and whose code keeps the loop from it.

Invariants: whoever blocks the loop is named while it does so, because it may never end; the thread that looks ends with
``run``, and reads another thread's frames only while the loop is late.  It interrupts nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import FrameType

import structlog

from hookbridge.observe.places import of_running, running

BEAT_SECONDS = 0.25

BLOCKED_SECONDS = 1.0
"""A loop that is later than this is blocked: the first senders hang up."""

_log = structlog.get_logger(__name__)


class LoopWatch:
    """Watches the loop that it runs in."""

    def __init__(self, observe: Callable[[float], None], handler_at: Callable[[FrameType], str | None]) -> None:
        """``observe`` is told of every beat's lag, in seconds; ``handler_at`` names the handler that a frame is of."""
        self._observe = observe
        self._handler_at = handler_at
        self._beat_at = 0.0
        self._blocking: dict[str, str | None] | None = None
        self._ended = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        self._beat_at = time.monotonic()
        thread = threading.Thread(target=self._look, args=(threading.get_ident(),), name="loop-watch", daemon=True)
        thread.start()
        try:
            while True:
                await asyncio.sleep(BEAT_SECONDS)
                self._beat()
        finally:
            self._ended.set()
            thread.join()

    def _beat(self) -> None:
        now = time.monotonic()
        lag = max(now - self._beat_at - BEAT_SECONDS, 0.0)
        self._beat_at = now
        self._observe(lag)
        if self._blocking is not None:
            _log.warning("The event loop was blocked", blocked_seconds=round(lag, 3), **self._blocking)
            self._blocking = None

    def _look(self, loop: int) -> None:
        """Look at the loop's thread from another one."""
        while not self._ended.wait(BEAT_SECONDS):
            if self._blocking is None and time.monotonic() - self._beat_at - BEAT_SECONDS > BLOCKED_SECONDS:
                self._tell(running().get(loop))

    def _tell(self, frame: FrameType | None) -> None:
        if frame is None:
            return
        file, number = of_running(frame)[-1]
        self._blocking = {"handler": self._handler_at(frame), "place": f"{file}:{number}"}
        _log.warning(
            "The event loop is blocked: no webhook is answered meanwhile",
            hint="await what takes long, or run it in a thread: await asyncio.to_thread(...)",
            **self._blocking,
        )
