"""When a table that cannot be read is asked for again."""

import pytest

from hookbridge.errors import TableUnreadable
from hookbridge.pipeline.waits import FIRST_SECONDS, UNASKED_SECONDS, UNLISTED_MAX, Wait, Waits

GONE = TableUnreadable("not there")


class Rig:
    def __init__(self) -> None:
        self.now = 1000.0
        self.waits = Waits("supabase", lambda: self.now)

    def fail_when_due(self, table: str = "t") -> float:
        """Wait until it is due, ask in vain; gives the wait that follows."""
        if (until := self.waits.until(table)) is not None:
            self.now = until
        return self.fail(table).next_try_at - self.now

    def fail(self, table: str) -> Wait:
        """Ask in vain now."""
        wait = self.waits.failed(table, GONE, listed=False)
        assert wait is not None
        return wait


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_waits_double_up_to_a_minute(rig: Rig) -> None:
    assert [rig.fail_when_due() for _ in range(8)] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_records_that_were_asked_for_together_count_once(rig: Rig) -> None:
    assert rig.fail_when_due() == 2.0
    rig.now += 0.5  # the second answer of the same round
    assert rig.fail("t").next_try_at == 1002.0
    assert rig.fail_when_due() == 4.0


def test_one_table_does_not_wait_for_another(rig: Rig) -> None:
    rig.fail_when_due("a")
    rig.fail_when_due("a")
    assert (rig.waits.until("b"), rig.fail_when_due("b")) == (None, 2.0)
    assert rig.waits.seconds(30.0) == 2.0


def test_a_table_that_was_read_waits_no_more_and_begins_anew(rig: Rig) -> None:
    rig.fail_when_due()
    rig.fail_when_due()
    rig.waits.ended("t")
    assert (rig.waits.until("t"), rig.waits.state(), rig.waits.seconds(30.0)) == (None, (), 30.0)
    assert rig.fail_when_due() == FIRST_SECONDS


def test_a_table_for_which_nobody_asks_any_more_is_forgotten(rig: Rig) -> None:
    rig.fail_when_due()
    rig.now += FIRST_SECONDS + UNASKED_SECONDS
    assert [one.table for one in rig.waits.state()] == ["t"]
    rig.now += 1
    assert rig.waits.state() == ()


def test_so_many_tables_that_nobody_lists_wait_and_no_more_push_them_out(rig: Rig) -> None:
    for number in range(UNLISTED_MAX):
        rig.fail(f"t{number}")
    assert rig.waits.failed("one more", GONE, listed=False) is None
    assert len(rig.waits.state()) == UNLISTED_MAX
    assert [rig.fail_when_due("t0") for _ in range(2)] == [4.0, 8.0]
    assert rig.waits.failed("one more", GONE, listed=True) is not None
    rig.waits.ended("t0")
    rig.waits.ended("t1")
    assert rig.waits.failed("another", GONE, listed=False) is not None
