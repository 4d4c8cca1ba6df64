"""``scripts/pull-test`` in short: a service that takes from an outbox is killed, its database stopped, nothing lost."""

from pathlib import Path

import pytest

from scripts.pulling.trial import Options, Result, Way, run
from tests.support.scripts import needs_linux

pytestmark = needs_linux


@pytest.mark.parametrize("way", ["data_api", "database"])
async def test_what_writers_do_meanwhile_is_all_there_and_in_order(tmp_path: Path, way: Way) -> None:
    options = Options(changes=600, writers=4, kills=1, stops=1, way=way, seed=20_261_129)
    said: list[str] = []
    result = await run(tmp_path, options, said.append)
    assert result.kept, result
    assert (result.kills, result.stops) == (1, 1)
    assert result.events >= result.changes > 600
    assert result.transactions > 0


@pytest.mark.parametrize(
    "wrong",
    [{"differing": 1}, {"overtaken": 1}, {"refused": {"40001": 1}}, {"events": 0}],
    ids=lambda one: next(iter(one)),
)
def test_a_run_that_lost_something_is_no_success(wrong: dict[str, object]) -> None:
    fine = Result(seed=1, way="database", events=5)
    assert fine.kept
    for name, value in wrong.items():
        setattr(fine, name, value)
    assert not fine.kept
