"""The inbox: what was acknowledged is there, once, and can be found."""

import asyncio
from collections.abc import Sequence

import pytest

from hookbridge.errors import TryLater
from hookbridge.model import Event, Outcome, RecordKey
from hookbridge.pipeline.replay import replay
from hookbridge.store.contract import Store
from hookbridge.store.values import EventFilter
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import copy, event, key
from tests.support.stores import add, books, bury, finish, ids, take, take_one


async def test_an_event_is_kept_byte_for_byte(store: Store) -> None:
    hint = event(
        "a:b,c%2C d",
        type="delete",
        format="native",
        origin="poll",
        body=b"\x00\xff{ }",
        occurred_at="2026-01-01 00:00",
        identity=b"\x00one",
    )
    (event_id,) = await add(store, hint, at=12.5)
    found = await store.event(event_id)
    assert found is not None
    assert (found.id, found.event, found.received_at) == (event_id, hint, 12.5)
    assert (found.outcome, found.reason, found.verification, found.attempts, found.settled_at) == (
        None,
        None,
        None,
        0,
        None,
    )
    assert await store.known(b"\x00one") == found
    assert await store.known(b"another") is None
    assert await store.event(event_id + 1) is None


async def test_what_was_acknowledged_is_there_after_a_restart(reopen: Reopen) -> None:
    first = await reopen()
    (event_id,) = await add(first, event(body=b"kept"))
    second = await reopen()
    found = await second.event(event_id)
    assert found is not None
    assert found.event.body == b"kept"
    assert await books(second) == {"received": 1, "open": 1}
    assert second.open_events == 1


async def test_requests_of_one_moment_all_get_their_own_receipts(store: Store) -> None:
    answers = await asyncio.gather(*[at(store, 1.0).append([event(n), event(n)], 1.0) for n in range(300)])
    given = [receipt.event_id for answer in answers for receipt in answer]
    assert len(set(given)) == 600
    for number, answer in enumerate(answers):
        for receipt in answer:
            found = await store.event(receipt.event_id)
            assert found is not None
            assert found.event.record == key(number)
    assert await books(store) == {"received": 600, "open": 600}


async def test_ids_grow_in_order_of_arrival(store: Store) -> None:
    given = [*await add(store, event(1), event(2)), *await add(store, event(3))]
    assert given == sorted(set(given))


async def test_an_ignored_event_is_stored_with_its_reason_and_makes_nothing_dirty(store: Store) -> None:
    (event_id,) = await add(store, event(ignored="not followed"), at=3.0)
    found = await store.event(event_id)
    assert found is not None
    assert (found.outcome, found.reason, found.settled_at) == (Outcome.IGNORED, "not followed", 3.0)
    assert await take(store) == ()
    assert await books(store) == {"received": 1, "ignored": 1}


async def test_an_ignored_event_leaves_the_open_ones_of_its_record_alone(store: Store) -> None:
    first, _, last = [(await add(store, one))[0] for one in (event(), event(ignored="no"), event())]
    assert ids(await take_one(store)) == [first, last]


# Duplicates


async def test_a_duplicate_in_the_same_request_is_stored_once(store: Store) -> None:
    receipts = await at(store, 1.0).append([event(identity=b"x"), event(identity=b"x"), event(2)], 1.0)
    assert [receipt.duplicate for receipt in receipts] == [False, True, False]
    assert receipts[0].event_id == receipts[1].event_id
    assert await books(store) == {"received": 2, "open": 2}
    assert (await store.totals()).duplicates == 1


async def test_of_equal_requests_of_one_moment_one_is_stored(store: Store) -> None:
    answers = await asyncio.gather(*[at(store, 1.0).append([event(identity=b"x")], 1.0) for _ in range(50)])
    assert sum(not receipt.duplicate for (receipt,) in answers) == 1
    assert len({receipt.event_id for (receipt,) in answers}) == 1
    assert await books(store) == {"received": 1, "open": 1}
    assert (await store.totals()).duplicates == 49


@pytest.mark.parametrize("outcome", [None, Outcome.APPLIED, Outcome.IGNORED])
async def test_a_duplicate_of_an_open_applied_or_ignored_event_changes_nothing(
    store: Store, outcome: Outcome | None
) -> None:
    (event_id,) = await add(store, event(identity=b"x"))
    if outcome:
        await finish(store, await take_one(store), outcome=outcome)
    before = await store.event(event_id)
    assert await at(store, 200.0).append([event(identity=b"x", body=b"other")], 200.0) == (
        await at(store, 200.0).append([event(identity=b"x")], 200.0)
    )
    assert await store.event(event_id) == before
    assert len(await take(store, now=300.0)) == (1 if outcome is None else 0)
    assert (await store.totals()).duplicates == 2
    assert (await store.totals()).books.received == 1


