"""Every promise is kept on every engine."""

from collections.abc import Iterator

import pytest

from tests.support.engines import ENGINES, chosen


@pytest.fixture(params=ENGINES, autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    with chosen(request.param):
        yield request.param
