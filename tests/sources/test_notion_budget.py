"""One budget for all calls: never more than the rate, and silence for as long as Notion asks for."""

import asyncio

import pytest

from hookbridge.errors import SourceUnavailable, StoreUnavailable
from hookbridge.sources.notion.budget import PATIENCE_SECONDS, AtOnce, Budget, Urgency
from hookbridge.sources.statuses import RETRY_AFTER_SECONDS_MAX
from tests.support.waiting import wait_until
from tests.support.workspace import RETRIEVE, tasks


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def budget(time: Time) -> Budget:
    return Budget(1_000.0, clock=time, sleep=time.sleep)


async def test_a_short_halt_is_waited_for(budget: Budget, time: Time) -> None:
    budget.halt(2.0)
    await budget.permit()
    assert time.slept == [2.0]
    await budget.permit()
    assert time.slept == [2.0]


async def test_a_long_halt_is_told_with_what_is_left_of_it(budget: Budget, time: Time) -> None:
    budget.halt(60.0)
    time.now = 10.0
    with pytest.raises(SourceUnavailable) as caught:
        await budget.permit()
    assert caught.value.retry_after_seconds == 50.0
    assert not time.slept
    time.now = 60.0 - PATIENCE_SECONDS
    await budget.permit()
    assert time.slept == [PATIENCE_SECONDS]


async def test_a_halt_is_not_shortened_by_a_later_one(budget: Budget, time: Time) -> None:
    budget.halt(4.0)
    budget.halt(1.0)
    await budget.permit()
    assert time.slept == [4.0]


async def test_no_halt_is_longer_than_an_hour(budget: Budget) -> None:
    budget.halt(1e9)
    with pytest.raises(SourceUnavailable) as caught:
        await budget.permit()
    assert caught.value.retry_after_seconds == RETRY_AFTER_SECONDS_MAX


async def test_who_waits_for_the_rate_still_obeys_a_halt(time: Time) -> None:
    budget = Budget(20.0, clock=time, sleep=time.sleep)
    for _ in range(20):
        await budget.permit()
    last = asyncio.create_task(budget.permit())
    await asyncio.sleep(0)
    budget.halt(60.0)
    with pytest.raises(SourceUnavailable):
        await last


async def test_the_rate_is_kept_by_all_calls_together() -> None:
    """A limit a little above ours is the judge: whoever goes faster meets a 429."""
    async with tasks(requests_per_second=40.0) as workspace:
        records = [workspace.key(workspace.page().id, "database-id") for _ in range(60)]
        workspace.clock.run()
        workspace.notion.limit_rate(per_second=60.0, burst=45)
        assert {truth.data is None for truth in await asyncio.gather(*map(workspace.source.read, records))} == {False}
    assert workspace.notion.requests.by_status == {200: 60}


async def test_a_rate_limit_silences_every_call() -> None:
    async with tasks() as workspace:
        records = [workspace.page() for _ in range(5)]
        workspace.notion.faults.status(429, retry_after=60, times=1)
        for call in (workspace.source.read(records[0]), *map(workspace.source.read, records), workspace.source.probe()):
            with pytest.raises(SourceUnavailable) as caught:
                await call
            assert caught.value.retry_after_seconds is not None
            assert 30 < caught.value.retry_after_seconds <= 60
        assert workspace.asked() == {RETRIEVE: 1}


async def test_an_overload_that_names_its_end_is_obeyed_too() -> None:
    async with tasks() as workspace:
        record = workspace.page()
        workspace.notion.faults.status(529, retry_after=60, times=1)
        for _ in range(2):
            with pytest.raises(SourceUnavailable):
                await workspace.source.read(record)
        assert workspace.asked() == {RETRIEVE: 1}


async def test_who_is_more_urgent_goes_first_and_equals_go_in_turn() -> None:
    budget = Budget(20.0)
    order: list[str] = []

    async def ask(name: str, urgency: Urgency) -> None:
        await budget.permit(urgency)
        order.append(name)

    for _ in range(20):
        await budget.permit()
    sweeps = [("sweep 1", Urgency.SWEEP), ("sweep 2", Urgency.SWEEP)]
    asked = [("body", Urgency.LOAD), *sweeps, ("poll", Urgency.POLL), ("read", Urgency.READ)]
    await asyncio.gather(*(ask(name, urgency) for name, urgency in asked))
    assert order == ["read", "poll", "sweep 1", "sweep 2", "body"]
    await budget.close()


