"""Settled events again: dead letters that are open again, and replays of the others."""

import asyncio
import itertools

import pytest

from hookbridge.model import Event, Outcome
from hookbridge.pipeline.replay import replay
from hookbridge.store.contract import Store
from hookbridge.store.values import EventFilter
from tests.support.engines import at
from tests.support.events import event
from tests.support.stores import add, books, bury, finish, ids, take, take_one

ALL = EventFilter()


async def test_a_replayed_dead_letter_is_the_same_event_open_again(store: Store) -> None:
    (event_id,) = await bury(store, event(identity=b"x", body=b"first"))
    assert (await replay(at(store, 200.0), ALL, limit=10)).count == 1
    assert ids(await take_one(store, now=200.0)) == [event_id]
    assert await books(store) == {"received": 1, "open": 1}


async def test_a_replayed_applied_event_comes_in_anew(store: Store) -> None:
    (old,) = await add(store, event(identity=b"x", body=b"first", occurred_at="then"))
    await finish(store, await take_one(store))
    assert (await replay(at(store, 200.0), ALL, limit=10)).count == 1
    (new,) = (await take_one(store, now=200.0)).events
    assert new.id > old
    assert new.event == event(body=b"first", occurred_at="then", origin="replay")
    assert new.received_at == 200.0
    assert await books(store) == {"received": 2, "open": 1, "applied": 1}
    known = await store.known(b"x")
    assert known is not None
    assert known.id == old


async def test_open_and_ignored_events_are_left_alone(store: Store) -> None:
    (ignored,) = await add(store, event(1, ignored="no"))
    (opened,) = await add(store, event(2))
    for event_id in (ignored, opened, 99):
        assert (await replay(at(store, 200.0), EventFilter(ids=(event_id,)), limit=10)).count == 0
    assert (await replay(at(store, 200.0), ALL, limit=10)).count == 0
    assert await books(store) == {"received": 2, "open": 1, "ignored": 1}


async def test_two_replays_of_one_moment_open_a_dead_letter_once(store: Store) -> None:
    await bury(store, event())
    done = await asyncio.gather(*[replay(at(store, 200.0), ALL, limit=10) for _ in range(2)])
    counts = [one.count for one in done]
    assert sorted(counts) == [0, 1]
    assert await books(store) == {"received": 1, "open": 1}


async def test_one_event_is_replayed_when_one_is_named(store: Store) -> None:
    first, _ = await bury(store, event(1), event(2))
    assert (await replay(at(store, 200.0), EventFilter(ids=(first,)), limit=10)).count == 1
    assert ids(await take_one(store, now=200.0)) == [first]


async def test_the_newest_are_replayed_up_to_the_limit_and_in_arrival_order(store: Store) -> None:
    given = await bury(store, *[event(type=f"t{n}") for n in range(5)])
    assert (await replay(at(store, 200.0), ALL, limit=3)).count == 3
    assert ids(await take_one(store, now=200.0)) == list(given[2:])
    assert await books(store) == {"received": 5, "open": 3, "dead": 2}


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (EventFilter(outcome=Outcome.DEAD), 2),
        (EventFilter(outcome=Outcome.APPLIED), 1),
        (EventFilter(outcome=Outcome.COALESCED), 1),
        (EventFilter(outcome=Outcome.IGNORED), 0),
        (EventFilter(source="notion"), 1),
        (EventFilter(tables=("public.users",), record_ids=("1",)), 1),
        (EventFilter(type="nothing"), 0),
        (EventFilter(open=True), 0),
        (EventFilter(), 4),
    ],
)
async def test_only_what_the_filter_says_is_replayed(store: Store, which: EventFilter, expected: int) -> None:
    await bury(store, event(1), event(1, table="d", source="notion"))
    await add(store, event(2), event(2))
    await finish(store, await take_one(store))
    assert (await replay(at(store, 200.0), which, limit=10)).count == expected
    assert (await books(store)).get("open", 0) == expected


async def test_a_replay_waits_its_turn_behind_what_arrived_before_it(store: Store) -> None:
    await bury(store, event(1, identity=b"x"), event(2))
    await add(store, event(3), at=150.0)
    await at(store, 200.0).append([event(1, identity=b"x")], 200.0)
    await replay(at(store, 300.0), ALL, limit=10)
    assert [claim.record.id for claim in await take(store, now=400.0)] == ["3", "1", "2"]
    assert await at(store, 400.0).oldest_open_seconds() == 250.0


async def test_a_dead_letter_that_opens_during_a_run_of_its_record_is_not_forgotten(store: Store) -> None:
    (dead,) = await bury(store, event(identity=b"x"))
    await add(store, event(), at=150.0)
    claim = await take_one(store, now=160.0)
    await at(store, 170.0).append([event(identity=b"x")], 170.0)
    await finish(store, claim, now=180.0)
    following = await take_one(store, now=190.0)
    assert ids(following) == [dead]
    await finish(store, following)
    assert await books(store) == {"received": 2, "applied": 2}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("apart", [True, False])
async def test_dead_letters_of_one_record_open_in_any_order_and_form_no_circle(
    store: Store, order: tuple[int, ...], *, apart: bool
) -> None:
    names = [b"a", b"b", b"c"]
    given: tuple[int, ...]
    if apart:
        given = await bury(store, *[event(identity=name) for name in names])
    else:
        given = await add(store, *[event(identity=name) for name in names])
        await finish(store, await take_one(store), outcome=Outcome.DEAD)
    for number in order:
        await at(store, 200.0).append([event(identity=names[number])], 200.0)
    claim = await take_one(store, now=300.0)
    assert ids(claim) == [given[number] for number in order]
    assert claim.types == {"update": 3}
    await finish(store, claim, now=301.0)
    assert await take(store, now=1_000.0) == ()
    assert await books(store) == {"received": 3, "applied": 1, "coalesced": 2}


async def test_one_opened_while_its_older_neighbour_stays_dead_does_not_bring_that_one_along(store: Store) -> None:
    hints: list[Event] = [event(identity=b"a"), event(identity=b"b")]
    older, newer = await add(store, *hints)
    await finish(store, await take_one(store), outcome=Outcome.DEAD)
    await at(store, 200.0).append([hints[1]], 200.0)
    claim = await take_one(store, now=201.0)
    assert ids(claim) == [newer]
    assert await books(store) == {"received": 2, "open": 1, "dead": 1}
    await at(store, 202.0).append([hints[0]], 202.0)
    await finish(store, claim, now=203.0)
    assert ids(await take_one(store, now=204.0)) == [older]
