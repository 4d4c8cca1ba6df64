"""A table that cannot be read, while its source answers: its records wait in the store, and others go on."""

import asyncio
import itertools
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hookbridge.errors import CacheUnavailable, TableUnreadable
from hookbridge.model import CLAIMED_EVENTS_MAX, Outcome
from hookbridge.pipeline.replay import replay
from hookbridge.pipeline.retry import UNLISTED_SECONDS
from hookbridge.pipeline.waits import FIRST_SECONDS
from hookbridge.store.values import EventFilter
from tests.support.events import event
from tests.support.lanes import Rig, laid, running, working
from tests.support.stores import add, books, take
from tests.support.waiting import wait_until

NOT_THERE = TableUnreadable("no such table")


async def test_the_records_of_a_table_that_is_not_there_wait_and_others_go_on(tmp_path: Path) -> None:
    async with running(tmp_path, workers=3, queue_size=4) as rig:
        rig.truth.poisonous = {"1": NOT_THERE, "2": NOT_THERE}
        await rig.add(1, 2)
        # Both are put off before the clock goes on: they wait for so many seconds from then.
        await wait_until(lambda: len(rig.truth.reads) == 2 and not rig.lane.state().busy)
        assert [one.table for one in rig.lane.state().waiting] == ["public.users"]
        await rig.until(received=2, open=2)
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
        await rig.add(*[1] * arriving)  # before it is due: what comes while it is worked on has a time of its own
        rig.now, times = table.next_try_at.timestamp(), times + 1
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
        await rig.store.release_abandoned()
        async with working(rig):
            await pass_a_quarter_of_an_hour(rig)
            await rig.until(received=1, dead=1)


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
        await replay(rig.store, EventFilter(outcome=Outcome.DEAD), limit=10)
        rig.now += 60.0
        rig.lane.wake()
        await wait_until(lambda: len(rig.truth.reads) > reads and not rig.lane.state().busy)
        assert await books(rig.store) == {"received": 1, "open": 1}


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

        hours = itertools.count(1)  # whatever was given back for later since the last look is due

        async def all_given_back() -> bool:
            return len(await take(rig.store, now=rig.now + 3600.0 * next(hours), lease=0.0)) == 3

        await wait_until(all_given_back)
        assert rig.truth.reads == ["1"]
