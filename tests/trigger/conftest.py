"""A project of each test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.support.project import Project
from tests.support.project import project as new_project


@pytest.fixture
async def project(postgres_url: str) -> AsyncIterator[Project]:
    async with new_project(postgres_url) as one:
        yield one
