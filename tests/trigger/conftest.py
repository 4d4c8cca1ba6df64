"""A Postgres server for this folder, and a project of each test's own on it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.postgres import server
from tests.support.project import Project
from tests.support.project import project as new_project


@pytest.fixture(scope="package")
def server_url() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
async def project(server_url: str) -> AsyncIterator[Project]:
    async with new_project(server_url) as one:
        yield one
