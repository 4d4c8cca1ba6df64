"""The threads that read the file, each with a connection of its own that cannot write.

Three groups of them, so that nobody waits behind what may take longer than his own: short reads, pages of lists,
searches.  Invariant: a read that nobody waits for any more ends at once, and that touches no other read of its thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

from hookbridge.errors import StoreUnavailable

Result = TypeVar("Result")

READERS = 2
"""Threads for reads that find what they want by a key: copies, notes, standings."""

BROWSERS = 2
"""Threads for pages of lists, which look at some thousand rows."""

SEARCHERS = 2
"""Threads for searches and counts, which may have to look at everything: only they wait for each other."""


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Let several reads see the file as it is at the first of them."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


class Readers:
    """All connections that read one file."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], failed: Callable[[Exception], Exception]) -> None:
        """``failed`` hears what SQLite raised, and gives what is to be raised for it."""
        self._connect = connect
        self._failed = failed
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._short = ThreadPoolExecutor(READERS, thread_name_prefix="hookbridge-reader")
        self._pages = ThreadPoolExecutor(BROWSERS, thread_name_prefix="hookbridge-browser")
        self._searches = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="hookbridge-searcher")
        self._closed = False

    async def read(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a function that is soon done."""
        return await self._run(self._short, function)

    async def browse(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run one that looks at some thousand rows, out of the way of the short reads."""
        return await self._run(self._pages, function)

    async def search(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run one that may look at everything, out of the way of the pages, too."""
        return await self._run(self._searches, function)

    async def close(self) -> None:
        """End what is going on; whoever waits for it is told that the store is unavailable."""
        self._closed = True
        for connection in self._opened:
            connection.interrupt()
        for threads in (self._short, self._pages, self._searches):
            await asyncio.to_thread(threads.shutdown)
        for connection in self._opened:
            connection.close()

    async def _run(self, threads: ThreadPoolExecutor, function: Callable[[sqlite3.Connection], Result]) -> Result:
        self._check_open()
        reading = _Reading(function)
        try:
            # One that has not begun when it is cancelled never does.
            return await asyncio.get_running_loop().run_in_executor(threads, self._read, reading)
        except asyncio.CancelledError:
            reading.give_up()
            raise

    def _check_open(self) -> None:
        if self._closed:
            message = "The store is closed"
            raise StoreUnavailable(message)

    def _read(self, reading: _Reading[Result]) -> Result:
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._connect()
                self._opened.append(connection)
                connection.execute("PRAGMA query_only = ON")
            self._check_open()
            return reading.run(connection)
        except (sqlite3.Error, MemoryError) as error:
            raise self._failed(error) from error


class _Reading(Generic[Result]):
    """One call, from when it waits for a thread to its end."""

    def __init__(self, function: Callable[[sqlite3.Connection], Result]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._unwanted = False

    def run(self, connection: sqlite3.Connection) -> Result:
        """Do it, in a reader's thread."""
        with self._lock:
            if self._unwanted:
                message = "Nobody waits for this read any more"
                raise StoreUnavailable(message)
            self._connection = connection
        try:
            return self._function(connection)
        except sqlite3.Error as error:
            # A cursor that the error's frames keep would stay in its statement, and as long as one of a connection is
            # running, SQLite takes an interrupt for the next one, too.
            traceback.clear_frames(error.__traceback__)
            raise
        finally:
            with self._lock:  # from here on an interrupt would be for the thread's next read
                self._connection = None

    def give_up(self) -> None:
        """Let it end, from any thread; between two of its statements only the first one does not begin any more."""
        with self._lock:
            self._unwanted = True
            if self._connection is not None:
                self._connection.interrupt()
