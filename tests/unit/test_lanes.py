"""A lane: a bounded queue that never starves its workers, a pause that burns nothing, a drain that ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from hookbridge.clock import time_of
from hookbridge.config import ProcessingConfig
from hookbridge.errors import CacheUnavailable, SourceRefused, SourceUnavailable, StoreUnavailable, TableUnreadable
from hookbridge.model import CLAIM_BYTES_MAX, CLAIMED_EVENTS_MAX, Change, Effects, Outcome, StoredEvent
from hookbridge.pipeline.attempts import Attempts
from hookbridge.pipeline.held import HELD_BYTES_MAX
from hookbridge.pipeline.lanes import Lane
from hookbridge.pipeline.retry import STRIKES_MAX, UNLISTED_SECONDS
from hookbridge.pipeline.waits import FIRST_SECONDS, UNLISTED_MAX
from hookbridge.pipeline.worker import Worker
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.values import EventFilter
from tests.support.events import USERS, event
from tests.support.files import opened, refuse_writes
from tests.support.naps import HeldNaps, Naps
from tests.support.stores import add, books, take
from tests.support.waiting import wait_until

DOWN = SourceUnavailable("connection refused")


class Truth:
    """The one step: a source that can be down for all, or for some records only, or slow."""

    name = "data_verification"

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.poisonous: dict[str, BaseException] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.reads: list[str] = []
        self.reading: list[str] = []
        self.deepest_queue = 0
        self.rig: Rig

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        id_ = change.record.id
        assert id_ not in self.reading, "one record, one worker"
        self.reading.append(id_)
        self.reads.append(id_)
        self.deepest_queue = max(self.deepest_queue, self.rig.lane.state().queued)
        try:
            await self.open.wait()
            failure = self.poisonous.get(id_, self.failure)
            if failure is not None:
                raise failure
        finally:
            self.reading.remove(id_)
        return so_far


class Rig:
    """A lane with everything that the tests touch."""

    def __init__(self, store: SqliteStore, **config: float) -> None:
        self.store = store
        self.truth = Truth()
        self.truth.rig = self
        self.naps = HeldNaps()
        self.attempt_naps = Naps()
        self.probes = 0
        self.probe_failure: Exception | None = None
        self.now = 1_000.0
        settings = msgspec.convert({"workers": 3, "queue_size": 4, **config}, ProcessingConfig)
        worker = Worker(
            store, [self.truth], Attempts(settings, sleep=self.attempt_naps), clock=self.clock, sleep=self.attempt_naps
        )
        self.listed = True
        self.lane = Lane(
            "supabase",
            store,
            worker,
            self.probe,
            settings,
            has_credentials=True,
            follows=lambda _: self.listed,
            clock=self.clock,
            sleep=self.naps,
        )

    def clock(self) -> float:
        return self.now

    async def probe(self) -> None:
        self.probes += 1
        if self.probe_failure is not None:
            raise self.probe_failure

    @property
    def state(self) -> str:
        return self.lane.state().state

    async def add(self, *ids: object) -> None:
        """One event for each of these records, as one request, and the lane is told."""
        await add(self.store, *[event(id_) for id_ in ids], at=self.now)
        self.lane.wake()

    async def until(self, **expected: int) -> None:
        """Wait until the books are these."""

        async def reached() -> bool:
            return await books(self.store) == expected

        await wait_until(reached)

    async def until_paused(self) -> None:
        await wait_until(lambda: self.state != "running" and self.lane.state().next_probe_at is not None)

    async def probe_once(self) -> None:
        """Let one gap between two probes go by; returns when the probe was made."""
        before = self.probes
        self.naps.pass_one()
        await wait_until(lambda: self.probes > before)


@asynccontextmanager
async def laid(folder: Path, **config: float) -> AsyncIterator[Rig]:
    """A lane beside a fresh store; not running yet."""
    async with opened(folder) as store:
        yield Rig(store, **config)


@asynccontextmanager
async def working(rig: Rig) -> AsyncIterator[Rig]:
    """Run the lane of the rig."""
    task = asyncio.create_task(rig.lane.run())
    try:
        yield rig
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def running(folder: Path, **config: float) -> AsyncIterator[Rig]:
    async with laid(folder, **config) as rig, working(rig):
        yield rig


# Claims and the queue


async def test_what_was_dirty_before_the_start_and_what_comes_later_is_worked_off(tmp_path: Path) -> None:
    async with laid(tmp_path) as rig:
        await rig.add(1, 2)
        async with working(rig):
            await rig.until(received=2, applied=2)
            await rig.add(3)
            await rig.until(received=3, applied=3)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 20])
@pytest.mark.parametrize("queue_size", [1, 2, 5, 8])
async def test_a_backlog_is_worked_off_without_another_word_whatever_the_sizes(
    tmp_path: Path, workers: int, queue_size: int
) -> None:
    async with laid(tmp_path, workers=workers, queue_size=queue_size) as rig:
        await rig.add(*range(60))
        async with working(rig):
            await rig.until(received=60, applied=60)
        assert rig.truth.deepest_queue <= queue_size


async def test_no_more_is_claimed_than_queue_and_workers_hold(tmp_path: Path) -> None:
    async with running(tmp_path, workers=3, queue_size=4) as rig:
        rig.truth.open.clear()
        await rig.add(*range(50))
        await wait_until(lambda: rig.lane.state().busy == 3 and rig.lane.state().queued == 4)
        assert len(await take(rig.store, now=rig.now)) == 50 - 7
        assert len(rig.truth.reading) == 3


async def test_large_records_are_claimed_until_they_weigh_too_much_and_the_others_when_there_is_room(
    tmp_path: Path,
) -> None:
    body = b"x" * (CLAIM_BYTES_MAX // 4)
    fit = 4 * HELD_BYTES_MAX // CLAIM_BYTES_MAX
    async with laid(tmp_path, workers=1, queue_size=64) as rig:
        rig.truth.open.clear()
        for id_ in range(fit + 3):
            await add(rig.store, event(id_, body=body), at=rig.now)
        async with working(rig):
            await wait_until(lambda: rig.lane.state().queued == fit - 1, deadline_seconds=20.0)
            assert len(await take(rig.store, now=rig.now, lease=0.0)) == 3  # nobody has them
            rig.truth.open.set()
            await rig.until(received=fit + 3, applied=fit + 3)


async def test_a_record_that_waits_longer_than_its_lease_has_one_worker_all_the_same(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1, lease_seconds=0.05) as rig:
        rig.truth.open.clear()
        await rig.add("busy", "waiting")
        await wait_until(lambda: rig.lane.state().queued == 1)
        rig.now += 1_000.0

        async def renewed() -> bool:
            standings = await rig.store.standings("supabase", USERS, ["waiting"], now=rig.now)
            return standings.by_id["waiting"].claimed

        await wait_until(renewed)
        await rig.add("later")  # makes the lane look for what can be claimed
        await wait_until(lambda: rig.lane.state().queued == 2)
        rig.truth.open.set()
        await rig.until(received=3, applied=3)
        assert rig.truth.reads == ["busy", "waiting", "later"]


async def test_a_record_has_one_worker_also_when_the_clock_is_set_forward_while_it_is_worked_on(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.open.clear()
        await rig.add("slow")
        await wait_until(lambda: rig.truth.reading == ["slow"])
        for number in range(2):
            rig.now += 30 * 86_400.0
            await rig.add(number)
            await wait_until(lambda number=number: str(number) in rig.truth.reading)
        rig.truth.open.set()
        await rig.until(received=3, applied=3)
        assert sorted(rig.truth.reads) == ["0", "1", "slow"]


async def test_one_record_has_one_worker_however_many_events_arrive_meanwhile(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.open.clear()
        await rig.add("a")
        await wait_until(lambda: rig.truth.reading)
        for _ in range(5):
            await rig.add("a", "b")
        await wait_until(lambda: set(rig.truth.reading) == {"a", "b"})
        rig.truth.open.set()
        await rig.until(received=11, applied=4, coalesced=7)
        assert rig.truth.reads == ["a", "b", "a", "b"]


async def test_a_record_that_is_still_dirty_after_its_run_is_taken_again_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.open.clear()
        await rig.add("a")
        await wait_until(lambda: rig.truth.reading)
        await rig.add("a")
        # The lane has looked, found that the record is taken, and sleeps.
        await wait_until(lambda: not rig.lane._woken.is_set())
        assert await take(rig.store, now=rig.now) == ()
        rig.truth.open.set()
        await rig.until(received=2, applied=2)


# Pause, probe, resume


async def test_a_source_that_is_down_pauses_the_lane_at_the_first_change_that_gives_up(tmp_path: Path) -> None:
    async with laid(tmp_path, workers=1) as rig:
        rig.truth.failure = DOWN
        await rig.add(*range(9))
        async with working(rig):
            await rig.until_paused()
            await wait_until(lambda: rig.lane.state().busy == 0)
            state = rig.lane.state()
            assert (state.state, state.reason, state.since) == ("down", "connection refused", time_of(1_000.0))
            assert state.next_probe_at == time_of(1_001.0)
            assert state.queued == 0
            assert rig.truth.reads == ["0", "0", "0"]
            assert rig.attempt_naps.taken == [2.0, 4.0]
            # Given back at once, and none of them has used an attempt.
            assert len(await take(rig.store, now=rig.now)) == 9
            assert {(one.outcome, one.attempts) for one in await _events(rig)} == {(None, 0)}
            assert await books(rig.store) == {"received": 9, "open": 9}


async def test_probes_come_at_growing_gaps_up_to_the_cap_until_the_source_answers(tmp_path: Path) -> None:
    async with running(tmp_path, probe_max_seconds=10.0) as rig:
        rig.truth.failure = rig.probe_failure = DOWN
        await rig.add(1, 2)
        await rig.until_paused()
        reads = len(rig.truth.reads)
        for _ in range(6):
            await rig.probe_once()
        await rig.add(3)  # a paused lane takes nothing
        await wait_until(lambda: len(rig.naps.taken) == 7)
        assert rig.naps.taken == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
        assert len(rig.truth.reads) == reads
        rig.truth.failure = rig.probe_failure = None
        await rig.probe_once()
        await rig.until(received=3, applied=3)
        state = rig.lane.state()
        assert (state.state, state.reason, state.since, state.next_probe_at) == ("running", None, None, None)


async def test_the_source_may_say_when_to_come_back(tmp_path: Path) -> None:
    async with running(tmp_path, probe_max_seconds=10.0) as rig:
        rig.truth.failure = SourceUnavailable("rate limited", retry_after_seconds=45.0)
        await rig.add(1)
        await rig.until_paused()
        assert rig.naps.taken == [45.0]
        assert rig.truth.reads == ["1"]
        rig.truth.failure = None
        await rig.probe_once()
        await rig.until(received=1, applied=1)


async def test_a_refused_key_pauses_at_once_and_is_called_that(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = rig.probe_failure = SourceRefused("invalid key", hint="check SUPABASE_KEY")
        with capture_logs() as lines:
            await rig.add(1)
            await rig.until_paused()
        assert (rig.state, rig.truth.reads) == ("refused", ["1"])
        paused = next(line for line in lines if line["event"] == "Lane stopped")
        assert (paused["reason"], paused["hint"]) == ("invalid key", "check SUPABASE_KEY")
        rig.truth.failure = rig.probe_failure = None
        await rig.probe_once()
        await rig.until(received=1, applied=1)


@pytest.mark.parametrize(
    "failure", [DOWN, SourceUnavailable("rate limited", retry_after_seconds=45.0), SourceRefused("invalid key")]
)
async def test_a_lane_that_waits_for_its_source_goes_on_when_somebody_else_is_answered(
    tmp_path: Path, failure: Exception
) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = failure
        await rig.add(1)
        await rig.until_paused()
        rig.lane.answered(999.9)  # asked before the lane stopped
        assert rig.state != "running"
        rig.truth.failure = None
        rig.lane.answered(1_000.0)
        await rig.until(received=1, applied=1)
        assert (rig.state, rig.probes) == ("running", 0)


async def test_a_source_that_answers_others_and_not_the_lane_is_left_to_its_probes(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = DOWN
        await rig.add(1)
        await rig.until_paused()
        rig.lane.answered(1_000.0)
        await wait_until(lambda: len(rig.truth.reads) == 6)
        await rig.until_paused()
        rig.lane.answered(1_000.0)
        assert rig.state == "down"
        rig.truth.failure = None
        await rig.probe_once()
        await rig.until(received=1, applied=1)


async def test_a_lane_that_waits_for_a_cache_or_an_operator_hears_of_no_source(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = CacheUnavailable("no Redis")
        await rig.add(1)
        await rig.until_paused()
        rig.lane.answered(1_000.0)
        assert rig.state == "down"
        await rig.lane.pause("maintenance")
        rig.lane.answered(1_000.0)
        assert rig.state == "paused"


@pytest.mark.parametrize("still", [CacheUnavailable("redis is gone"), StoreUnavailable("the disk is full")])
async def test_a_cache_that_cannot_be_reached_pauses_too(tmp_path: Path, still: Exception) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = CacheUnavailable("redis is gone")
        rig.probe_failure = still  # that of the store, because what is left to delete stands there
        await rig.add(1)
        await rig.until_paused()
        await rig.probe_once()
        assert rig.state == "down"
        rig.truth.failure = rig.probe_failure = None
        await rig.probe_once()
        await rig.until(received=1, applied=1)


async def test_a_lane_that_is_stopped_from_outside_goes_on_after_its_probe(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.lane.stop_for(CacheUnavailable("redis is gone"))
        assert (rig.state, rig.lane.state().reason) == ("down", "redis is gone")
        await rig.add(1)
        await rig.probe_once()
        await rig.until(received=1, applied=1)


# Whose fault it is


async def test_a_record_that_stops_the_lane_again_and_again_while_others_come_through_is_a_dead_letter(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        rig.truth.poisonous["bad"] = DOWN
        await rig.add("bad")
        added = 0

        async def has_died() -> bool:
            nonlocal added
            rig.naps.pass_one()
            added += 1
            await rig.add(f"good {added}")
            return "dead" in await books(rig.store)

        await wait_until(has_died)
        assert rig.probes >= STRIKES_MAX
        (dead,) = await _events(rig, outcome=Outcome.DEAD)
        assert (dead.event.record.id, dead.reason) == ("bad", "SourceUnavailable: connection refused")
        assert rig.state == "running"
        await rig.until(received=added + 1, applied=added, dead=1)


async def test_a_source_that_answers_its_probe_and_nothing_else_kills_no_event_and_is_left_alone_longer_and_longer(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, probe_max_seconds=8.0) as rig:
        rig.truth.failure = DOWN
        await rig.add(1, 2, 3)
        for number in range(1, 9):
            await wait_until(lambda number=number: len(rig.naps.taken) == number)
            await rig.probe_once()
        assert rig.naps.taken[:6] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
        assert await books(rig.store) == {"received": 3, "open": 3}
        rig.truth.failure = None
        await wait_until(lambda: rig.state == "running" or len(rig.naps.taken) > rig.probes)
        if rig.state != "running":
            await rig.probe_once()
        await rig.until(received=3, applied=3)


async def test_a_record_that_comes_through_again_is_no_longer_suspected(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1) as rig:
        for _ in range(STRIKES_MAX + 2):
            await rig.add("good")
            await wait_until(lambda: not rig.store.open_events)
            rig.truth.poisonous["sometimes"] = DOWN
            await rig.add("sometimes")
            await rig.until_paused()
            rig.truth.poisonous.clear()
            await rig.probe_once()
            await wait_until(lambda: not rig.store.open_events)
        assert "dead" not in await books(rig.store)


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), SystemExit(3)])
async def test_a_step_that_ends_as_if_its_worker_were_to_end_is_a_dead_letter_and_the_worker_goes_on(
    tmp_path: Path, raised: BaseException
) -> None:
    async with running(tmp_path, workers=1) as rig:
        rig.truth.poisonous["bad"] = raised
        await rig.add("bad", "good")
        await rig.until(received=2, applied=1, dead=1)
        (dead,) = await _events(rig, outcome=Outcome.DEAD)
        assert type(raised).__name__ in (dead.reason or "")
        assert (dead.attempts, rig.state) == (3, "running")


# An operator's word


async def test_a_held_lane_takes_nothing_until_it_is_released(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.lane.pause("maintenance")
        await rig.add(1)
        state = rig.lane.state()
        assert (state.state, state.reason, state.next_probe_at) == ("paused", "maintenance", None)
        assert len(await take(rig.store, now=rig.now, lease=0.0)) == 1  # nobody has it
        assert rig.truth.reads == []
        rig.lane.resume()
        await rig.until(received=1, applied=1)


async def test_what_waited_in_the_queue_is_given_back_when_a_lane_is_held(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1) as rig:
        rig.truth.open.clear()
        await rig.add("busy", "waiting")
        await wait_until(lambda: rig.lane.state().busy == 1 and rig.lane.state().queued == 1)
        await rig.lane.pause("maintenance")
        assert [claim.record.id for claim in await take(rig.store, now=rig.now)] == ["waiting"]
        rig.truth.open.set()
        await rig.until(received=2, open=1, applied=1)  # what was being worked on is finished


async def test_a_source_that_answers_again_does_not_release_a_held_lane(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = DOWN
        await rig.add(1)
        await rig.until_paused()
        probing = asyncio.Event()
        answer = asyncio.Event()

        async def slowly() -> None:
            probing.set()
            await answer.wait()

        rig.lane._probe = slowly
        rig.naps.pass_one()
        await probing.wait()
        await rig.lane.pause("maintenance")
        rig.truth.failure = None
        answer.set()
        await asyncio.sleep(0)
        assert (rig.state, rig.lane.state().reason) == ("paused", "maintenance")
        rig.lane.resume()
        await rig.until(received=1, applied=1)


async def test_a_lane_that_was_held_and_released_is_not_probed_for_what_paused_it_before(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1) as rig:
        rig.truth.failure = rig.probe_failure = DOWN
        await rig.add(1)
        await rig.until_paused()
        await rig.lane.pause("maintenance")
        rig.truth.open.clear()
        rig.lane.resume()
        await wait_until(lambda: rig.lane.state().busy == 1)
        await wait_until(lambda: not rig.lane._troubled.is_set())  # the prober has come round
        assert rig.probes == 0
        assert (rig.state, rig.lane.state().reason, rig.lane.state().next_probe_at) == ("running", None, None)


async def test_a_lane_that_is_paused_again_after_it_was_released_waits_as_long_as_the_source_asks_then(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = DOWN
        await rig.add(1)
        await rig.until_paused()
        await rig.lane.pause("maintenance")
        rig.truth.failure = SourceUnavailable("rate limited", retry_after_seconds=45.0)
        rig.lane.resume()
        await rig.until_paused()
        await wait_until(lambda: rig.naps.taken == [1.0, 45.0])
        assert rig.lane.state().reason == "rate limited"


async def test_unhold_does_not_resume_a_lane_whose_source_is_down(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = rig.probe_failure = DOWN
        await rig.add(1)
        await rig.until_paused()
        rig.lane.resume()
        assert rig.state == "down"


# Stopping


async def test_a_drain_finishes_what_is_being_worked_on_and_gives_the_rest_back(tmp_path: Path) -> None:
    async with running(tmp_path, workers=2) as rig:
        rig.truth.open.clear()
        await rig.add(1, 2, 3, 4)
        await wait_until(lambda: rig.lane.state().busy == 2)
        draining = asyncio.create_task(rig.lane.drain(60.0))
        await wait_until(lambda: rig.lane.state().queued == 0)
        await rig.add(5)
        rig.truth.open.set()
        assert await draining == 0
        assert await books(rig.store) == {"received": 5, "open": 3, "applied": 2}
        assert sorted(claim.record.id for claim in await take(rig.store, now=rig.now)) == ["3", "4", "5"]


async def test_a_drain_ends_at_its_deadline_and_says_what_is_unfinished(tmp_path: Path) -> None:
    async with running(tmp_path, workers=2) as rig:
        rig.truth.open.clear()
        await rig.add(1, 2)
        await wait_until(lambda: rig.lane.state().busy == 2)
        assert await rig.lane.drain(0.01) == 2
        assert await books(rig.store) == {"received": 2, "open": 2}


async def test_a_drain_of_an_idle_lane_is_over_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.add(1)
        await rig.until(received=1, applied=1)
        await wait_until(lambda: rig.lane.state().busy == 0)
        assert await rig.lane.drain(60.0) == 0


async def test_a_source_that_answers_again_does_not_wake_a_lane_that_is_stopping(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = DOWN
        await rig.add(1)
        await rig.until_paused()
        assert await rig.lane.drain(60.0) == 0
        rig.truth.failure = None
        await rig.probe_once()
        await wait_until(lambda: len(rig.naps.taken) == 2)  # the prober has come round
        rig.lane.resume()
        assert rig.state == "down"
        assert await books(rig.store) == {"received": 1, "open": 1}


# A store that cannot write, and bugs


async def test_a_store_that_cannot_be_written_delays_claims_and_nothing_more(tmp_path: Path) -> None:
    async with laid(tmp_path) as rig:
        await rig.add(1, 2)
        refuse_writes(rig.store, refuse=True)
        async with working(rig):
            with capture_logs() as lines:
                await wait_until(lambda: rig.naps.taken)
            assert (lines[0]["event"], lines[0]["log_level"]) == ("Claiming waits for the store", "error")
            refuse_writes(rig.store, refuse=False)
            rig.naps.pass_one()
            await rig.until(received=2, applied=2)


async def test_claims_that_cannot_be_given_back_return_when_their_lease_ends(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1, lease_seconds=30.0) as rig:
        rig.truth.open.clear()
        await rig.add(1, 2)
        await wait_until(lambda: rig.lane.state().queued == 1)
        refuse_writes(rig.store, refuse=True)
        with capture_logs() as lines:
            await rig.lane.pause("maintenance")
        assert "Claims could not be given back" in [line["event"] for line in lines]
        refuse_writes(rig.store, refuse=False)
        rig.naps.pass_one()  # the feeder may have met it, too
        rig.truth.open.set()
        await rig.until(received=2, open=1, applied=1)
        rig.lane.resume()
        rig.now += 30.0
        rig.lane.wake()
        await rig.until(received=2, applied=2)


async def test_a_bug_in_the_machinery_ends_the_lane_with_its_exception(tmp_path: Path) -> None:
    async with laid(tmp_path) as rig:
        rig.truth.failure = DOWN
        rig.probe_failure = ZeroDivisionError("ours")
        await rig.add(1)
        task = asyncio.create_task(rig.lane.run())
        await rig.until_paused()
        rig.naps.pass_one()
        with pytest.raises(ExceptionGroup) as caught:
            await task
        assert caught.group_contains(ZeroDivisionError, match="ours")


async def _events(rig: Rig, outcome: Outcome | None = None) -> tuple[StoredEvent, ...]:
    return (await rig.store.events(EventFilter(outcome=outcome), before=None, limit=100)).events


# A table that cannot be read, while its source answers

NOT_THERE = TableUnreadable("no such table")


async def test_the_records_of_a_table_that_is_not_there_wait_and_others_go_on(tmp_path: Path) -> None:
    async with running(tmp_path, workers=3, queue_size=4) as rig:
        rig.truth.poisonous = {"1": NOT_THERE, "2": NOT_THERE}
        await rig.add(1, 2)
        await rig.until(received=2, open=2)
        await wait_until(lambda: [one.table for one in rig.lane.state().waiting] == ["public.users"])
        assert rig.state == "running"
        rig.truth.poisonous = {}
        rig.now += FIRST_SECONDS
        rig.lane.wake()
        await rig.until(received=2, applied=2)


async def test_a_waiting_table_is_asked_for_by_few_however_many_of_its_records_wait(tmp_path: Path) -> None:
    async with running(tmp_path, workers=3, queue_size=4) as rig:
        rig.truth.poisonous = {str(id_): NOT_THERE for id_ in range(50)}
        await rig.add(*range(50))
        await add(rig.store, event("behind", table="public.others"), at=rig.now)  # its turn comes after all of theirs
        await rig.until(received=51, applied=1, open=50)
        await wait_until(lambda: not rig.lane.state().busy)
        assert len(rig.truth.reads) <= 11


async def pass_a_quarter_of_an_hour(rig: Rig, arriving: int = 0) -> None:
    """Let the one record that waits be asked for as often as it is due in that time, after so many events of it."""

    async def asked(times: int) -> bool:
        return len(rig.truth.reads) >= times and not rig.lane.state().busy

    until, times = rig.now + UNLISTED_SECONDS, 1
    await wait_until(partial(asked, times))
    while rig.now < until:
        (table,) = rig.lane.state().waiting
        rig.now, times = table.next_try_at.timestamp(), times + 1
        await rig.add(*[1] * arriving)
        rig.lane.wake()
        await wait_until(partial(asked, times))


@pytest.mark.parametrize("listed", [True, False])
async def test_a_table_that_nobody_listed_is_waited_for_a_quarter_of_an_hour(tmp_path: Path, *, listed: bool) -> None:
    async with running(tmp_path) as rig:
        rig.listed = listed
        rig.truth.failure = NOT_THERE
        await rig.add(1)
        await pass_a_quarter_of_an_hour(rig)
        await rig.until(**({"received": 1, "open": 1} if listed else {"received": 1, "dead": 1}))


async def test_a_record_that_came_while_the_clock_was_ahead_is_not_waited_for_longer(tmp_path: Path) -> None:
    async with laid(tmp_path) as rig:
        rig.listed = False
        rig.truth.failure = NOT_THERE
        await add(rig.store, event(1), at=rig.now + 86_400.0)
        await rig.store.release_abandoned(now=rig.now)
        async with working(rig):
            await pass_a_quarter_of_an_hour(rig)
            await rig.until(received=1, dead=1)


async def test_a_record_that_comes_late_to_a_waiting_table_has_its_own_quarter_of_an_hour(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.listed = False
        rig.truth.failure = NOT_THERE
        await rig.add(1)
        await pass_a_quarter_of_an_hour(rig)
        await rig.until(received=1, dead=1)
        reads = len(rig.truth.reads)
        await rig.add(2)
        rig.now += 60.0
        rig.lane.wake()
        await wait_until(lambda: len(rig.truth.reads) > reads and not rig.lane.state().busy)
        assert await books(rig.store) == {"received": 2, "dead": 1, "open": 1}


async def test_a_record_whose_events_never_cease_has_no_longer_than_a_quarter_of_an_hour(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.listed = False
        rig.truth.failure = NOT_THERE
        await rig.add(1)
        await pass_a_quarter_of_an_hour(rig, arriving=CLAIMED_EVENTS_MAX)  # so that no claim shows the first one

        async def nothing_is_open() -> bool:
            return "open" not in await books(rig.store)

        await wait_until(nothing_is_open)
        assert (await books(rig.store)).keys() == {"received", "dead"}


async def test_a_dead_letter_that_is_replayed_has_its_own_quarter_of_an_hour(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.listed = False
        rig.truth.failure = NOT_THERE
        await rig.add(1)
        await pass_a_quarter_of_an_hour(rig)
        await rig.until(received=1, dead=1)
        reads = len(rig.truth.reads)
        await rig.store.replay(EventFilter(outcome=Outcome.DEAD), now=rig.now, limit=10)
        rig.now += 60.0
        rig.lane.wake()
        await wait_until(lambda: len(rig.truth.reads) > reads and not rig.lane.state().busy)
        assert await books(rig.store) == {"received": 1, "open": 1}


async def test_what_no_table_nor_list_knows_is_a_dead_letter_at_once_where_too_many_tables_wait(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.listed = False
        rig.truth.failure = NOT_THERE
        await add(rig.store, *[event(1, table=f"public.t{number}") for number in range(UNLISTED_MAX)], at=rig.now)
        rig.lane.wake()
        await wait_until(lambda: len(rig.lane.state().waiting) == UNLISTED_MAX)
        await add(rig.store, event(1, table="public.more"), at=rig.now)
        rig.lane.wake()
        await rig.until(received=UNLISTED_MAX + 1, open=UNLISTED_MAX, dead=1)
        rig.listed = True
        await add(rig.store, event(1, table="public.listed"), at=rig.now)
        rig.lane.wake()
        await wait_until(lambda: "public.listed" in {one.table for one in rig.lane.state().waiting})


@pytest.mark.parametrize("how", ["paused", "down", "drained"])
async def test_a_lane_that_stops_while_waiting_records_are_put_off_works_on_nothing_more(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, workers=3, queue_size=4) as rig:
        rig.truth.failure = NOT_THERE
        await rig.add(1)
        await wait_until(lambda: bool(rig.lane.state().waiting) and not rig.lane.state().busy)
        rig.truth.failure = None
        # A claim of a record that waits and of one that does not, in the moment before the former is written down.
        release, releasing, go_on = rig.store.release, asyncio.Event(), asyncio.Event()

        async def held(*given: Any, **more: Any) -> None:  # noqa: ANN401  as it is given
            releasing.set()
            await go_on.wait()
            await release(*given, **more)

        monkeypatch.setattr(rig.store, "release", held)
        await add(rig.store, event(2), event(2, table="public.others"), at=rig.now)
        rig.lane.wake()
        await releasing.wait()
        if how == "paused":
            await rig.lane.pause("by an operator")
        elif how == "down":
            await rig.lane.stop_for(CacheUnavailable("gone"))
        else:
            assert await rig.lane.drain(1.0) == 0
        go_on.set()

        async def all_given_back() -> bool:
            return len(await take(rig.store, now=rig.now + FIRST_SECONDS, lease=0.0)) == 3

        await wait_until(all_given_back)
        assert rig.truth.reads == ["1"]
