"""What a store keeps, as somebody beside the service sees it, and a disk that takes no more; whatever the engine is."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import asyncpg

from hookbridge.config import Settings
from hookbridge.store.sqlite import SqliteStore
from tests.support.engines import database_of
from tests.support.running import Running

_REFUSE = """
    CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""
_EACH = "SELECT tablename FROM pg_tables WHERE schemaname = 'hookbridge'"


async def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    """Ask the data itself, as another process sees it; the names of tables and columns are those of both engines."""
    url = database_of(settings.folder)
    if url is None:
        with closing(sqlite3.connect(settings.data_file)) as file, file:
            return file.execute(query).fetchall()
    async with connected(url) as database:
        return [tuple(row) for row in await database.fetch(query)]


async def count(settings: Settings, table: str) -> int:
    """How many rows another process sees there."""
    ((number,),) = await rows(settings, f"SELECT count(*) FROM {table}")
    return int(number)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect beside the service."""
    database: asyncpg.Connection = await asyncpg.connect(url, server_settings={"search_path": "hookbridge"})
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def full(service: Running) -> AsyncIterator[None]:
    """Inside, the disk takes no more than it has."""
    url = database_of(service.service.settings.folder)
    async with _full_file(service) if url is None else _full_server(url):
        yield


@asynccontextmanager
async def _full_file(service: Running) -> AsyncIterator[None]:
    store = service.service.store
    assert isinstance(store, SqliteStore)
    writer = store._engine._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        writer.execute("PRAGMA max_page_count = 1073741823")


@asynccontextmanager
async def _full_server(url: str) -> AsyncIterator[None]:
    async with connected(url) as database:
        tables = [name for (name,) in await database.fetch(_EACH)]
        await database.execute(_REFUSE)
        for name in tables:
            await database.execute(
                f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {name} EXECUTE FUNCTION public.full()"
            )
        try:
            yield
        finally:
            await database.execute("DROP FUNCTION public.full() CASCADE")