async def test_during_a_halt_nobody_is_given_a_permit_to_use_at_its_end(time: Time) -> None:
    """They would all go in the same instant."""
    over = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await over.wait()
        time.now += seconds

    budget = Budget(20.0, clock=time, sleep=sleep)
    for _ in range(20):
        await budget.permit()
    waiting = [asyncio.create_task(budget.permit()) for _ in range(10)]
    await asyncio.sleep(0)
    budget.halt(4.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await wait_until(lambda: loop.time() > began + 0.3)  # in which six would have been given
    assert budget.state().waiting == 10
    over.set()
    await asyncio.gather(*waiting)
    await budget.close()


async def test_who_waits_already_is_told_of_a_long_halt_at_once(time: Time) -> None:
    budget = Budget(0.01, clock=time, sleep=time.sleep)
    await budget.permit()
    waiting = [asyncio.create_task(budget.permit(urgency)) for urgency in Urgency]
    await asyncio.sleep(0)
    budget.halt(60.0)
    for one in waiting:
        with pytest.raises(SourceUnavailable):
            await one
    assert budget.state().waiting == 0
    await budget.close()


async def test_under_steady_reads_every_tenth_permit_goes_to_whoever_has_waited_longest() -> None:
    budget = Budget(200.0)
    order: list[Urgency] = []

    async def ask(urgency: Urgency) -> None:
        while len(order) < 60:
            await budget.permit(urgency)
            order.append(urgency)

    for _ in range(200):
        await budget.permit()
    urgencies = (*[Urgency.READ] * 8, Urgency.POLL, Urgency.SWEEP)
    await asyncio.gather(*(ask(urgency) for urgency in urgencies))
    first = order[:60]
    # Six of sixty; a machine that stalls lets the permits of that time go to whoever asks next.
    assert first.count(Urgency.READ) >= 45
    assert min(first.count(Urgency.POLL), first.count(Urgency.SWEEP)) >= 1
    await budget.close()


async def test_who_no_longer_waits_costs_no_permit() -> None:
    budget = Budget(10.0)
    for _ in range(10):
        await budget.permit()
    gone = asyncio.ensure_future(budget.permit(Urgency.READ))
    stays = asyncio.ensure_future(budget.permit(Urgency.SWEEP))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert gone.cancelled() or gone.done()
    await budget.close()


class Others:
    """All processes that share a store, as far as a budget sees."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.wait = 0.0
        self.failure: Exception | None = None

    async def __call__(self, number: int) -> AtOnce:
        self.asked.append(number)
        if self.failure is not None:
            raise self.failure
        return AtOnce(wait_seconds=self.wait)


async def test_what_waits_is_reserved_among_all_processes_a_seconds_worth_at_a_time(time: Time) -> None:
    others = Others()
    budget = Budget(20.0, others, clock=time, sleep=time.sleep)
    await asyncio.gather(*[budget.permit() for _ in range(25)])
    assert others.asked == [20, 5]
    await budget.permit()
    assert others.asked == [20, 5, 1]
    await budget.close()


async def test_whoever_comes_behind_other_processes_waits_for_them(time: Time) -> None:
    others = Others()
    budget = Budget(1_000.0, others, clock=time, sleep=time.sleep)
    others.wait = 2.5
    await budget.permit()
    assert time.slept == [2.5]
    await budget.close()


async def test_what_was_reserved_and_not_used_in_its_second_is_reserved_anew(time: Time) -> None:
    others = Others()
    budget = Budget(1_000.0, others, clock=time, sleep=time.sleep)
    gone = [asyncio.ensure_future(budget.permit()) for _ in range(3)]
    await asyncio.sleep(0)
    for one in gone[1:]:
        one.cancel()
    await gone[0]
    assert others.asked == [3]
    await budget.permit()
    assert others.asked == [3], "it is left of what was reserved"
    time.now += 2.0
    await budget.permit()
    assert others.asked == [3, 1]
    await budget.close()


async def test_while_others_cannot_be_asked_each_goes_at_its_own_rate(time: Time) -> None:
    others = Others()
    others.failure = StoreUnavailable("the server is away")
    budget = Budget(1_000.0, others, clock=time, sleep=time.sleep)
    await budget.permit()
    assert time.slept == []
    await budget.close()


async def test_a_pause_that_another_process_was_told_is_kept_and_not_told_on(budget: Budget, time: Time) -> None:
    budget.hear(60.0)
    with pytest.raises(SourceUnavailable):
        await budget.permit()
    assert (budget.halted_seconds, budget.told_seconds) == (60.0, 0.0)
    budget.halt(20.0)
    assert (budget.halted_seconds, budget.told_seconds) == (60.0, 20.0)
