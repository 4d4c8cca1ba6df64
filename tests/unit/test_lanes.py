"""A lane: a bounded queue that never starves its workers, a drain that ends, a store that refuses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hookbridge.model import CLAIM_BYTES_MAX
from hookbridge.pipeline.held import HELD_BYTES_MAX
from hookbridge.store.nodes import Lead
from tests.support.events import USERS, event
from tests.support.files import refuse_writes
from tests.support.lanes import DOWN, Rig, laid, running, working
from tests.support.stores import add, books, take
from tests.support.waiting import wait_until

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
            await wait_until(lambda: rig.lane.state().queued == fit - 1)
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
            standings = await rig.store.standings("supabase", USERS, ["waiting"])
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


@asynccontextmanager
async def on_duty(rig: Rig) -> AsyncIterator[None]:
    """This node is the one that may work on the records."""
    duty = asyncio.create_task(rig.lane.serve(Lead("process:supabase", 1)))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        duty.cancel()
        await asyncio.wait([duty])


async def off_duty(rig: Rig) -> None:
    """It was, and is no longer."""
    async with on_duty(rig):
        pass


async def test_what_was_not_renewed_in_time_is_not_begun_when_somebody_else_has_it(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1) as rig:
        rig.truth.open.clear()
        await rig.add("busy", "waiting", "too")
        await wait_until(lambda: rig.lane.state().queued == 2)
        rig.now += 1_000.0
        elsewhere = await take(rig.store, now=rig.now)
        assert sorted(claim.record.id for claim in elsewhere) == ["busy", "too", "waiting"]
        rig.truth.open.set()
        await rig.add("later")
        await rig.until(received=4, open=3, applied=1)
        assert rig.truth.reads == ["busy", "later"]
        await rig.store.release(elsewhere)
        rig.lane.wake()
        await rig.until(received=4, applied=4)


async def test_a_lane_that_stands_by_claims_nothing_and_finishes_what_its_workers_have(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1) as rig:
        rig.truth.open.clear()
        await rig.add("busy", "waiting")
        await wait_until(lambda: rig.lane.state().queued == 1)
        await off_duty(rig)
        assert (rig.state, rig.lane.state().queued) == ("standby", 0)
        assert rig.lane.state().reason
        await rig.add("later")
        rig.truth.open.set()
        await rig.until(received=3, open=2, applied=1)
        assert sorted(claim.record.id for claim in await take(rig.store, now=rig.now, lease=0.0)) == [
            "later",
            "waiting",
        ]
        async with on_duty(rig):
            await rig.until(received=3, applied=3)
            assert rig.state == "running"


async def test_an_operators_pause_is_told_of_a_lane_that_stands_by_and_outlives_that(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await off_duty(rig)
        await rig.lane.pause("by hand")
        assert rig.state == "paused"
        async with on_duty(rig):
            assert rig.state == "paused"
            rig.lane.resume()
            await rig.add(1)
            await rig.until(received=1, applied=1)


async def test_a_lane_beside_others_finds_what_they_made_dirty_while_there_is_something_to_find(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.lane.others = True
        await add(rig.store, event(0), at=rig.now)
        rig.lane.look()
        await rig.until(received=1, applied=1)
        for number in range(1, 4):
            await add(rig.store, event(number), at=rig.now)  # nobody tells the lane
            await rig.until(received=number + 1, applied=number + 1)


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
                for number in range(1, 4):
                    await wait_until(lambda number=number: len(rig.naps.taken) == number)
                    rig.naps.pass_one()
            waits = [line["log_level"] for line in lines if line["event"] == "Claiming waits for the store"]
            assert waits[:3] == ["error", "debug", "debug"], "an outage is told once"
            refuse_writes(rig.store, refuse=False)
            rig.naps.pass_one()
            await rig.until(received=2, applied=2)


async def test_claims_that_cannot_be_given_back_are_when_the_store_answers(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1, lease_seconds=30.0) as rig:
        rig.truth.open.clear()
        await rig.add(1, 2)
        await wait_until(lambda: rig.lane.state().queued == 1)
        refuse_writes(rig.store, refuse=True)
        with capture_logs() as lines:
            await rig.lane.pause("maintenance")
        assert "Claims are given back when the store answers" in [line["event"] for line in lines]
        refuse_writes(rig.store, refuse=False)
        rig.naps.pass_one()  # the feeder may have met it, too
        rig.truth.open.set()
        await rig.until(received=2, open=1, applied=1)
        rig.lane.resume()
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
