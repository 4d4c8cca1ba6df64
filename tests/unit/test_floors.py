"""From where on a claim looks on Postgres, and how soon it looks at everything again."""

import pytest

from hookbridge.store.postgres.floors import EVERYTHING_SECONDS, EVERYTHING_SECONDS_MAX, LATE_SECONDS, Floor


def looked(seconds: float, *, short: bool) -> Floor:
    """One that looked at everything until 0, for so long, and then once more from where that had ended."""
    floor = Floor()
    assert floor.begin(-seconds) == 0.0
    floor.end(0.0, 100.0, seconds, 0.0, short=False)
    assert floor.begin(0.0) == 100.0 - LATE_SECONDS
    floor.end(100.0 - LATE_SECONDS, None, 0.0, 0.0, short=short)
    return floor


@pytest.mark.parametrize("seconds", [0.001, 1.0, 60.0, 3_600.0])
def test_what_lies_below_is_seen_soon_however_long_the_last_look_took(seconds: float) -> None:
    floor = looked(seconds, short=False)
    assert floor.begin(EVERYTHING_SECONDS_MAX) == 0.0


@pytest.mark.parametrize("seconds", [0.001, 1.0, 60.0, 3_600.0])
def test_where_little_waits_it_is_seen_sooner(seconds: float) -> None:
    floor = looked(seconds, short=True)
    floor.end(floor.begin(EVERYTHING_SECONDS), None, 0.0, EVERYTHING_SECONDS, short=True)
    assert floor.begin(EVERYTHING_SECONDS) == 0.0


def test_a_look_at_everything_that_takes_long_is_not_made_all_the_time() -> None:
    floor = looked(1.0, short=False)
    assert floor.begin(EVERYTHING_SECONDS + 5.0) > 0.0
