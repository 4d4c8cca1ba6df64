"""What is old: by the time that was seen to pass, whatever clocks said."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest

from hookbridge.retention import RUNS_MAX, SAME_RUN_SECONDS, Run, forgotten, noted, old
from hookbridge.store.values import Span

DAY = 86_400.0
AGE = 14 * DAY
NOW = 1_000 * DAY


def is_old(at: float, runs: Sequence[Run], now: float = NOW) -> bool:
    return any(one.start <= at < one.end for one in old(runs, now, AGE))


def test_where_the_clock_is_right_it_alone_decides() -> None:
    for runs in (
        (Run(NOW, NOW),),
        (Run(NOW - 90 * DAY, NOW),),
        (Run(NOW - 90 * DAY, NOW - 3 * DAY), Run(NOW - 2.5 * DAY, NOW)),
        tuple(Run(NOW - (n + 0.5) * DAY, NOW - n * DAY) for n in reversed(range(40))),
    ):
        assert is_old(NOW - AGE - 1.0, runs)
        assert is_old(0.0, runs)
        assert not is_old(NOW - AGE + 1.0, runs)
        assert not is_old(NOW, runs)
        assert not is_old(NOW + DAY, runs)


@pytest.mark.parametrize("behind", [15 * DAY, 90 * DAY, NOW])
def test_what_a_run_wrote_whose_clock_was_behind_is_as_old_as_any(behind: float) -> None:
    wrong, hour = NOW - behind, 3_600.0
    for lasted, expected in ((0.0, False), (6 * DAY, False), (15 * DAY, True)):
        runs = (Run(NOW - 90 * DAY, NOW - 2 * hour), Run(wrong, wrong + hour), Run(NOW, NOW + lasted))
        assert is_old(wrong + 60.0, runs, NOW + lasted) is expected
        # Nor is anything else of the last days taken for older than it is.
        assert not is_old(NOW + lasted - 13 * DAY, runs, NOW + lasted)


@pytest.mark.parametrize("ahead", [15 * DAY, 20 * 365 * DAY])
def test_a_start_whose_clock_is_ahead_makes_nothing_old(ahead: float) -> None:
    before = Run(NOW - 90 * DAY, NOW)
    wrong = Run(NOW + ahead, NOW + ahead + 60.0)
    assert not is_old(NOW - 1.0, (before, wrong), wrong.ended)
    assert not is_old(NOW - 6 * DAY, (before, wrong), wrong.ended)
    right = Run(NOW + 120.0, NOW + 180.0)
    for at in (NOW - 1.0, NOW - 6 * DAY, NOW - 13 * DAY, wrong.began + 1.0, right.began):
        assert not is_old(at, (before, wrong, right), right.ended)


def test_what_was_written_ahead_becomes_old_like_anything_else_and_not_when_that_date_has_come() -> None:
    wrong = Run(NOW + 9_000 * DAY, NOW + 9_000 * DAY + 60.0)
    for days, expected in ((0, False), (13, False), (15, True)):
        now = NOW + days * DAY
        assert is_old(wrong.began + 1.0, (wrong, Run(NOW, now)), now) is expected
        assert not is_old(now + DAY, (wrong, Run(NOW, now)), now)


def test_of_a_pause_no_more_than_half_of_the_age_counts() -> None:
    before = Run(NOW - 200 * DAY, NOW - 100 * DAY)
    for lasted, expected in ((0.0, False), (6 * DAY, False), (8 * DAY, True)):
        assert is_old(before.ended - 60.0, (before, Run(NOW, NOW + lasted)), NOW + lasted) is expected
    assert is_old(before.ended - 8 * DAY, (before, Run(NOW, NOW)))


# What is noted


def test_a_run_goes_on_also_over_a_short_pause_and_a_clock_that_is_a_little_late() -> None:
    runs = noted((), NOW, 0.0)
    assert runs == (Run(NOW, NOW),)
    runs = noted(runs, NOW + 60.0, 60.0)
    assert runs == (Run(NOW, NOW + 60.0),)
    runs = noted(runs, NOW + 30.0, 0.0)
    assert runs == (Run(NOW, NOW + 60.0),)
    runs = noted(runs, NOW + 60.0 + SAME_RUN_SECONDS, 0.0)
    assert runs == (Run(NOW, NOW + 60.0 + SAME_RUN_SECONDS),)


def test_a_pause_or_a_clock_that_was_set_begins_another_run() -> None:
    first = Run(NOW - DAY, NOW)
    assert noted((first,), NOW + DAY, 0.0) == (first, Run(NOW + DAY, NOW + DAY))
    assert noted((first,), NOW - DAY, 0.0) == (first, Run(NOW - DAY, NOW - DAY))
    # While it runs: the minute since the last note may be by either clock.
    assert noted((first,), NOW + 30 * DAY, 60.0) == (
        Run(NOW - DAY, NOW + 60.0),
        Run(NOW + 30 * DAY - 60.0, NOW + 30 * DAY),
    )


def test_runs_are_forgotten_when_nothing_can_be_left_of_them_and_there_are_never_very_many() -> None:
    months = tuple(Run(NOW - n * 30 * DAY, NOW - (n - 1) * 30 * DAY) for n in range(6, 0, -1))
    assert forgotten(months, AGE) == months[-1:]
    assert forgotten(months, 90 * DAY) == months
    runs: tuple[Run, ...] = ()
    for n in range(RUNS_MAX + 5):
        runs = noted(runs, NOW + n * DAY, 0.0)
    assert len(runs) == RUNS_MAX


def test_spans_do_not_overlap_and_the_first_begins_before_all_time() -> None:
    runs = (Run(NOW - 40 * DAY, NOW - 39 * DAY), Run(NOW - 30 * DAY, NOW - 29 * DAY), Run(NOW, NOW + DAY))
    spans = old(runs, NOW + DAY, AGE)
    assert spans[0].start == -math.inf
    assert all(before.end <= after.start for before, after in pairwise(spans))
    assert old((Run(NOW, NOW),), NOW, AGE) == (Span(-math.inf, NOW - AGE),)
