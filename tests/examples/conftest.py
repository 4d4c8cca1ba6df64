"""Services that the examples talk to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.running import Running, make_settings, running


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials."""
    async with running(make_settings(tmp_path, notion={"handshake": "accept"})) as one:
        yield one
