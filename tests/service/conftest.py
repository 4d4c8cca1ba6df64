"""The fixtures of tests that speak HTTP with a running service."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.running import Running, make_settings, running


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
