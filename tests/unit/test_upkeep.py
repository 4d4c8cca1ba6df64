"""Upkeep: what is old goes in small batches, what counts stays, and a full disk is said once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hookbridge.config import RetentionConfig, ServerConfig, StoreConfig
from hookbridge.destinations import Places
from hookbridge.errors import TryLater
from hookbridge.model import Failure, Outcome
from hookbridge.pipeline.append import Intake
from hookbridge.store.nodes import Lead, Report
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.values import EventFilter
from hookbridge.upkeep import PAUSE_SECONDS, WATCH_SECONDS, Upkeep
from tests.support.engines import at
from tests.support.events import copy, event, key, settlement
from tests.support.files import opened, refuse_writes
from tests.support.naps import HeldNaps, Naps
from tests.support.stores import add, books, bury, finish, take
from tests.support.waiting import wait_until

DAY = 86_400.0
NOW = 100 * DAY
NO_DISK_HAS = 1 << 62


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path) as one:
        yield one


def intake(store: SqliteStore) -> Intake:
    return Intake(store, ServerConfig(), StoreConfig(), lambda _: None, lambda: NOW)


def upkeep(
    store: SqliteStore, *, gate: Intake | None = None, naps: Naps | None = None, min_free_bytes: int = 0
) -> Upkeep:
    """Keeps events for ten days, dead letters for thirty and absences for one, two rows a batch."""
    return Upkeep(
        store,
        gate or intake(store),
        RetentionConfig(settled_days=10.0, dead_days=30.0, tombstone_days=1.0, batch_rows=2, interval_seconds=60.0),
        StoreConfig(min_free_bytes=min_free_bytes),
        Places(store, [], lambda: NOW),
        lambda: NOW,
        sleep=naps or Naps(),
    )


async def settled(store: SqliteStore, number: int, at: float) -> None:
    """So many applied events, settled then."""
    await add(store, *[event(f"{at}-{n}") for n in range(number)], at=at)
    await finish(store, *await take(store, now=NOW), now=at)


async def test_everything_older_than_allowed_goes_with_a_pause_after_each_batch(
    store: SqliteStore, tmp_path: Path
) -> None:
    await settled(store, 5, NOW - 11 * DAY)
    await settled(store, 2, NOW - 9 * DAY)
    for number, age in enumerate((3 * DAY, 2 * DAY, 1.5 * DAY, 0.5 * DAY)):
        await store.put(copy(key(number), await store.ticket(), None, read_at=NOW - age), None, exclusive=False)
    naps = Naps()
    assert await upkeep(store, naps=naps).remove_old() == 8
    assert naps.taken == [PAUSE_SECONDS] * 5
    left = await store.events(EventFilter(), before=None, limit=100)
    assert {one.settled_at for one in left.events} == {NOW - 9 * DAY}
    assert [await store.copy(key(number)) is None for number in range(4)] == [True, True, True, False]
    assert await books(store) == {"received": 7, "applied": 7}


async def test_open_events_stay_however_old_and_dead_letters_stay_longer_than_others(
    store: SqliteStore, tmp_path: Path
) -> None:
    await add(store, event(1), at=NOW - 20 * DAY)
    await finish(store, *await take(store, now=NOW), outcome=Outcome.DEAD, now=NOW - 20 * DAY)
    await add(store, event(2), at=1.0)
    await add(store, event(3, ignored="no"), at=1.0)
    await add(store, event(4), at=NOW)
    assert await upkeep(store).remove_old() == 1
    left = await store.events(EventFilter(), before=None, limit=100)
    assert [(one.event.record.id, one.outcome) for one in left.events] == [
        ("4", None),
        ("2", None),
        ("1", Outcome.DEAD),
    ]


async def test_dead_letters_that_nobody_replayed_are_given_up_and_the_books_balance(
    store: SqliteStore, tmp_path: Path
) -> None:
    await bury(store, *[event(number) for number in range(5)])  # at 101
    young = (await add(store, event("young"), at=NOW - 29 * DAY))[0]
    await finish(store, *await take(store, now=NOW), outcome=Outcome.DEAD, now=NOW - 29 * DAY)
    await add(store, event("newest"), at=NOW)
    assert await upkeep(store).remove_old() == 5
    assert await books(store) == {"received": 7, "open": 1, "dead": 1, "ignored": 5}
    left = await store.events(EventFilter(outcome=Outcome.DEAD), before=None, limit=100)
    assert [one.id for one in left.events] == [young]


async def test_failed_attempts_go_all_of_them_in_one_round(store: SqliteStore, tmp_path: Path) -> None:
    tries = tuple(Failure(number=n, began_at=float(n), ended_at=n + 0.5, error="x") for n in range(1, 4))
    (event_id,) = await add(store, event(), at=0.5)
    for claim in await take(store, now=NOW):
        await at(store, NOW).settle(settlement(claim, Outcome.DEAD, failures=tries))
    dead = await store.event(event_id)
    assert dead is not None
    assert len(await store.failures(dead)) == 3
    assert await upkeep(store).remove_old() == 3
    assert await store.failures(dead) == ()


async def test_what_retention_freed_in_the_file_counts_as_space(store: SqliteStore, tmp_path: Path) -> None:
    for number in range(64):
        await add(store, event(number, body=b"x" * (1 << 20)), at=1.0)
    while claims := await take(store, now=NOW):
        await finish(store, *claims, now=1.0)
    await add(store, event("newest"), at=NOW)
    gate = intake(store)
    free = await store.free_bytes()
    assert free is not None
    watch = upkeep(store, gate=gate, min_free_bytes=free + (32 << 20))
    await watch.look_at_disk()
    assert gate.disk_is_low
    assert await watch.remove_old() == 64
    await watch.look_at_disk()
    assert not gate.disk_is_low


async def test_a_store_that_refuses_is_tried_again_at_the_next_round(store: SqliteStore, tmp_path: Path) -> None:
    await settled(store, 1, NOW - 11 * DAY)
    await add(store, event())
    naps = HeldNaps()
    cluster = await store.beat(Report(wants=("upkeep",)))
    lead = Lead("upkeep", cluster.leaders["upkeep"].epoch)
    refuse_writes(store, refuse=True)
    with capture_logs() as lines:
        watch = upkeep(store, naps=naps)
        work = asyncio.gather(watch.keep_small(lead), watch.watch())
        await wait_until(lambda: sorted(naps.taken) == [WATCH_SECONDS, 60.0])
        refuse_writes(store, refuse=False)
        for _ in range(2):
            naps.pass_one()
        await wait_until(lambda: PAUSE_SECONDS in naps.taken)
        work.cancel()
        await asyncio.wait([work])
    assert [one["event"] for one in lines] == ["Retention waits for the store"]
    assert len((await store.events(EventFilter(), before=None, limit=5)).events) == 1


async def test_a_disk_that_is_nearly_full_refuses_events_until_it_has_space_and_each_is_said_once(
    store: SqliteStore, tmp_path: Path
) -> None:
    gate = intake(store)
    full = upkeep(store, gate=gate, min_free_bytes=NO_DISK_HAS)
    free = upkeep(store, gate=gate)
    with capture_logs() as lines:
        for look in (free, full, full):
            await look.look_at_disk()
        with pytest.raises(TryLater, match="nearly full"):
            await gate.accept((event(),))
        await free.look_at_disk()
        await free.look_at_disk()
    assert len(await gate.accept((event(),))) == 1
    assert [(one["log_level"], one["event"]) for one in lines] == [
        ("error", "The disk is nearly full: webhooks are refused"),
        ("info", "The disk has space again: webhooks are accepted"),
    ]


async def test_a_folder_that_is_gone_is_no_full_disk(tmp_path: Path) -> None:
    async with opened(tmp_path / "mounted") as store:
        gate = intake(store)
        watch = upkeep(store, gate=gate, min_free_bytes=1)
        await watch.look_at_disk()
        (tmp_path / "mounted").rename(tmp_path / "elsewhere")
        await watch.look_at_disk()
        assert not gate.disk_is_low


async def test_a_data_file_that_is_gone_is_found_without_a_webhook_and_said_once_each_way(
    store: SqliteStore, tmp_path: Path
) -> None:
    watch, data, away = upkeep(store), tmp_path / "hookbridge.db", tmp_path / "away.db"
    with capture_logs() as lines:
        await watch.look_at_store()
        data.rename(away)
        await watch.look_at_store()
        await watch.look_at_store()
        away.rename(data)
        await watch.look_at_store()
        await watch.look_at_store()
    assert [(one["log_level"], one["event"]) for one in lines] == [
        ("error", "The store is not sound: webhooks are refused"),
        ("info", "The store is as it was: webhooks are accepted"),
    ]
