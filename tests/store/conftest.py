"""One store per test, on every engine there is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hookbridge.store.contract import Store
from tests.support.engines import ENGINES, opened_on

Reopen = Callable[[], Awaitable[Store]]


@pytest.fixture(params=ENGINES)
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
    """Close the store when it is open, and open it (again) on the same data."""
    opened: list[Store] = []

    async def again() -> Store:
        for store in opened:
            await store.close()
        opened[:] = [await opened_on(request.param, tmp_path / "data")]
        return opened[0]

    yield again
    for store in opened:
        await store.close()


@pytest.fixture
async def store(reopen: Reopen) -> Store:
    return await reopen()
