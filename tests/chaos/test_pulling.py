"""``scripts/pull-test`` in short: a service is killed, its database stopped, the Data API away, and nothing is lost."""

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


async def test_what_writers_do_while_the_data_api_is_away_waits_there_and_comes_after_it(tmp_path: Path) -> None:
    options = Options(changes=300, writers=4, away_seconds=4.0, seed=20_261_129)
    result = await run(tmp_path, options, lambda _: None)
    assert result.kept, result
    assert result.waited == result.changes >= 300
    assert result.applied_seconds >= result.taken_seconds > 0
    assert "down · Supabase cannot be reached" in result.said[-1]
    assert "Changes wait at Supabase, and none is lost." in result.said[-1]


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


@pytest.mark.parametrize("wrong", [{"told_at_last": False}, {"waited": 4}], ids=lambda one: next(iter(one)))
def test_a_time_away_that_nobody_is_told_of_or_of_which_something_was_not_kept_is_no_success(
    wrong: dict[str, object],
) -> None:
    fine = Result(seed=1, way="data_api", events=5, changes=5, away_seconds=1.0, told_at_last=True, waited=5)
    assert fine.kept
    for name, value in wrong.items():
        setattr(fine, name, value)
    assert not fine.kept
