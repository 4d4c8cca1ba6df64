"""When a table that cannot be read is asked for again."""

import pytest

from hookbridge.errors import TableUnreadable
from hookbridge.pipeline.waits import FIRST_SECONDS, UNASKED_SECONDS, UNLISTED_MAX, Waits

GONE = TableUnreadable("not there", hint="make it")


class Rig:
    def __init__(self) -> None:
        self.now = 1000.0
        self.waits = Waits()

    def fail_when_due(self, table: str = "t") -> float:
        """Wait until it is due, ask in vain; gives the wait that follows."""
        self.now = self.waits.until(table, self.now) or self.now
        return self.fail(table) - self.now

    def fail(self, table: str, *, listed: bool = False) -> float:
        """Ask in vain now; gives when it is due."""
        self.waits = self.waits.failed(table, GONE, self.now, listed=listed)
        return self.waits.tables[table].next_try_at


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_waits_double_up_to_a_minute(rig: Rig) -> None:
    assert [rig.fail_when_due() for _ in range(8)] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_records_that_were_asked_for_together_count_once(rig: Rig) -> None:
    assert rig.fail_when_due() == 2.0
    rig.now += 0.5  # the second answer of the same round
    assert rig.fail("t") == 1002.0
    assert rig.fail_when_due() == 4.0


def test_one_table_does_not_wait_for_another(rig: Rig) -> None:
    rig.fail_when_due("a")
    rig.fail_when_due("a")
    assert (rig.waits.until("b", rig.now), rig.fail_when_due("b")) == (None, 2.0)


def test_a_table_that_was_read_waits_no_more_and_begins_anew(rig: Rig) -> None:
    rig.fail_when_due()
    rig.fail_when_due()
    rig.waits = rig.waits.read("t")
    assert rig.waits == Waits()
    assert (rig.waits.until("t", rig.now), rig.waits.tables) == (None, {})
    assert rig.fail_when_due() == FIRST_SECONDS


def test_a_table_for_which_nobody_asks_any_more_is_forgotten_after_five_minutes(rig: Rig) -> None:
    rig.fail_when_due()
    rig.now += FIRST_SECONDS + UNASKED_SECONDS
    assert [(table.table, table.hint) for table in rig.waits.state(rig.now)] == [("t", "make it")]
    rig.now += 1
    assert (UNASKED_SECONDS, rig.waits.state(rig.now)) == (300.0, ())


def test_a_hundred_tables_that_nobody_lists_wait_and_no_more_push_them_out(rig: Rig) -> None:
    for number in range(100):
        rig.fail(f"t{number}")
    assert rig.waits.failed("one more", GONE, rig.now, listed=False).tables.keys() == rig.waits.tables.keys()
    assert [rig.fail_when_due("t0") for _ in range(2)] == [4.0, 8.0]
    rig.fail("listed", listed=True)
    for table in ("t0", "t1"):
        rig.waits = rig.waits.read(table)
    rig.fail("another")
    assert len(rig.waits.state(rig.now)) == UNLISTED_MAX == 100


@pytest.mark.parametrize(
    ("since", "waited"),
    [
        pytest.param(0.0, 60.0, id="dirty before the table waited"),
        pytest.param(1040.0, 20.0, id="came late, and has its own full time"),
        pytest.param(9000.0, 60.0, id="came while the clock was ahead"),
    ],
)
def test_a_record_has_waited_as_long_as_itself_and_its_table_have(rig: Rig, since: float, waited: float) -> None:
    rig.fail("t")
    assert rig.waits.waited_seconds("t", since, rig.now + 60.0) == waited
    assert rig.waits.waited_seconds("other", since, rig.now + 60.0) == 0.0
