"""The history: steps that end, what earlier processes wrote down, rates of the last minute, and nothing that grows."""

import asyncio

from hookbridge.api.stats import PerSecond, Sample
from hookbridge.clock import minute_of, time_of
from hookbridge.errors import StoreUnavailable
from hookbridge.model import Counts
from hookbridge.observe import history
from hookbridge.observe.history import History
from tests.support.naps import HeldNaps
from tests.support.waiting import wait_until

NOON = 1_800_000_000.0
HOUR = 3600.0


class Counting:
    """Counters and a clock that a test moves, and what was written down of them."""

    def __init__(self) -> None:
        self.counts = Counts(at=NOON, received=1000, applied=990, open=10)
        self.kept: list[Counts] = []
        self.taken = 0
        self.broken = False
        self.full = False

    @property
    def now(self) -> float:
        return self.counts.at

    async def __call__(self) -> Counts:
        if self.broken:
            raise StoreUnavailable("the server does not answer")
        return self.counts

    async def take_sample(self) -> None:
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.taken += 1
        self.kept = [one for one in self.kept if minute_of(one.at) != minute_of(self.now)] + [self.counts]

    async def samples(self, *, since: float) -> list[Counts]:
        return [one for one in self.kept if minute_of(one.at) >= minute_of(since)]

    def later(self, seconds: float, received: int = 0, applied: int = 0) -> None:
        before = self.counts
        self.counts = Counts(
            before.at + seconds, before.received + received, before.applied + applied, before.open + received - applied
        )


async def sampled(kept: History, counting: Counting, seconds: float, per_step: int = 1) -> None:
    """Let time pass as while a process runs."""
    await kept.sample()
    for _ in range(int(seconds / history.STEP_SECONDS)):
        counting.later(history.STEP_SECONDS, received=per_step, applied=per_step)
        await kept.sample()


async def test_a_step_has_what_came_in_it_and_not_what_was_before() -> None:
    counting = Counting()
    kept = History(counting, counting)
    await kept.sample()
    assert (await kept.steps(1, counting.now), kept.rates()) == ((), None)
    counting.later(10, received=7, applied=3)
    await kept.sample()
    step = Sample(at=time_of(NOON + 10), step_seconds=10.0, received=7, applied=3, open=14)
    assert await kept.steps(1, counting.now) == (step,)
    assert kept.rates() == PerSecond(received=0.7, applied=0.3)


async def test_the_rates_are_those_of_the_last_minute() -> None:
    counting = Counting()
    kept = History(counting, counting)
    await kept.sample()
    for received in (1000, 60, 60, 60, 60, 60, 60):
        counting.later(10, received=received)
        await kept.sample()
    assert kept.rates() == PerSecond(received=6.0, applied=0.0)


async def test_a_look_that_comes_too_early_ends_no_step() -> None:
    counting = Counting()
    kept = History(counting, counting)
    await kept.sample()
    for _ in range(5):
        counting.later(4, received=1)
        await kept.sample()
    assert [(one.step_seconds, one.received) for one in await kept.steps(1, counting.now)] == [(8.0, 2), (8.0, 2)]


async def test_a_day_is_in_longer_steps_and_neither_grows() -> None:
    counting = Counting()
    kept = History(counting, counting)
    await sampled(kept, counting, 26 * HOUR)
    assert len(await kept.steps(1, counting.now)) == history.HOUR_STEPS
    day = await kept.steps(24, counting.now)
    assert len(day) == 24 * HOUR / history.DAY_STEP_SECONDS
    assert {(one.step_seconds, one.received) for one in day} == {(300.0, 30)}


async def test_the_store_writes_down_once_a_minute() -> None:
    counting = Counting()
    await sampled(History(counting, counting), counting, HOUR)
    assert counting.taken == 61


async def test_after_a_restart_there_is_what_was_before() -> None:
    counting = Counting()
    await sampled(History(counting, counting), counting, 600.0)
    counting.later(25.0, received=2)
    again = History(counting, counting)
    await again.sample()
    counting.later(10.0, received=5)
    await again.sample()
    steps = await again.steps(1, counting.now)
    assert [(one.step_seconds, one.received) for one in steps] == [(60.0, 6)] * 9 + [(85.0, 8), (10.0, 5)]
    day = await again.steps(24, counting.now)
    assert [(one.step_seconds, one.received) for one in day] == [(300.0, 30), (325.0, 32)]


async def test_a_minute_in_which_no_process_ran_is_a_gap_and_no_zero() -> None:
    counting = Counting()
    await sampled(History(counting, counting), counting, 300.0)
    counting.later(600.0, received=5000)
    again = History(counting, counting)
    await sampled(again, counting, 120.0)
    day = await again.steps(24, counting.now)
    assert [(one.at, one.step_seconds, one.received) for one in day] == [
        (time_of(NOON + 300), 300.0, 30),
        (time_of(NOON + 1020), 120.0, 12),
    ]
    hour = await again.steps(1, counting.now)
    assert [one.step_seconds for one in hour] == [60.0] * 5 + [10.0] * 12
    assert sum(one.received for one in hour) == 42


async def test_what_other_nodes_wrote_down_meanwhile_is_told_once() -> None:
    counting = Counting()
    one, other = History(counting, counting), History(counting, counting)
    for _ in range(31):
        await one.sample()
        await other.sample()
        counting.later(10, received=1)
    for node in (one, other):
        assert [step.received for step in await node.steps(24, counting.now)] == [30]


async def test_what_lies_ahead_or_goes_back_is_no_step() -> None:
    counting = Counting()
    ahead = [Counts(NOON + 60 * minute, 100 + minute, 0, 0) for minute in range(10)]
    counting.kept = [*ahead[:3], Counts(NOON + 180, 50, 0, 0), Counts(NOON + 240, 60, 0, 0), *ahead[5:]]
    steps = await History(counting, counting).steps(24, NOON + 250)
    assert [(one.at, one.received) for one in steps] == [(time_of(NOON + 120), 2), (time_of(NOON + 240), 10)]


async def test_a_time_without_samples_is_a_gap_and_no_peak() -> None:
    counting = Counting()
    kept = History(counting, counting)
    await kept.sample()
    counting.later(1000, received=5000)
    await kept.sample()
    counting.later(10, received=1)
    await kept.sample()
    assert [one.received for one in await kept.steps(1, counting.now)] == [1]


async def test_a_store_that_cannot_be_asked_is_asked_again() -> None:
    counting, naps = Counting(), HeldNaps()
    counting.broken = True
    kept = History(counting, counting, sleep=naps)
    sampling = asyncio.create_task(kept.run())
    for number in range(1, 4):
        await wait_until(lambda number=number: len(naps.taken) == number)
        counting.broken = False
        counting.later(10, received=1)
        naps.pass_one()
    await wait_until(lambda: len(naps.taken) == 4)
    assert len(await kept.steps(1, counting.now)) == 2
    sampling.cancel()


async def test_a_store_that_writes_nothing_down_takes_no_step_away_and_is_asked_in_the_same_minute() -> None:
    counting, naps = Counting(), HeldNaps()
    counting.full = True
    kept = History(counting, counting, sleep=naps)
    sampling = asyncio.create_task(kept.run())
    for number in range(1, 4):
        await wait_until(lambda number=number: len(naps.taken) == number)
        counting.full = number < 2
        counting.later(10, received=1)
        naps.pass_one()
    await wait_until(lambda: len(naps.taken) == 4)
    assert len(await kept.steps(1, counting.now)) == 3
    assert [one.at for one in counting.kept] == [NOON + 20]
    sampling.cancel()
