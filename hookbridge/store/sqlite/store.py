"""The SQLite engine as a ``Store``: the roles, each of which has its file, on one data file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hookbridge.clock import Clock
from hookbridge.errors import StoreUnavailable
from hookbridge.model import Fault
from hookbridge.store import note_names
from hookbridge.store.nodes import Links
from hookbridge.store.sqlite.claims import Claims
from hookbridge.store.sqlite.copies import Copies
from hookbridge.store.sqlite.engine import Engine, Transaction
from hookbridge.store.sqlite.feed import Feed
from hookbridge.store.sqlite.file import free_bytes
from hookbridge.store.sqlite.inbox import Inbox
from hookbridge.store.sqlite.moving import Moving
from hookbridge.store.sqlite.named import Records
from hookbridge.store.sqlite.nodes import Nodes
from hookbridge.store.sqlite.notes import Counters, Notes
from hookbridge.store.sqlite.recent import Recent
from hookbridge.store.sqlite.rejections import Rejections
from hookbridge.store.sqlite.samples import Samples
from hookbridge.store.sqlite.stale_keys import Stale
from hookbridge.store.sqlite.sweeps import Sweeps
from hookbridge.store.sqlite.tombstones import Tombstones


class SqliteStore(
    Inbox,
    Claims,
    Stale,
    Copies,
    Tombstones,
    Feed,
    Rejections,
    Records,
    Recent,
    Sweeps,
    Notes,
    Counters,
    Samples,
    Nodes,
    Moving,
):
    """``hookbridge.store.contract.Store`` on one SQLite file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, path: Path, clock: Clock = time.time) -> SqliteStore:
        """Open or make the file.  Raises StartupError when it cannot be used or another process has it.

        ``clock`` says when a transaction was: the one by which events came, so that a row's times belong together.
        """
        return cls(Engine(path, clock))

    def describe(self) -> str:
        """Give the file's path."""
        return str(self._engine.path)

    def watch_commits(self, observer: Callable[[int, float], None]) -> None:
        """Tell the observer of each group that was committed."""
        self._engine.commits.observer = observer

    async def free_bytes(self) -> int | None:
        """Give the free space of the file's disk."""
        try:
            return free_bytes(self._engine.path)
        except OSError as error:
            message = f"The disk of the data file cannot be looked at: {error.strerror}"
            raise StoreUnavailable(message, hint="put its folder back") from error

    async def reusable_bytes(self) -> int:
        """The size of the file's free pages."""
        return await self._engine.read(_free_pages_bytes)

    @property
    def links(self) -> Links | None:
        """None: the file is this process's alone."""
        return None

    async def check_writable(self) -> None:
        """Commit a transaction that writes."""
        await self._engine.call(_touch)

    @property
    def fault(self) -> Fault | None:
        """What is known to be wrong with the file."""
        return self._engine.soundness.fault

    async def look(self) -> Fault | None:
        """Compare the open file with its path: an empty transaction does."""
        with suppress(StoreUnavailable):
            await self._engine.call(lambda _: None)
        return self.fault

    async def close(self) -> None:
        """Finish, then close."""
        await self._engine.close()


def _free_pages_bytes(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)


def _touch(transaction: Transaction) -> None:
    transaction.connection.execute(
        "INSERT INTO notes VALUES (?, '1') ON CONFLICT (name) DO UPDATE SET value = value + 1", (note_names.CHECKED,)
    )