async def test_a_duplicate_of_a_coalesced_event_changes_nothing(store: Store) -> None:
    await add(store, event(identity=b"x"), event())
    await finish(store, await take_one(store))
    await add(store, event(identity=b"x"))
    assert await take(store, now=300.0) == ()
    assert await books(store) == {"received": 2, "applied": 1, "coalesced": 1}


async def test_a_duplicate_of_a_dead_event_opens_it_again(store: Store) -> None:
    (event_id,) = await bury(store, event(identity=b"x", body=b"first"))
    (receipt,) = await at(store, 200.0).append([event(identity=b"x", body=b"again")], 200.0)
    assert (receipt.event_id, receipt.duplicate) == (event_id, True)
    assert await books(store) == {"received": 1, "open": 1}
    assert (await store.totals()).duplicates == 1
    (found,) = (await take_one(store, now=201.0)).events
    assert found.event.body == b"first"
    assert (found.outcome, found.reason, found.attempts, found.settled_at, found.verification) == (
        None,
        None,
        0,
        None,
        None,
    )


async def test_two_duplicates_of_a_dead_event_in_one_group_open_it_once(store: Store) -> None:
    await bury(store, event(identity=b"x"))
    await asyncio.gather(*[at(store, 200.0).append([event(identity=b"x")], 200.0) for _ in range(3)])
    assert await books(store) == {"received": 1, "open": 1}
    await finish(store, await take_one(store, now=201.0))
    assert await books(store) == {"received": 1, "applied": 1}


# Listing

HINTS = (
    event(1, type="insert"),
    event(2, origin="poll"),
    event("a:b", table="public.orders"),
    event(1, table="d1", source="notion"),
    event(3, ignored="no"),
)


def _numbers(found: Sequence[Event]) -> list[int]:
    return [HINTS.index(one) for one in found]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (EventFilter(), [4, 3, 2, 1, 0]),
        (EventFilter(source="notion"), [3]),
        (EventFilter(tables=("public.users",)), [4, 1, 0]),
        (EventFilter(tables=("public.user",)), []),
        (EventFilter(tables=("public",)), []),
        (EventFilter(record_ids=("1",)), [3, 0]),
        (EventFilter(record_ids=("a:b",)), [2]),
        (EventFilter(record_ids=("b",)), []),
        (EventFilter(tables=("public.users",), record_ids=("1",)), [0]),
        (EventFilter(type="insert"), [0]),
        (EventFilter(origin="poll"), [1]),
        (EventFilter(outcome=Outcome.IGNORED), [4]),
        (EventFilter(outcome=Outcome.DEAD), []),
        (EventFilter(open=True), [3, 2, 1, 0]),
        (EventFilter(open=False), [4]),
        (EventFilter(open=True, outcome=Outcome.IGNORED), []),
        (EventFilter(source="supabase", type="update", open=True), [2, 1]),
        (EventFilter(tables=("' OR 1=1 --",)), []),
    ],
)
async def test_a_filter_finds_what_it_says(store: Store, which: EventFilter, expected: list[int]) -> None:
    await add(store, *HINTS)
    page = await store.events(which, before=None, limit=10)
    found = [one.event if one.outcome is None else HINTS[4] for one in page.events]
    assert _numbers(found) == expected
    assert page.next_cursor is None


async def test_pages_follow_each_other_without_gap_or_overlap(store: Store) -> None:
    given = await add(store, *[event(n) for n in range(7)])
    seen: list[int] = []
    cursor: int | None = None
    sizes = []
    while True:
        page = await store.events(EventFilter(), before=cursor, limit=3)
        seen += [one.id for one in page.events]
        sizes.append(len(page.events))
        cursor = page.next_cursor
        if cursor is None:
            break
        await add(store, event("newer"))  # what comes meanwhile does not shift the pages
    assert seen == sorted(given, reverse=True)
    assert sizes == [3, 3, 1]


async def test_a_page_that_ends_exactly_has_no_next_one(store: Store) -> None:
    await add(store, event(1), event(2))
    assert (await store.events(EventFilter(), before=None, limit=2)).next_cursor is None


async def test_a_replay_opens_its_events_in_portions_as_long_as_they_are_admitted(store: Store) -> None:
    await add(store, *[event(number) for number in range(1_100)])
    await finish(store, *await take(store, limit=2_000), outcome=Outcome.DEAD)
    asked: list[int] = []

    def admit(number: int) -> None:
        asked.append(number)
        if len(asked) == 3:
            raise TryLater("no more", retry_after_seconds=1)

    with pytest.raises(TryLater):
        await replay(at(store, 200.0), EventFilter(), limit=5_000, admit=admit)
    assert asked[0] == 1_100
    assert asked == sorted(asked, reverse=True)
    opened = 1_100 - asked[2]
    assert await books(store) == {"received": 1_100, "open": opened, "dead": asked[2]}
    # The oldest were first, so that what is left comes behind them.
    assert {one.id for one in (await store.events(EventFilter(open=True), before=None, limit=2_000)).events} == set(
        range(1, opened + 1)
    )


