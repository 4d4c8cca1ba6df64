"""Counters, notes and retention: what must add up, whatever was removed and however often it was restarted."""

import asyncio

from hookbridge.model import Outcome
from hookbridge.pipeline.replay import replay
from hookbridge.store.contract import Store
from hookbridge.store.values import EventFilter, Span
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import copy, effects, event, key, settlement
from tests.support.stores import add, books, bury, finish, take, take_one


async def test_the_counters_say_what_happened_and_survive_a_restart(reopen: Reopen) -> None:
    store = await reopen()
    await add(store, event(type="insert"), event(type="update"), event(2, ignored="no"), event(3, identity=b"x"))
    await add(store, event(3, identity=b"x"), event(4, source="notion", type="delete"))
    first, second = await take(store)
    applied = effects(copy(key(1), await store.ticket()))
    await at(store, 101.0).settle(settlement(first, effects=applied, attempts=3, duration=0.5))
    await at(store, 101.0).settle(settlement(second, Outcome.DEAD, attempts=3, duration=0.25))
    before = await store.totals()
    assert await books(store) == {"received": 5, "open": 1, "applied": 1, "coalesced": 1, "ignored": 1, "dead": 1}
    assert (before.duplicates, before.processed, before.failed, before.retries) == (1, 2, 1, 4)
    assert (before.changes, before.processing_seconds) == (2, 0.75)
    assert before.by_type == {"insert": 1, "update": 2}
    assert before.by_source == {"supabase": 3}
    assert before.by_verification == {"verified": 1}
    assert before.by_origin == {"supabase:webhook": 4, "notion:webhook": 1}
    ended = {"supabase:applied": 1, "supabase:coalesced": 1, "supabase:ignored": 1, "supabase:dead": 1}
    assert before.by_outcome == ended
    again = await reopen()
    assert await again.totals() == before
    assert again.open_events == 1


async def test_open_events_are_known_without_waiting(store: Store) -> None:
    await asyncio.gather(*[at(store, 1.0).append([event(n), event(n)], 1.0) for n in range(10)])
    assert store.open_events == 20
    await finish(store, *await take(store))
    assert store.open_events == 0


async def test_received_and_settled_are_counted_by_source_also_where_events_come_again(store: Store) -> None:
    await bury(store, event(1, identity=b"x"))
    await add(store, event(1, identity=b"x"))  # a duplicate of a dead letter opens it again, and is not received again
    await finish(store, await take_one(store))
    await replay(at(store, 102.0), EventFilter(), limit=5)
    await add(store, event(2, origin="poll", ignored="no"), event(2, origin="poll", ignored="no", identity=b"x"))
    totals = await store.totals()
    assert totals.by_origin == {"supabase:webhook": 1, "supabase:replay": 1, "supabase:poll": 1}
    assert sum(totals.by_origin.values()) == totals.books.received
    settled = {name: number for name, number in totals.by_outcome.items() if number}
    assert settled == {"supabase:dead": 1, "supabase:applied": 1, "supabase:ignored": 1}


async def test_dirty_records_are_counted_by_source(store: Store) -> None:
    assert await store.dirty_records() == {}
    await add(store, event(1), event(1), event(2), event(1, source="notion"))
    assert await store.dirty_records() == {"supabase": 2, "notion": 1}
    await finish(store, *await take(store))
    assert await store.dirty_records() == {"notion": 1}


async def test_a_new_store_has_nothing(store: Store) -> None:
    assert await books(store) == {}
    assert store.open_events == 0
    await at(store, 1.0).release_abandoned()
    assert store.open_events == 0


# Retention


async def test_settled_events_go_in_batches_oldest_first(store: Store) -> None:
    for number in range(7):
        await add(store, event(number))
        await finish(store, await take_one(store), now=float(number))
    (newest,) = await add(store, event("newest"))
    assert [await store.remove_settled(Span(0.0, 5.0), 2) for _ in range(4)] == [2, 2, 1, 0]
    left = await store.events(EventFilter(), before=None, limit=100)
    assert [one.settled_at for one in left.events] == [None, 6.0, 5.0]
    assert left.events[0].id == newest
    assert await books(store) == {"received": 8, "open": 1, "applied": 7}


async def test_open_and_dead_events_stay_and_everything_else_goes(store: Store) -> None:
    (dead,) = await bury(store, event(1))
    await add(store, event(2), event(2))
    await finish(store, await take_one(store))
    await add(store, event(3, ignored="no"), at=100.0)
    (opened,) = await add(store, event(4), at=100.0)
    assert await store.remove_settled(Span(0.0, 1_000.0), 100) == 3
    left = await store.events(EventFilter(), before=None, limit=100)
    assert [one.id for one in left.events] == [opened, dead]
    assert (await replay(at(store, 200.0), EventFilter(outcome=Outcome.DEAD), limit=5)).count == 1
    assert len(await take(store, now=300.0)) == 2


