"""However large the tables grow, no statement on the way of an event reads one from end to end."""

import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from hookbridge.model import Outcome
from hookbridge.pipeline.replay import replay, replayable
from hookbridge.store.sqlite import SqliteStore, listings
from hookbridge.store.sqlite.readers import BROWSERS, READERS, SEARCHERS
from hookbridge.store.values import EventFilter, RecordFilter, Span
from tests.support.engines import at
from tests.support.events import copy, effects, event, key, settlement
from tests.support.files import opened
from tests.support.stores import add, bury, finish, matching, take
from tests.support.taps import Tap

WHOLE = re.compile(r"SCAN (events|dirty|copies|words_content)\b")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path) as one:
        # Each reader opens its connection at its first read: all of them at once, so that every one can be watched.
        everyone = threading.Barrier(READERS + BROWSERS + SEARCHERS)
        engine = one._engine
        groups = ((engine.read, READERS), (engine.browse, BROWSERS), (engine.search, SEARCHERS))
        await asyncio.gather(*[run(lambda _: everyone.wait(10)) for run, number in groups for _ in range(number)])
        yield one


@pytest.fixture
def tap(store: SqliteStore) -> Tap:
    return Tap(store._engine._writer, *store._engine._readers._opened)


async def plans(store: SqliteStore, statements: Iterable[str]) -> dict[str, list[str]]:
    """How SQLite goes about each of them."""

    def explain(connection: sqlite3.Connection) -> dict[str, list[str]]:
        return {
            one: [step for *_, step in connection.execute("EXPLAIN QUERY PLAN " + one)]
            for one in statements
            if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", one)
        }

    return await store._engine.read(explain)


async def expect_no_whole_tables(store: SqliteStore, ran: Iterable[str]) -> None:
    found = await plans(store, ran)
    assert found
    assert {one: steps for one, steps in found.items() if any(map(WHOLE.search, steps))} == {}


async def test_what_comes_in_is_claimed_and_settled_by_indexes_alone(store: SqliteStore, tap: Tap) -> None:
    with tap.listening() as ran:
        await add(store, event(1, identity=b"x"), event(1), event(2), event("p", source="notion"))
        await add(store, event(1, identity=b"x"))
        await store.put(copy(key(1), await store.ticket()), None, exclusive=False)
        claims = [*await take(store), *await take(store, source="notion")]
        await add(store, event(2))
        for claim in claims:
            read = effects(copy(claim.record, await store.ticket()), "words", exclusive=claim.record.source == "notion")
            await at(store, 101.0).settle(settlement(claim, effects=read))
        again = await take(store, now=102.0)
        await store.release(again)
        await at(store, 103.0).release_abandoned()
    assert sum("FROM dirty" in one for one in set(ran)) >= 4
    await expect_no_whole_tables(store, ran)


async def test_a_burst_on_one_record_is_counted_and_settled_along_its_chain(store: SqliteStore, tap: Tap) -> None:
    await add(store, *[event() for _ in range(150)])
    with tap.listening() as ran:
        await finish(store, *await take(store))
    assert any("RECURSIVE" in one and "count(*)" in one for one in ran)
    await expect_no_whole_tables(store, ran)


async def test_a_dead_letter_opens_by_its_name_or_id(store: SqliteStore, tap: Tap) -> None:
    first, _ = await bury(store, event(1), event(2, identity=b"x"))
    with tap.listening() as ran:
        await add(store, event(2, identity=b"x"))
        await replay(at(store, 200.0), EventFilter(ids=(first,)), limit=1)
    await expect_no_whole_tables(store, ran)


async def test_retention_finds_what_is_old_without_reading_what_stays(store: SqliteStore, tap: Tap) -> None:
    await bury(store, event("dead"))
    await add(store, event(1), event(2))
    await finish(store, *await take(store))
    await store.put(copy(key(3), await store.ticket(), None), None, exclusive=False)
    await store.put(copy(key(4), await store.ticket()), None, exclusive=False)
    with tap.listening() as ran:
        assert await store.remove_settled(Span(0.0, 1_000.0), 10) == 1
        assert await store.remove_tombstones(Span(0.0, 1_000.0), 10) == 1
        assert await store.remove_dead(Span(0.0, 1_000.0), 10) == 1
    await expect_no_whole_tables(store, ran)
    steps = [step for one in (await plans(store, ran)).values() for step in one]
    assert any("events_settled (settled_at" in step for step in steps), steps
    assert any("events_dead_settled (settled_at" in step for step in steps), steps
    assert any("copies_tombstones (read_at" in step for step in steps), steps


async def test_single_records_events_and_times_are_looked_up(store: SqliteStore, tap: Tap) -> None:
    (event_id,) = await add(store, event(identity=b"x"))
    with tap.listening() as ran:
        await store.event(event_id)
        await store.known(b"x")
        await store.copy(key(1))
        await at(store, 100.0).oldest_open_seconds()
        await matching(store, "words")
    assert len(set(ran)) >= 5
    await expect_no_whole_tables(store, ran)


