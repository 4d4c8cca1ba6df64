"""Admission: what is in flight is bounded by number and by size, and whatever is stored wakes its lane."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookbridge.config import ServerConfig, StoreConfig
from hookbridge.errors import TryLater
from hookbridge.model import SourceName
from hookbridge.pipeline.append import IN_FLIGHT_BYTES_MAX, Intake
from hookbridge.store.sqlite import SqliteStore
from tests.support.events import event
from tests.support.files import opened
from tests.support.stores import books
from tests.support.waiting import wait_until

QUARTER = b"x" * (IN_FLIGHT_BYTES_MAX // 4)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path) as one:
        yield one


def intake(store: SqliteStore, woken: list[SourceName] | None = None) -> Intake:
    return Intake(store, ServerConfig(), StoreConfig(), ([] if woken is None else woken).append, lambda: 1.0)


async def test_bodies_that_wait_for_the_disk_are_bounded_by_their_size(store: SqliteStore) -> None:
    gate = intake(store)
    waiting = [gate.submit((event(number, body=QUARTER),)) for number in range(4)]
    with pytest.raises(TryLater, match="waiting to be stored"):
        await gate.submit((event(5, body=b"x"),))
    await asyncio.gather(*waiting)
    await gate.accept((event(5, body=b"x"),))
    assert await books(store) == {"received": 5, "open": 5}


async def test_one_request_of_any_size_is_taken_when_nothing_else_waits(store: SqliteStore) -> None:
    gate = intake(store)
    large = tuple(event(number, body=QUARTER) for number in range(5))
    assert len(await gate.accept(large)) == 5


async def test_a_request_that_is_cancelled_while_its_event_is_stored_wakes_the_lane_all_the_same(
    store: SqliteStore,
) -> None:
    woken: list[SourceName] = []
    request = asyncio.create_task(intake(store, woken).accept((event(),)))
    await asyncio.sleep(0)
    request.cancel()
    await wait_until(lambda: woken == ["supabase"])
    assert await books(store) == {"received": 1, "open": 1}
