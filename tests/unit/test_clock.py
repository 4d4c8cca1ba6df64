"""The service's clock, while the machine's is set."""

from hookbridge.clock import FollowedClock, anchored_clock, happened

DAY = 86_400.0


class Machine:
    """A wall clock and one that nobody sets."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.up = 50.0

    def passes(self, seconds: float, *, set_by: float = 0.0) -> None:
        self.up += seconds
        self.wall += seconds + set_by


def test_a_clock_that_is_set_forward_is_followed_and_one_that_is_set_back_is_not() -> None:
    machine = Machine()
    now = anchored_clock(lambda: machine.wall, lambda: machine.up)
    assert now() == 1_000_000.0
    machine.passes(10.0)
    assert now() == 1_000_010.0
    machine.passes(10.0, set_by=30 * DAY)
    assert now() == 1_000_020.0 + 30 * DAY
    machine.passes(10.0, set_by=-31 * DAY)
    assert now() == 1_000_030.0 + 30 * DAY
    machine.passes(10.0, set_by=31 * DAY + 5.0)  # right again, and a little more
    assert now() == machine.wall == 1_000_045.0 + 30 * DAY


def test_a_clock_that_follows_another_one_is_not_ahead_of_it_and_does_not_go_back() -> None:
    machine = Machine()
    now = FollowedClock(lambda: machine.up)
    now.told(5_000.0)
    assert now() == 5_000.0
    machine.passes(10.0)
    assert now() == 5_010.0
    now.told(5_009.0)  # what it said was on its way for a second
    assert now() == 5_010.0
    now.told(5_300.0)
    machine.passes(1.0, set_by=30 * DAY)
    assert now() == 5_301.0


def test_what_lies_ahead_has_happened_at_no_known_time() -> None:
    assert happened(99.0, 100.0) == 99.0
    assert happened(100.0, 100.0) == 100.0
    assert happened(100.5, 100.0) is None
    assert happened(None, 100.0) is None