async def test_dead_letters_are_listed_and_chosen_from_their_own_index(store: SqliteStore, tap: Tap) -> None:
    await bury(store, event(1), event(2))
    dead = EventFilter(outcome=Outcome.DEAD)
    with tap.listening() as ran:
        await store.events(dead, before=None, limit=5)
        await store.events(dead, before=2, limit=5)
        await store._engine.browse(lambda connection: listings.replayable(connection, dead, None, 5))
    found = {one: steps for one, steps in (await plans(store, ran)).items() if "max(id)" not in one}
    assert len(found) == 3
    assert all("events_dead" in steps[0] for steps in found.values()), found


@pytest.mark.parametrize(
    "which",
    [
        EventFilter(ids=(1, 2)),
        EventFilter(source="supabase", type="update", origin="webhook"),
        EventFilter(tables=("public.users",), record_ids=("1",)),
        EventFilter(tables=("public.users",)),
        EventFilter(record_ids=("1",)),
        EventFilter(outcome=Outcome.APPLIED),
        EventFilter(open=False),
        EventFilter(text="ada"),
    ],
)
async def test_a_filter_looks_at_a_stretch_of_events_and_no_further(
    store: SqliteStore, tap: Tap, which: EventFilter
) -> None:
    await add(store, event(1), event(2))
    await finish(store, *await take(store))
    with tap.listening() as ran:
        await store.events(which, before=None, limit=5)
        await replayable(store, which)
        await replay(at(store, 200.0), which, limit=1)
    await expect_no_whole_tables(store, ran)
    steps = [step for one in (await plans(store, ran)).values() for step in one]
    assert any(re.search(r"rowid(=\?|>\? AND rowid<\?)", step) for step in steps), steps


async def test_open_events_are_found_through_the_records_that_wait(store: SqliteStore, tap: Tap) -> None:
    await add(store, event(1), event(1), event(2))
    mine = EventFilter(open=True, source="supabase", tables=("public.users",), record_ids=("1",))
    with tap.listening() as ran:
        assert len((await store.events(EventFilter(open=True), before=None, limit=5)).events) == 3
    (listing,) = [steps for one, steps in (await plans(store, ran)).items() if "RECURSIVE" in one]
    assert not any(step.startswith("SCAN events") for step in listing), listing
    with tap.listening() as ran:
        assert len((await store.events(mine, before=None, limit=5)).events) == 2
    await expect_no_whole_tables(store, ran)


@pytest.mark.parametrize(
    "which",
    [
        RecordFilter(),
        RecordFilter(source="supabase"),
        RecordFilter(tables=("public.users",)),
        RecordFilter(record_ids=("1",)),
        RecordFilter(tables=("public.users",), record_ids=("1",)),
        RecordFilter(text="ada"),
        RecordFilter(state="present"),
        RecordFilter(state="absent", source="supabase", tables=("public.users",)),
        RecordFilter(state="waiting"),
        RecordFilter(state="waiting", source="supabase", tables=("public.users",)),
        RecordFilter(state="waiting", tables=("public.users",), record_ids=("1",)),
    ],
)
async def test_records_are_listed_in_the_order_of_an_index_also_while_many_wait(
    store: SqliteStore, tap: Tap, which: RecordFilter
) -> None:
    for number in range(3):
        await add(store, event(number))
        await store.put(copy(key(number), await store.ticket()), None, exclusive=False)
    with tap.listening() as ran:
        await store.records(which, after=None, limit=2)
        await store.records(which, after=key("0"), limit=2)
        await store.recent(which, before=None, limit=2)
    found = await plans(store, ran)
    assert found
    # In the order of an index it ends with the page.
    slow = re.compile(r"TEMP B-TREE|SCAN (dirty|copies)(?! USING (COVERING )?INDEX)")
    assert {one: steps for one, steps in found.items() if any(map(slow.search, steps))} == {}


async def test_a_sweep_compares_meets_and_misses_by_indexes_alone(store: SqliteStore, tap: Tap) -> None:
    sweep = await store.ticket()
    with tap.listening() as ran:
        standings = await at(store, 1.0).standings("supabase", "public.users", ["1", "2"])
        await at(store, 1.0).note_findings([key(1)], standings)
        await store.load([(copy(key(1), await store.ticket()), None)], exclusive=False)
        await store.meet(sweep, ["1"])
        await store.unmet("supabase", "public.users", sweep, limit=5)
        await store.wanting("supabase", "public.users", limit=5)
        await store.wanting("supabase", "public.users", after="1", limit=5)
        await store.content_counts("supabase", "public.users")
        await at(store, 2.0).settle_findings(0.0)
        await store.forget_sweeps(only=sweep, limit=5)
    await expect_no_whole_tables(store, ran)
    steps = [step for one in (await plans(store, ran)).values() for step in one]
    assert not any(step.startswith("SCAN found") and "INDEX" not in step for step in steps), steps


async def test_what_a_sweep_has_met_is_looked_up_by_name(store: SqliteStore, tap: Tap) -> None:
    # Going through all that it has met, for each page of a listing, makes a first load that never ends.
    with tap.listening() as ran:
        await store.met(1, ["1"])
    steps = [step for one in (await plans(store, ran)).values() for step in one]
    assert any("met USING PRIMARY KEY (sweep=? AND record_id=?)" in step for step in steps), steps
