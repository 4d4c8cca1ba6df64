"""The service that commands talk to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import project as projects
from tests.support.faults import Scene
from tests.support.followed import sources
from tests.support.project import Project
from tests.support.running import Running, make_settings, running


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials that processes what it is sent."""
    async with running(make_settings(tmp_path / "data")) as one:
        yield one


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with sources() as both:
        both.supabase.insert("users", {"id": 1, "name": "Ada"})
        yield Scene(both, tmp_path)


@pytest.fixture
async def project(postgres_url: str) -> AsyncIterator[Project]:
    async with projects.project(postgres_url) as one:
        yield one
