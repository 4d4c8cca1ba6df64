"""The standard streams of a service: a thread writes them, and nobody who prints or logs waits for their readers.

Invariants: a write takes no time and raises nothing, whatever is at the other end: a pipe that is full, a terminal that
was stopped, a disk without room.  What waits is bounded; what finds no room, or could not be written, is counted.
A line that was cut, because there was room for a part of it, takes no other one with it.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from typing import Any, TextIO

WAITING_MAX = 4 * 1024 * 1024
"""Bytes that wait to be written: some 20,000 lines."""
GATHER_SECONDS = 0.01
"""So long lines come together, so that a burst is one write."""
LAST_SECONDS = 1.0
"""So long the end of the process waits for the last lines."""


class Queued(io.RawIOBase):
    """A descriptor that a thread writes to.

    ``tell`` is called with the number of writes that were dropped, once there are writes again.
    """

    def __init__(self, descriptor: int, tell: Callable[[int], object]) -> None:
        self._descriptor = descriptor
        self._tell = tell
        self.dropped = 0
        """Writes that did not arrive: of a stream that is buffered by lines, lines."""
        self._told = 0
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._idle = True
        self._finished = False
        self._changed = threading.Condition()  # reentrant: a line may be written while another one is being added
        threading.Thread(target=self._run, name="hookbridge-output", daemon=True).start()

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:  # noqa: ANN401  the base's
        """Take bytes to be written, or drop them; gives their number either way."""
        taken = bytes(data)
        with self._changed:
            if self._finished or self._size + len(taken) > WAITING_MAX:
                self.dropped += 1
            else:
                self._waiting.append(taken)
                self._size += len(taken)
                if self._idle:
                    self._idle = False
                    self._changed.notify_all()
        return len(taken)

    def drain(self, seconds: float) -> None:
        """Wait until what was written so far is out, so long at the most."""
        with self._changed:
            self._changed.wait_for(lambda: self._idle, seconds)

    def finish(self) -> None:
        """Wait shortly for the last lines.  What comes afterwards is dropped."""
        self.drain(LAST_SECONDS)
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def _run(self) -> None:
        arrives, cut = True, False
        while self._await():
            time.sleep(GATHER_SECONDS)
            with self._changed:
                writes = list(self._waiting)
                self._waiting.clear()
                self._size = 0
                lost = self.dropped - self._told if arrives else 0
                self._told += lost
            if lost:  # before these are out: it waits behind them, and there is room for it
                self._tell(lost)
            if cut:  # what comes now begins a line of its own
                writes[0] = b"\n" + writes[0]
            data = b"".join(writes)
            sent = self._send(data)
            arrives = sent == len(data)
            if arrives:
                cut = False
            else:
                cut = data[sent - 1 : sent] != b"\n" if sent else cut
                with self._changed:
                    self.dropped += sum(end > sent for end in accumulate(map(len, writes)))

    def _await(self) -> bool:
        """Wait for something to write; gives whether there will be."""
        with self._changed:
            if not self._waiting:
                self._idle = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._finished)
            return not self._finished

    def _send(self, data: bytes) -> int:
        """Write it all, however long that takes; gives how many bytes of it could be written."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # another process that has this descriptor wants it so
                select.select([], [self._descriptor], [])
            except OSError:
                break
        return len(data) - len(left)


_queued: list[Queued] = []
"""The streams of this process."""


def queue_standard_streams(tell: Callable[[int], object]) -> None:
    """Have a thread write stdout, and one stderr, from now to the end of the process; ``tell`` as ``Queued`` has it."""
    sys.stdout = _behind_queue(sys.stdout, tell)
    sys.stderr = _behind_queue(sys.stderr, tell)


def drain() -> None:
    """Wait shortly until the standard streams are written."""
    for one in _queued:
        one.drain(LAST_SECONDS)


def dropped() -> int:
    """How many lines of the standard streams were dropped: nobody took them in time, or they could not be written."""
    return sum(one.dropped for one in _queued)


def _behind_queue(stream: TextIO, tell: Callable[[int], object]) -> TextIO:
    with suppress(OSError):  # it cannot be written: so will the thread find
        stream.flush()
    queued = Queued(stream.fileno(), tell)
    _queued.append(queued)
    text = io.TextIOWrapper(
        io.BufferedWriter(queued), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )

    def end() -> None:
        text.flush()
        queued.finish()

    atexit.register(end)
    return text
