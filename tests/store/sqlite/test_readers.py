"""The threads that read: nobody waits behind what takes longer than his own, and what nobody waits for ends."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from hookbridge.errors import StoreUnavailable
from hookbridge.pipeline.replay import replayable
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.sqlite.readers import BROWSERS, READERS, SEARCHERS
from hookbridge.store.values import EventFilter, RecordFilter
from tests.support.engines import at, opened_file
from tests.support.events import event, key
from tests.support.files import opened
from tests.support.stores import add, matching

Group = Literal["read", "browse", "search"]
GROUPS: dict[Group, int] = {"read": READERS, "browse": BROWSERS, "search": SEARCHERS}
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path) as one:
        await add(one, event())
        yield one


@contextmanager
def held(store: SqliteStore, *groups: Group) -> Iterator[None]:
    """Every thread of these groups is at work until the end."""
    gate = threading.Event()
    for group in groups:
        run = getattr(store._engine, group)
        for _ in range(GROUPS[group]):
            asyncio.ensure_future(run(lambda _: gate.wait(60)))  # noqa: RUF006  it ends with the gate
    try:
        yield
    finally:
        gate.set()


class Endless:
    """A read that only an interrupt ends, and whether it has begun."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> None:
        def first_steps() -> None:
            self.begun.set()

        connection.set_progress_handler(first_steps, 1_000)
        outer = connection.execute("SELECT 1 UNION ALL SELECT 2")
        next(outer)
        connection.execute(ENDLESS)  # while the other one is still in its statement

    async def begins(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, 30)


async def test_short_reads_wait_for_no_list_and_no_search_however_long_they_take(store: SqliteStore) -> None:
    with held(store, "browse", "search"):
        async with asyncio.timeout(30):
            await store.copy(key())
            await store.note("n")
            await at(store, 1.0).standings("supabase", "public.users", ["1"])
            await at(store, 1.0).oldest_open_seconds()
            await store.totals()


async def test_lists_wait_for_no_search_and_no_count_however_many_there_are(store: SqliteStore) -> None:
    with held(store, "search"):
        behind = [
            *(asyncio.ensure_future(matching(store, "ada")) for _ in range(20)),
            asyncio.ensure_future(replayable(store, EventFilter())),
            asyncio.ensure_future(store.events(EventFilter(text="ada"), before=None, limit=5)),
            asyncio.ensure_future(store.records(RecordFilter(text="ada"), after=None, limit=5)),
        ]
        async with asyncio.timeout(30):
            await store.events(EventFilter(), before=None, limit=5)
            await store.events(EventFilter(source="supabase"), before=None, limit=5)
            await store.records(RecordFilter(state="waiting"), after=None, limit=5)
            await store.dirty_records()
        assert not any(one.done() for one in behind)
    await asyncio.gather(*behind)


@pytest.mark.parametrize("group", GROUPS)
async def test_what_nobody_waits_for_any_more_ends_and_leaves_its_thread_to_the_next(
    store: SqliteStore, group: Group
) -> None:
    run = getattr(store._engine, group)
    endless = [Endless() for _ in range(GROUPS[group])]
    going = [asyncio.ensure_future(run(one)) for one in endless]
    for one in endless:
        await one.begins()
    for task in going:
        task.cancel()
    async with asyncio.timeout(30):
        for _ in range(3 * GROUPS[group]):
            assert await run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    assert all(task.cancelled() for task in going)


@pytest.mark.parametrize("group", GROUPS)
async def test_what_is_cancelled_before_it_has_a_thread_never_begins(store: SqliteStore, group: Group) -> None:
    run = getattr(store._engine, group)
    ran: list[int] = []

    def number(value: int) -> Callable[[sqlite3.Connection], None]:
        return lambda _: ran.append(value)

    with held(store, group):
        waiting = [asyncio.ensure_future(run(number(value))) for value in range(4)]
        await asyncio.sleep(0)
        for task in waiting[:3]:
            task.cancel()
        await asyncio.wait(waiting[:3])
    await waiting[3]
    assert ran == [3]


async def test_an_end_that_comes_late_does_not_touch_the_next_read_of_that_thread(store: SqliteStore) -> None:
    counting = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500000) SELECT count(*) FROM n"
    begun = threading.Barrier(SEARCHERS + 1)

    def count(connection: sqlite3.Connection) -> int:
        first = [True]

        def in_the_middle() -> None:
            if first:
                first.clear()
                begun.wait(30)

        connection.set_progress_handler(in_the_middle, 1_000)
        return int(connection.execute(counting).fetchone()[0])

    unwanted = [asyncio.ensure_future(store._engine.search(lambda _: None)) for _ in range(SEARCHERS)]
    wanted = [asyncio.ensure_future(store._engine.search(count)) for _ in range(SEARCHERS)]
    await asyncio.sleep(0)
    begun.wait(30)  # in the loop's thread, so that it does not hear yet that the first ones are done
    for task in unwanted:
        task.cancel()
    assert await asyncio.gather(*wanted) == [500_000] * SEARCHERS
    assert all(task.cancelled() for task in unwanted)


@pytest.mark.parametrize("group", GROUPS)
async def test_closing_does_not_wait_for_a_long_read(tmp_path: Path, group: Group) -> None:
    store = await opened_file(tmp_path / "hookbridge.db")
    endless = Endless()
    reading = asyncio.ensure_future(getattr(store._engine, group)(endless))
    await endless.begins()
    async with asyncio.timeout(30):
        await store.close()
        with pytest.raises(StoreUnavailable):
            await reading
