"""A store of a test's own, and a disk that refuses."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from importlib import resources
from pathlib import Path

from hookbridge.store.ordinals import ordinal
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


@contextmanager
def older_file(path: Path, version: int) -> Iterator[sqlite3.Connection]:
    """A new data file as an older hookbridge made it, with the schema of that version."""
    schema = resources.files("hookbridge.store.sqlite").joinpath("schema")
    steps = sorted(step.name for step in schema.iterdir() if step.name.endswith(".sql"))
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("ordinal", 1, ordinal, deterministic=True)
        for step in steps[:version]:
            connection.executescript(schema.joinpath(step).read_text())
        yield connection
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
