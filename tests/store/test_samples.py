"""Samples: what the counters said, once a minute, bounded, and still there after a restart."""

import asyncio

from hookbridge.model import Counts
from hookbridge.store.contract import Store
from hookbridge.store.values import SAMPLES_MAX
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import event
from tests.support.stores import add, bury, finish, take

NOON = 1_800_000_000.0
"""The begin of a minute."""


async def test_a_sample_says_what_the_counters_say_and_is_there_after_a_restart(reopen: Reopen) -> None:
    store = await reopen()
    await bury(store, event(4))
    await add(store, event(1), event(1), event(2), event(3, ignored="not listed"))
    await finish(store, *await take(store))
    await add(store, event(5), event(6))
    await at(store, NOON + 7.25).take_sample()
    store = await reopen()
    assert await store.samples(since=0.0) == (Counts(at=NOON + 7.25, received=7, applied=3, open=2),)


async def test_a_store_in_which_nothing_was_says_nothing_but_zeros(store: Store) -> None:
    await at(store, NOON).take_sample()
    assert await store.samples(since=0.0) == (Counts(at=NOON, received=0, applied=0, open=0),)


async def test_a_minute_has_one_sample_whoever_takes_one(store: Store) -> None:
    await at(store, NOON).take_sample()
    await add(store, event(1))
    await asyncio.gather(*(at(store, NOON + 59.5).take_sample() for _ in range(5)))
    await at(store, NOON + 60.0).take_sample()
    taken = await store.samples(since=0.0)
    assert [(one.at, one.received) for one in taken] == [(NOON + 59.5, 1), (NOON + 60.0, 1)]


async def test_a_minute_in_which_nobody_looked_has_none(store: Store) -> None:
    for minute in (0, 1, 5):
        await at(store, NOON + 60 * minute).take_sample()
    assert [one.at - NOON for one in await store.samples(since=0.0)] == [0.0, 60.0, 300.0]


async def test_they_are_asked_for_from_a_minute_on(store: Store) -> None:
    for minute in range(4):
        await at(store, NOON + 60 * minute + 5).take_sample()
    assert [one.at - NOON for one in await store.samples(since=NOON + 179.9)] == [125.0, 185.0]


async def test_those_of_a_day_are_kept(store: Store) -> None:
    for minute in range(SAMPLES_MAX + 5):
        await at(store, NOON + 60 * minute).take_sample()
    kept = await store.samples(since=0.0)
    assert len(kept) == SAMPLES_MAX
    assert kept[0].at == NOON + 5 * 60
    assert kept[-1].at - kept[0].at == 24 * 3600


async def test_a_clock_that_was_ahead_takes_the_place_of_no_minute(store: Store) -> None:
    await at(store, NOON).take_sample()
    await at(store, NOON + 120).take_sample()
    await add(store, event(1))
    await at(store, NOON + 60).take_sample()
    await at(store, NOON + 121).take_sample()
    taken = await store.samples(since=0.0)
    assert [(one.at - NOON, one.received) for one in taken] == [(0.0, 0), (60.0, 1), (121.0, 1)]
