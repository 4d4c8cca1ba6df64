"""A store of a test's own, and a disk that refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hookbridge.store.sqlite import SqliteStore
from tests.support.engines import opened_file


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqliteStore]:
    """A store on a file in the folder."""
    store = await opened_file(folder / "hookbridge.db")
    try:
        yield store
    finally:
        await store.close()


def refuse_writes(store: SqliteStore, *, refuse: bool) -> None:
    """Make the file read-only for SQLite, as a file system that went read-only does, or writable again."""
    # Not as a job: while the file is read-only no transaction begins.
    store._engine._writer.execute(f"PRAGMA query_only = {'ON' if refuse else 'OFF'}")
