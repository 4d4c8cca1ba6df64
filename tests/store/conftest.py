"""One store per test, on every engine there is."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from hookbridge.store.contract import Store
from tests.support import databases
from tests.support.engines import EVERY_ENGINE, chosen, opened_on, spread

Reopen = Callable[[], Awaitable[Store]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    spread(metafunc, EVERY_ENGINE)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "pooler" and not databases.has_pooler():
        pytest.skip("pgbouncer is not installed")
    with chosen(request.param):
        yield request.param


@pytest.fixture
async def reopen(engine: str, tmp_path: Path) -> AsyncIterator[Reopen]:
    """Close the store when it is open, and open it (again) on the same data."""
    opened: list[Store] = []

    async def again() -> Store:
        for store in opened:
            await store.close()
        opened[:] = [await opened_on(engine, tmp_path / "data")]
        return opened[0]

    yield again
    for store in opened:
        await store.close()


@pytest.fixture
async def store(reopen: Reopen) -> Store:
    return await reopen()
