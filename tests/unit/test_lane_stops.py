"""A lane that stops and goes on, by itself or by an operator's word: what is in hand, and what the prober does.

Which state follows which, and after how long it probes: test_health.py.
"""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hookbridge.clock import time_of
from hookbridge.errors import CacheUnavailable, SourceRefused, SourceUnavailable, StoreUnavailable
from hookbridge.model import Outcome
from hookbridge.pipeline.retry import STRIKES_MAX
from tests.support.files import refuse_writes
from tests.support.lanes import DOWN, events_of, laid, running, working
from tests.support.stores import books, take
from tests.support.waiting import wait_until

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
            assert {(one.outcome, one.attempts) for one in await events_of(rig)} == {(None, 0)}
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


async def test_a_lane_that_waits_for_its_source_goes_on_when_somebody_else_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.truth.failure = SourceUnavailable("rate limited", retry_after_seconds=45.0)
        await rig.add(1)
        await rig.until_paused()
        rig.lane.answered(999.9)  # asked before the lane stopped
        assert rig.state != "running"
        rig.truth.failure = None
        rig.lane.answered(1_000.0)
        await rig.until(received=1, applied=1)
        assert (rig.state, rig.probes) == ("running", 0)


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


async def test_a_store_that_does_not_answer_costs_no_event_an_attempt_and_no_record_the_rest_of_its_lease(
    tmp_path: Path,
) -> None:
    async with laid(tmp_path, workers=1) as rig:
        rig.truth.failure = StoreUnavailable("the server is away")
        rig.truth.open.clear()
        await rig.add(1, 2, 3)
        async with working(rig):
            await wait_until(lambda: rig.truth.reading)
            refuse_writes(rig.store, refuse=True)  # nothing can be given back
            rig.truth.open.set()
            await rig.until_paused()
            assert rig.lane.state().reason == "the server is away"
            await wait_until(lambda: rig.lane.state().busy == 0)
            refuse_writes(rig.store, refuse=False)
            rig.truth.failure = None

            async def applied() -> bool:
                rig.naps.pass_one()  # the prober's, and the feeder's where that met the store, too
                return await books(rig.store) == {"received": 3, "applied": 3}

            await wait_until(applied)
            assert {one.attempts for one in await events_of(rig)} == {1}


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
        (dead,) = await events_of(rig, outcome=Outcome.DEAD)
        assert (dead.event.record.id, dead.reason) == ("bad", "SourceUnavailable: connection refused")
        assert rig.state == "running"
        await rig.until(received=added + 1, applied=added, dead=1)


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), SystemExit(3)])
async def test_a_step_that_ends_as_if_its_worker_were_to_end_is_a_dead_letter_and_the_worker_goes_on(
    tmp_path: Path, raised: BaseException
) -> None:
    async with running(tmp_path, workers=1) as rig:
        rig.truth.poisonous["bad"] = raised
        await rig.add("bad", "good")
        await rig.until(received=2, applied=1, dead=1)
        (dead,) = await events_of(rig, outcome=Outcome.DEAD)
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
        await wait_until(lambda: rig.naps.taken[-1:] == [45.0])  # whether it napped before the pause is chance
        assert rig.lane.state().reason == "rate limited"
