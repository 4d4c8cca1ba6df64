"""Bringing the write-ahead log into the database file beside the writer, not inside its commits.

A checkpoint inside a commit would make the acks of that group wait for tens of milliseconds.  So a thread of its own
copies what has gathered, and the writer copies the little that came meanwhile: only a log that was copied to its end
starts over, and so stays small under a load without a pause.

Invariants: the log stays small whatever one job writes; and no checkpoint ever starts on a log that was copied whole
while the writer may begin it anew, for SQLite 3.7.0 to 3.51.2 lose pages then (the WAL-reset bug,
https://sqlite.org/wal.html#walresetbug).  So there is one checkpoint at a time, in turns: the writer tells the thread
after a commit that wrote; from then on the log has what is not copied until the thread is done, so it is not begun
anew; then the writer copies the rest by itself, and only a later commit that wrote tells the thread again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

EVERY_JOBS = 4_000
"""So many written jobs between two checkpoints: some 10 MB of log."""

EVERY_BYTES = 16 * 1024 * 1024
"""So much log between two checkpoints.  SQLite cuts a log that starts over to this size: a larger one has that much."""

_log = structlog.get_logger(__name__)


class Checkpoints:
    """The thread that copies, and the count that starts it."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        log: Path,
        *,
        failed: Callable[[sqlite3.Error], None],
        every_jobs: int = EVERY_JOBS,
    ) -> None:
        """``failed`` is told why a log could not be copied.  Raises what ``connect`` raises."""
        self._connection = connect()  # now, while its path is known to be the file's
        self._failed = failed
        self._log = log
        self._every_jobs = every_jobs
        self._jobs = 0
        self._told = False  # the writer's: the thread has its turn
        self._next_at_bytes = EVERY_BYTES
        self._due = threading.Event()
        self._finish = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._copy, name="hookbridge-checkpoints", daemon=True)
        self._thread.start()

    def written(self, jobs: int, writer: sqlite3.Connection) -> None:
        """Called by the writer after each commit, outside a transaction, with how many jobs of it wrote.

        A commit of none may leave a log that was copied whole as it is.
        """
        self._jobs += jobs
        if self._told:
            if self._finish.is_set():
                self._finish.clear()
                self._told = False
                self._checkpoint(writer)
        elif jobs and (self._jobs >= self._every_jobs or self._has_grown()):
            self._jobs = 0
            self._told = True
            self._due.set()

    def _has_grown(self) -> bool:
        try:
            size = self._log.stat().st_size
        except OSError:  # its folder is gone: the next commit says so
            return False
        if size <= EVERY_BYTES:
            self._next_at_bytes = EVERY_BYTES
        if size <= self._next_at_bytes:
            return False
        # Not at every commit from here on: a reader may keep the log from starting over for a while.
        self._next_at_bytes = size + EVERY_BYTES
        return True

    def _copy(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                break
            self._checkpoint(self._connection)
            self._finish.set()
        self._connection.close()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Copy what can be copied without making anyone wait."""
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            # The log keeps everything: a full disk only means that it grows until the next try.
            _log.warning("The write-ahead log could not be copied", error=str(error))
            self._failed(error)

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._due.set()
        self._thread.join()
