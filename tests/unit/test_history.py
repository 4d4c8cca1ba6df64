"""The history: steps that end, rates of the last minute, and nothing that grows."""

import asyncio

from hookbridge.api.stats import PerSecond, Sample
from hookbridge.clock import time_of
from hookbridge.errors import StoreUnavailable
from hookbridge.observe import history
from hookbridge.observe.history import Counts, History
from tests.support.naps import HeldNaps
from tests.support.waiting import wait_until


class Counting:
    """Counters and a clock that a test moves."""

    def __init__(self) -> None:
        self.counts = Counts(received=1000, applied=990, open=10)
        self.now = 100.0
        self.broken = False

    async def __call__(self) -> Counts:
        if self.broken:
            raise StoreUnavailable("the disk is full")
        return self.counts

    def later(self, seconds: float, received: int = 0, applied: int = 0) -> None:
        self.now += seconds
        before = self.counts
        self.counts = Counts(before.received + received, before.applied + applied, before.open + received - applied)


async def test_a_step_has_what_came_in_it_and_not_what_was_before() -> None:
    counting = Counting()
    kept = History(counting, lambda: counting.now)
    await kept.sample()
    assert (kept.steps(1), kept.rates()) == ((), None)
    counting.later(10, received=7, applied=3)
    await kept.sample()
    assert kept.steps(1) == (Sample(at=time_of(110.0), received=7, applied=3, open=14),)
    assert kept.rates() == PerSecond(received=0.7, applied=0.3)


async def test_the_rates_are_those_of_the_last_minute() -> None:
    counting = Counting()
    kept = History(counting, lambda: counting.now)
    await kept.sample()
    for received in (1000, 60, 60, 60, 60, 60, 60):
        counting.later(10, received=received)
        await kept.sample()
    assert kept.rates() == PerSecond(received=6.0, applied=0.0)


async def test_a_day_is_kept_in_longer_steps_and_neither_grows() -> None:
    counting = Counting()
    kept = History(counting, lambda: counting.now)
    for _ in range(2 * history.DAY_STEPS * 30 + 1):
        await kept.sample()
        counting.later(10, received=1, applied=1)
    assert len(kept.steps(1)) == history.HOUR_STEPS
    day = kept.steps(24)
    assert len(day) == history.DAY_STEPS
    assert {one.received for one in day} == {30}


async def test_a_time_without_samples_is_a_gap_and_no_peak() -> None:
    counting = Counting()
    kept = History(counting, lambda: counting.now)
    await kept.sample()
    counting.later(1000, received=5000)
    await kept.sample()
    counting.later(10, received=1)
    await kept.sample()
    assert [one.received for one in kept.steps(1)] == [1]


async def test_a_store_that_cannot_be_asked_is_asked_again() -> None:
    counting, naps = Counting(), HeldNaps()
    counting.broken = True
    kept = History(counting, lambda: counting.now, sleep=naps)
    sampling = asyncio.create_task(kept.run())
    for number in range(1, 4):
        await wait_until(lambda number=number: len(naps.taken) == number)
        counting.broken = False
        counting.later(10, received=1)
        naps.pass_one()
    await wait_until(lambda: len(kept.steps(1)) == 2)
    sampling.cancel()
