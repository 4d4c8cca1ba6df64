"""One store per test, for every engine there is: whoever adds an engine adds a line here."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hookbridge.store.contract import Store
from hookbridge.store.sqlite import SqliteStore

Reopen = Callable[[], Awaitable[Store]]


@pytest.fixture(params=["sqlite"])
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
    """Close the store when it is open, and open it (again) on the same data."""
    opened: list[Store] = []

    async def again() -> Store:
        for store in opened:
            await store.close()
        opened[:] = [await SqliteStore.open(tmp_path / "data" / "hookbridge.db")]
        return opened[0]

    yield again
    for store in opened:
        await store.close()


@pytest.fixture
async def store(reopen: Reopen) -> Store:
    return await reopen()
