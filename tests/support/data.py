"""What a store keeps, as somebody beside the service sees it, and a store in trouble; whatever the engine is."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from hookbridge.config import Settings
from hookbridge.store.contract import Store
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.sqlite.readers import BROWSERS, SEARCHERS
from tests.support import databases
from tests.support.engines import at, database_of, opened_file, opened_on
from tests.support.files import refuse_writes
from tests.support.running import Running

_REFUSE = """
    CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""
NO_DISK_HAS = 1 << 60
"""Bytes."""
_EACH = "SELECT tablename FROM pg_tables WHERE schemaname = 'hookbridge'"


@asynccontextmanager
async def opened_store(engine: str, folder: Path) -> AsyncIterator[Store]:
    """A store of this engine on the data of the folder, without a service."""
    store = await opened_on(engine, folder)
    try:
        yield store
    finally:
        await store.close()


async def sampled(settings: Settings, minutes: int) -> float:
    """Look at the counters as a process that has run for so many minutes, until now; gives when it began."""
    on_file = database_of(settings.folder) is None
    store = await (opened_file(settings.data_file) if on_file else opened_on("postgres", settings.folder))
    now = time.time()
    for ago in range(minutes, -1, -1):
        await at(store, now - 60.0 * ago).take_sample()
    await store.close()
    return now - 60.0 * minutes


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


async def disk_gets_low(service: Running) -> None:
    """Have the disk nearly full from now on, as the service sees it, which looks again every few seconds."""
    upkeep, store = service.service.upkeep, service.service.store

    async def nothing() -> int:
        return 0

    upkeep._min_free_bytes = NO_DISK_HAS
    store.free_bytes = store.reusable_bytes = nothing  # type: ignore[method-assign]
    await upkeep.look_at_disk()
    assert service.service.intake.disk_is_low


@asynccontextmanager
async def refusing(service: Running) -> AsyncIterator[None]:
    """Inside, nothing can be written: the file is read-only, or the server takes nobody in."""
    url = database_of(service.service.settings.folder)
    if url is None:
        store = service.service.store
        assert isinstance(store, SqliteStore)
        refuse_writes(store, refuse=True)
        yield
        refuse_writes(store, refuse=False)
        return
    name = urlsplit(url).path.removeprefix("/")
    async with connected(databases.server_url()) as server:
        await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        try:
            yield
        finally:
            await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@asynccontextmanager
async def searches_stand(service: Running, *, lists: bool = False) -> AsyncIterator[None]:
    """Inside, no search comes to an end, and no list either where that is asked for."""
    url = database_of(service.service.settings.folder)
    if url is None:
        async with _threads_are_busy(service, lists=lists):
            yield
        return
    async with connected(url) as database, database.transaction():
        await database.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        await database.execute(f"LOCK TABLE words{', events, copies' if lists else ''}")
        yield


@asynccontextmanager
async def _threads_are_busy(service: Running, *, lists: bool) -> AsyncIterator[None]:
    store = service.service.store
    assert isinstance(store, SqliteStore)
    gate = threading.Event()
    groups = [(store._engine.search, SEARCHERS), *([(store._engine.browse, BROWSERS)] if lists else [])]
    held = [asyncio.ensure_future(run(lambda _: gate.wait(90))) for run, number in groups for _ in range(number)]
    try:
        yield
    finally:
        gate.set()
        await asyncio.gather(*held)