async def test_a_replay_of_large_bodies_is_portioned_by_their_size(store: Store) -> None:
    await add(store, *[event(number, body=b"x" * 3_000_000) for number in range(6)])
    await finish(store, *await take(store, limit=10), outcome=Outcome.DEAD)
    asked: list[int] = []
    done = await replay(at(store, 200.0), EventFilter(), limit=100, admit=asked.append)
    assert (done.count, asked) == (6, [6, 3])


# Records that their id alone names


def _page(table: str) -> RecordKey:
    return RecordKey("notion", table, "page")


async def _stands(store: Store, table: str) -> None:
    await store.put(copy(_page(table), await store.ticket()), None, exclusive=True)


def _by_id(table: str, *, ignored: str | None = None) -> Event:
    return Event(record=_page(table), type="update", format="guide", by_id=True, ignored=ignored)


@pytest.mark.parametrize("ignored", [None, "the page lies in no database"])
async def test_an_event_that_names_its_record_by_its_id_is_of_the_record_that_has_the_copy(
    store: Store, ignored: str | None
) -> None:
    await _stands(store, "listed")
    (event_id,) = await add(store, _by_id("another name", ignored=ignored))
    found = await store.event(event_id)
    assert found is not None
    assert (found.event.record, found.outcome, found.reason) == (_page("listed"), None, None)
    (claim,) = await take(store, source="notion")
    assert claim.record == _page("listed")


@pytest.mark.parametrize("known", ["nothing", "an absence", "a row of that key"])
async def test_what_the_copy_does_not_have_is_ignored_for_its_reason(store: Store, known: str) -> None:
    if known == "an absence":
        await store.put(copy(_page("listed"), await store.ticket(), data=None), None, exclusive=True)
    elif known == "a row of that key":
        await store.put(copy(key("page"), await store.ticket()), None, exclusive=False)
    (event_id,) = await add(store, _by_id("pages", ignored="why"))
    found = await store.event(event_id)
    assert found is not None
    assert (found.event.record, found.outcome, found.reason) == (_page("pages"), Outcome.IGNORED, "why")
    assert await books(store) == {"received": 1, "ignored": 1}


async def test_an_event_that_names_its_table_stays_there_and_is_told_of_the_copy_elsewhere(store: Store) -> None:
    await _stands(store, "left")
    await add(store, Event(record=_page("now"), type="update", format="guide"))
    (claim,) = await take(store, source="notion")
    assert claim.record == _page("now")
    assert claim.previous is not None
    assert claim.previous.record == _page("left")
    assert await store.home(_page("now")) == _page("left")


UUID = "3f2b7a52-8f4e-4d2c-9a51-0c6f2f0b9d11"


def _hint(table: str, *, ignored: str | None = None) -> Event:
    record = RecordKey("notion", table, UUID)
    return Event(record=record, type="update", format="guide", by_id=True, ignored=ignored)


@pytest.mark.parametrize("ignored", [None, "the page lies in no database"])
@pytest.mark.parametrize("when", ["together", "waiting", "in work"])
async def test_an_event_that_names_its_record_by_its_id_is_of_the_record_that_has_open_events(
    store: Store, ignored: str | None, when: str
) -> None:
    events = _hint("listed"), _hint("another name", ignored=ignored)
    if when == "together":
        await add(store, *events)
    else:
        await add(store, events[0])
        if when == "in work":
            assert len(await take(store, source="notion")) == 1
        await add(store, events[1])
    claims = await take(store, source="notion", now=10_000.0)
    assert [claim.record for claim in claims] == [RecordKey("notion", "listed", UUID)]
    assert await books(store) == {"received": 2, "open": 2}


async def test_a_page_that_is_in_work_under_its_new_name_has_one_worker(store: Store) -> None:
    await store.put(copy(RecordKey("notion", "left", UUID), await store.ticket()), None, exclusive=True)
    await add(store, Event(record=RecordKey("notion", "now", UUID), type="update", format="guide"))
    assert len(await take(store, source="notion")) == 1
    await add(store, _hint("no name of ours"))
    assert await take(store, source="notion") == ()
    assert await books(store) == {"received": 2, "open": 2}


async def test_what_is_ignored_alone_and_a_row_of_that_key_are_no_place_for_a_page(store: Store) -> None:
    await add(store, event(UUID))
    await add(store, _hint("pages", ignored="why"), _hint("pages", ignored="why"))
    assert await books(store) == {"received": 3, "open": 1, "ignored": 2}