async def test_an_id_is_never_used_twice(reopen: Reopen) -> None:
    store = await reopen()
    seen: set[int] = set()
    for number in range(4):
        (event_id,) = await add(store, event())
        assert event_id not in seen
        seen.add(event_id)
        await finish(store, await take_one(store))
        await store.remove_settled(Span(0.0, 1_000.0), 100)
        if number % 2:
            store = await reopen()


async def test_the_newest_event_does_not_shield_older_ones_from_a_small_batch(store: Store) -> None:
    await add(store, event(1), event(2))
    older, newest = await take(store)
    await finish(store, newest, now=1.0)
    await finish(store, older, now=2.0)
    assert [await store.remove_settled(Span(0.0, 1_000.0), 1) for _ in range(2)] == [1, 0]


async def test_an_event_that_was_removed_is_new_when_it_comes_again(store: Store) -> None:
    await add(store, event(identity=b"x"))
    await finish(store, await take_one(store))
    await add(store, event(2))
    await store.remove_settled(Span(0.0, 1_000.0), 10)
    (receipt,) = await at(store, 200.0).append([event(identity=b"x")], 200.0)
    assert not receipt.duplicate


async def test_a_dead_letter_whose_settled_neighbours_were_removed_opens_alone(store: Store) -> None:
    await add(store, event())
    claim = await take_one(store)
    (dead,) = await add(store, event(identity=b"x"))
    await finish(store, claim)
    await finish(store, await take_one(store, now=102.0), outcome=Outcome.DEAD)
    await add(store, event(2))
    assert await store.remove_settled(Span(0.0, 1_000.0), 10) == 1
    await at(store, 200.0).append([event(identity=b"x")], 200.0)
    claims = {one.record: [each.id for each in one.events] for one in await take(store, now=300.0)}
    assert claims[key(1)] == [dead]


# Notes


async def test_a_note_is_set_replaced_removed_and_kept(reopen: Reopen) -> None:
    store = await reopen()
    assert await store.note("cursor") is None
    assert await store.put_note("cursor", "1")
    assert await store.put_note("cursor", "2 — ü")
    assert await store.put_note("other", "")
    store = await reopen()
    assert (await store.note("cursor"), await store.note("other")) == ("2 — ü", "")
    assert await store.put_note("cursor", None)
    assert await store.note("cursor") is None
    assert not await store.put_note("cursor", None)


async def test_a_note_is_replaced_only_where_it_is_what_was_read(store: Store) -> None:
    assert await store.replace_note("token", "new", instead_of="old") is False
    await store.put_note("token", "old")
    assert await store.replace_note("token", "new", instead_of="other") is False
    assert await store.note("token") == "old"
    won = await asyncio.gather(*[store.replace_note("token", f"new {n}", instead_of="old") for n in range(5)])
    assert won.count(True) == 1
    assert await store.note("token") == f"new {won.index(True)}"


async def test_notes_are_listed_by_how_their_names_begin(store: Store) -> None:
    for name in ("d:one", "d:two", "d", "D:one", "e:d:one", "d%"):
        await store.put_note(name, name.upper())
    assert await store.notes("d:") == {"d:one": "D:ONE", "d:two": "D:TWO"}
    assert await store.notes("d%") == {"d%": "D%"}
    assert set(await store.notes()) >= {"d:one", "d:two", "d", "D:one", "e:d:one", "d%"}


async def test_of_those_who_note_only_if_absent_the_first_one_wins(store: Store) -> None:
    won = await asyncio.gather(*[store.put_note("token", str(n), only_if_absent=True) for n in range(10)])
    assert won == [True] + [False] * 9
    assert await store.note("token") == "0"


async def test_checking_that_it_can_write_leaves_everything_else_as_it_is(store: Store) -> None:
    await add(store, event())
    before = await store.totals()
    await store.check_writable()
    await store.check_writable()
    assert await store.totals() == before


async def test_whoever_watches_is_told_how_many_writes_shared_a_commit_and_how_long_it_took(store: Store) -> None:
    told: list[tuple[int, float]] = []
    store.watch_commits(lambda jobs, seconds: told.append((jobs, seconds)))
    await asyncio.gather(*[at(store, 1.0).append([event(number)], 1.0) for number in range(5)])
    await add(store, event(5))
    assert [jobs for jobs, _ in told] == [5, 1]
    assert all(seconds > 0 for _, seconds in told)
