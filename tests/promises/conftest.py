"""Every promise is kept on every engine."""

from collections.abc import Iterator

import pytest

from tests.support.engines import ENGINES, chosen, spread


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    spread(metafunc, ENGINES)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    with chosen(request.param):
        yield request.param
