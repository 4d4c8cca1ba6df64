"""The fixtures of tests that speak HTTP with a running service, whatever its engine is."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.engines import ENGINES, chosen, spread
from tests.support.running import Running, make_settings, running


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    spread(metafunc, ENGINES)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    with chosen(request.param):
        yield request.param


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials that processes what it is sent."""
    async with running(make_settings(tmp_path, notion={"handshake": "accept"})) as one:
        yield one


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that stores and does not process: events stay open."""
    async with running(make_settings(tmp_path), process=False) as one:
        yield one
