"""Databases, empty ones too, and what only this engine has to be asked about."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from hookbridge.store.postgres import PostgresStore
from tests.support import databases
from tests.support.postgres import database

Opened = Callable[[str], Awaitable[PostgresStore]]


@pytest.fixture
def url(engine: str, tmp_path: Path) -> str:
    """A database with the schema."""
    return databases.url(tmp_path)


@pytest.fixture
def pooled(url: str, tmp_path: Path) -> str:
    """The same one, through a pooler that gives each transaction another session."""
    if not databases.has_pooler():
        pytest.skip("pgbouncer is not installed")
    return databases.url(tmp_path, pooled=True)


@pytest.fixture
async def empty(engine: str) -> AsyncIterator[str]:
    """A database with nothing in it."""
    async with database(databases.server_url()) as one:
        yield one


@pytest.fixture
async def sql(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else's to the database with the schema."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Open stores that are closed at the end."""
    stores: list[PostgresStore] = []

    async def one(url: str) -> PostgresStore:
        store = await PostgresStore.open(url)
        stores.append(store)
        return store

    yield one
    for store in stores:
        await store.close()
