"""What operators list: events by words, an event's way, records by name, and replays that go on where one ended."""

import asyncio

import pytest
from msgspec.structs import replace

from hookbridge.model import Copy, Failure, Outcome, RecordKey
from hookbridge.pipeline.replay import replay, replayable
from hookbridge.store.contract import Store
from hookbridge.store.values import EventFilter, RecordFilter, Span
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import copy, document_of, event, key, settlement
from tests.support.stores import add, bury, finish, ids, matching, take, take_one

ALL = EventFilter()
PAGE_ID = "0ef104cd-477e-80e1-8571-cfd10e92339a"


async def put(store: Store, record: RecordKey, text: str | None = None, data: bytes | None = b"{}") -> Copy:
    written = copy(record, await store.ticket(), data, fingerprint=data or b"")
    await store.put(written, None if text is None else document_of(record, text), exclusive=False)
    return written


async def listed(store: Store, which: RecordFilter) -> list[str]:
    """The ids of all records that match, gathered from pages of two."""
    found: list[str] = []
    after: RecordKey | None = None
    while True:
        page = await store.records(which, after=after, limit=2)
        assert len(page.records) <= 2
        found += [entry.record.id for entry in page.records]
        if page.next_cursor is None:
            return found
        after = page.next_cursor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada", {1}),
        ("ADA lovelace", {1}),
        ("lovelace hopper", set()),
        ("100%", {2}),
        ("100_", set()),
        ("delete", {3}),
        ("public.users:3", {3}),
        ("Ünal", {4}),
        ("a!b", {5}),
    ],
)
async def test_events_are_found_by_words_of_body_type_and_record(store: Store, text: str, expected: set[int]) -> None:
    await add(store, event(1, body=b'{"name": "Ada Lovelace"}'))
    await add(store, event(2, body=b'{"discount": "100%"}'))
    await add(store, event(3, type="delete"))
    await add(store, event(4, body=b'{"name": "\\u00dcnal"}'))
    await add(store, event(5, body=b'{"name": "a!b"}'))
    page = await store.events(EventFilter(text=text), before=None, limit=10)
    assert {int(one.event.record.id) for one in page.events} == expected


async def test_the_way_of_an_event_is_kept_across_a_restart(reopen: Reopen) -> None:
    store = await reopen()
    (receipt,) = await at(store, 10.0).append([event()], 10.0, b'{"a":"b"}')
    arrived = await store.event(receipt.event_id)
    assert arrived is not None
    assert arrived.stored_at is not None
    assert (arrived.headers, arrived.claimed_at, arrived.verified_at) == (b'{"a":"b"}', None, None)
    claim = await take_one(store, now=100.0)
    failed = Failure(number=1, began_at=100.5, ended_at=101.0, error="SourceUnavailable: no answer")
    done = settlement(claim, failures=(failed,), attempts=2)
    done = replace(done, effects=replace(done.effects, verified_at=102.0))
    await at(store, 103.0).settle(done)
    store = await reopen()
    ended = await store.event(receipt.event_id)
    assert ended is not None
    assert (ended.claimed_at, ended.verified_at, ended.settled_at) == (100.0, 102.0, 103.0)
    assert await store.failures(ended) == (failed,)


async def test_another_events_failures_are_not_shown(store: Store) -> None:
    (first,) = await add(store, event(), at=1.0)
    claim = await take_one(store, now=2.0)
    failed = Failure(number=1, began_at=2.0, ended_at=3.0, error="why")
    await at(store, 3.0).settle(settlement(claim, Outcome.DEAD, failures=(failed,)))
    (second,) = await add(store, event(), at=10.0)
    (other,) = await add(store, event(2), at=1.0)
    for event_id, expected in ((first, (failed,)), (second, ()), (other, ())):
        stored = await store.event(event_id)
        assert stored is not None
        assert await store.failures(stored) == expected


async def test_the_failures_of_an_event_that_came_while_the_clock_was_ahead_are_shown(store: Store) -> None:
    (event_id,) = await add(store, event(), at=86_400.0)
    await at(store, 100.0).release_abandoned()
    failed = Failure(number=1, began_at=101.0, ended_at=102.0, error="why")
    claim = await take_one(store)
    await at(store, 103.0).settle(settlement(claim, Outcome.DEAD, failures=(failed,)))
    stored = await store.event(event_id)
    assert stored is not None
    assert await store.failures(stored) == (failed,)


async def test_failures_go_when_they_are_old(store: Store) -> None:
    (event_id,) = await add(store, event(), at=1.0)
    failed = Failure(number=1, began_at=2.0, ended_at=3.0, error="why")
    claim = await take_one(store)
    await at(store, 3.0).settle(settlement(claim, failures=(failed,)))
    stored = await store.event(event_id)
    assert stored is not None
    assert await store.remove_failures(Span(0.0, 3.0), 10) == 0
    assert await store.failures(stored) == (failed,)
    assert await store.remove_failures(Span(0.0, 4.0), 10) == 1
    assert await store.failures(stored) == ()


async def test_a_replay_goes_on_where_the_one_before_ended(store: Store) -> None:
    buried = await bury(store, *(event(number) for number in range(5)))
    assert await replayable(store, ALL) == 5
    first = await replay(at(store, 200.0), ALL, limit=2)
    assert (first.count, first.next_cursor) == (2, buried[3])
    rest = await replay(at(store, 200.0), ALL, limit=10, before=first.next_cursor)
    assert (rest.count, rest.next_cursor) == (3, None)
    assert await replayable(store, ALL) == 0


async def test_what_a_replay_brings_in_is_not_replayed_by_its_next_page(store: Store) -> None:
    await add(store, *(event(number) for number in range(3)))
    await finish(store, *await take(store))
    replayed, cursor = 0, None
    while True:
        done = await replay(at(store, 200.0), ALL, limit=2, before=cursor)
        replayed, cursor = replayed + done.count, done.next_cursor
        await finish(store, *await take(store, now=300.0), now=301.0)
        if cursor is None:
            break
    assert replayed == 3


async def test_only_what_can_be_replayed_is_counted(store: Store) -> None:
    await bury(store, event(1, body=b"ada"))
    await add(store, event(2, body=b"ada", ignored="why"), event(3, body=b"ada"))
    assert await replayable(store, EventFilter(text="ada")) == 1


async def test_events_are_listed_by_their_numbers_as_they_are_now(store: Store) -> None:
    first, second, third = await add(store, event(1), event(2), event(3, source="notion"))
    await finish(store, *await take(store))
    page = await store.events(EventFilter(ids=(first, third, 99, second)), before=None, limit=500)
    assert [(one.id, one.outcome) for one in page.events] == [(3, None), (2, Outcome.APPLIED), (1, Outcome.APPLIED)]
    assert page.next_cursor is None
    page = await store.events(EventFilter(ids=(first, third), source="notion"), before=None, limit=500)
    assert [one.id for one in page.events] == [third]


FAR = 20_100
"""More than one page looks at."""


async def pages(store: Store, which: EventFilter, limit: int = 10) -> list[list[int]]:
    """The ids of every page."""
    found: list[list[int]] = []
    cursor: int | None = None
    while True:
        page = await store.events(which, before=cursor, limit=limit)
        found.append([one.id for one in page.events])
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_a_page_that_has_looked_far_enough_ends_and_the_next_one_goes_on(store: Store) -> None:
    (first,) = await add(store, event("p", source="notion"))
    await add(store, *[event(number) for number in range(FAR)])
    (last,) = await add(store, event("q", source="notion"))
    assert await pages(store, EventFilter(source="notion")) == [[last], [first]]
    assert await pages(store, EventFilter(source="notion", open=True)) == [[last], [first]]
    assert await pages(store, EventFilter(text="nowhere")) == [[], []]
    assert (await store.events(EventFilter(), before=2**63 - 1, limit=1)).events[0].id == last


async def test_what_retention_has_removed_is_not_looked_for(store: Store) -> None:
    (kept,) = await bury(store, event(1))
    await add(store, *[event(number, ignored="no") for number in range(FAR)])
    await store.remove_settled(Span(0.0, 50.0), 2 * FAR)
    for which in (EventFilter(source="supabase"), EventFilter(outcome=Outcome.DEAD, source="supabase")):
        assert [one for page in await pages(store, which) for one in page][-1] == kept
        assert len(await pages(store, which)) <= 2


async def test_open_events_are_found_however_far_back_they_are(store: Store) -> None:
    waiting = await add(store, event(1), event(1), event("p", source="notion"))
    await add(store, *[event(number, ignored="no") for number in range(FAR)])
    assert await pages(store, EventFilter(open=True)) == [sorted(waiting, reverse=True)]
    assert await pages(store, EventFilter(open=True, source="notion")) == [[waiting[2]]]
    assert await pages(store, EventFilter(open=True, type="insert")) == [[]]


@pytest.mark.parametrize(
    "which",
    [
        EventFilter(type="a\0b"),
        EventFilter(reason="a\0b"),
        EventFilter(text="a\0b"),
        EventFilter(record_ids=("a\0b",)),
        EventFilter(source="supabase", tables=("a\0b",)),
        EventFilter(type="a\0b", outcome=Outcome.DEAD),
    ],
)
async def test_a_filter_that_no_text_of_the_store_can_be_finds_nothing(store: Store, which: EventFilter) -> None:
    await add(store, event(1))
    assert await pages(store, which) == [[]]


async def test_a_replay_and_its_count_look_at_every_event(store: Store) -> None:
    (first,) = await bury(store, event(1))
    await add(store, *[event(number, ignored="no") for number in range(FAR)])
    await bury(store, event(2))
    mine = EventFilter(source="supabase")
    assert await replayable(store, mine) == 2
    assert await replayable(store, EventFilter(outcome=Outcome.DEAD, type="update")) == 2
    done = await replay(at(store, 200.0), mine, limit=10)
    assert (done.count, done.next_cursor) == (2, None)
    again = await store.event(first)
    assert again is not None
    assert again.outcome is None


async def test_a_table_of_more_than_one_name_is_found_by_each(store: Store) -> None:
    record = key("a", table="users", source="notion")
    await put(store, key("a"))
    await put(store, record)
    await put(store, key("a", table="public.others"))
    (mine,) = await add(store, event("a", table="users", source="notion"))
    both = RecordFilter(tables=("public.users", "users"))
    entries = (await store.records(both, after=None, limit=10)).records
    assert [one.record for one in entries] == [record, key("a")]
    assert await listed(store, replace(both, source="supabase")) == ["a"]
    assert await listed(store, replace(both, record_ids=("a", "b"))) == ["a", "a"]
    assert await listed(store, RecordFilter(record_ids=("a",))) == ["a", "a", "a"]
    assert await listed(store, RecordFilter(record_ids=("a",), source="supabase")) == ["a", "a"]
    assert await listed(store, replace(both, state="waiting", record_ids=("a",))) == ["a"]
    assert await listed(store, replace(both, state="waiting", record_ids=("a",), text="b")) == []
    others = await store.records(RecordFilter(record_ids=("a",), source="notion"), after=key("0"), limit=10)
    assert others.records == ()
    page = await store.events(EventFilter(tables=both.tables, record_ids=("a", "b")), before=None, limit=10)
    assert [one.id for one in page.events] == [mine]
    page = await store.events(EventFilter(tables=both.tables), before=None, limit=10)
    assert [one.id for one in page.events] == [mine]


async def test_a_page_of_records_that_has_looked_far_enough_ends_and_the_next_one_goes_on(store: Store) -> None:
    ticket = await store.ticket()
    present = [copy(key(f"n{number:05}"), ticket) for number in range(FAR)]
    await store.load([(one, None) for one in [*present, copy(key("x"), ticket, None)]], exclusive=False)
    gone = RecordFilter(state="absent")
    first = await store.records(gone, after=None, limit=10)
    assert (first.records, first.next_cursor) == ((), key("n19999"))
    second = await store.records(gone, after=first.next_cursor, limit=10)
    assert [one.record for one in second.records] == [key("x")]
    assert second.next_cursor is None
    await add(store, *[event(f"{number:05}") for number in range(FAR)])
    assert await listed(store, RecordFilter(state="waiting", record_ids=("20050",))) == ["20050"]


async def test_records_are_listed_by_name_in_pages(store: Store) -> None:
    for id_ in ("b", "a", "d", "c", "e"):
        await put(store, key(id_))
    await put(store, key(PAGE_ID, table="d" * 32, source="notion"))
    assert await listed(store, RecordFilter()) == [PAGE_ID, "a", "b", "c", "d", "e"]
    assert await listed(store, RecordFilter(source="supabase")) == ["a", "b", "c", "d", "e"]
    assert await listed(store, RecordFilter(source="supabase", tables=("public.users",), record_ids=("c",))) == ["c"]
    assert await listed(store, RecordFilter(source="supabase", tables=("public.others",))) == []


async def recently(store: Store, which: RecordFilter, *, limit: int = 2) -> list[str]:
    """The ids of all records that match, by their last change, gathered from pages."""
    found: list[str] = []
    before: int | None = None
    while True:
        page = await store.recent(which, before=before, limit=limit)
        assert len(page.records) <= limit
        found += [entry.record.id for entry in page.records]
        if page.next_cursor is None:
            return found
        before = page.next_cursor


NUMBERS = ["-10", "-9", "-1.55", "-1.5", "-1", "0", "0.25", "0.5", "2", "9", "10", "100", "9007199254740993"]
PAIRS = ["7,9", "7,10", "7,10,1", "10,2", "10,de", "10,en"]
TEXTS = ["", "007", "1e3", "a10", "a9", "b"]


@pytest.mark.parametrize("ids", [NUMBERS, PAIRS, TEXTS, [*NUMBERS[-4:], *TEXTS], ["9" * 37, "1" + "0" * 37]])
async def test_keys_that_are_numbers_are_listed_by_their_value_and_others_behind_them(
    store: Store, ids: list[str]
) -> None:
    for id_ in sorted(ids, key=lambda one: one[::-1]):
        await put(store, key(id_))
    assert await listed(store, RecordFilter()) == ids
    assert await listed(store, RecordFilter(source="supabase", tables=("public.users",), state="present")) == ids
    assert await listed(store, RecordFilter(record_ids=tuple(sorted(ids)))) == ids
    behind = await store.records(RecordFilter(), after=key(ids[0]), limit=10)
    assert [one.record.id for one in behind.records] == ids[1:11]


async def test_records_are_listed_by_their_last_change_in_pages(store: Store) -> None:
    for id_ in ("a", "b", "c", "d"):
        await put(store, key(id_), f"words of {id_}", data=f'"{id_}"'.encode())
    await put(store, key("a"), "words of a", data=b'"a"')  # it was read again and is as it was
    await put(store, key("b"), "words of b", data=b'"B"')
    await put(store, key("c"), data=None)
    await put(store, key("b", table="public.others"))
    assert await recently(store, RecordFilter()) == ["b", "c", "b", "d", "a"]
    assert await recently(store, RecordFilter(state="present", tables=("public.users",))) == ["b", "d", "a"]
    assert await recently(store, RecordFilter(state="absent")) == ["c"]
    assert await recently(store, RecordFilter(source="notion")) == []
    assert await recently(store, RecordFilter(text="words")) == ["b", "d", "a"]
    assert await recently(store, RecordFilter(record_ids=("b", "x"))) == ["b", "b"]
    await add(store, event("d"), event("new"), at=7.0)
    assert await recently(store, RecordFilter(state="waiting")) == ["d"]
    (entry,) = (await store.recent(RecordFilter(state="waiting"), before=None, limit=5)).records
    assert (entry.record, entry.present, entry.waiting_since) == (key("d"), True, 7.0)


async def test_a_page_by_change_that_has_looked_far_enough_ends_and_the_next_one_goes_on(store: Store) -> None:
    await put(store, key("x"), data=None)
    ticket = await store.ticket()
    await store.load([(copy(key(number), ticket), None) for number in range(FAR)], exclusive=False)
    first = await store.recent(RecordFilter(state="absent"), before=None, limit=10)
    assert first.records == ()
    assert first.next_cursor is not None
    assert await recently(store, RecordFilter(state="absent")) == ["x"]


async def test_several_copies_are_given_up_to_so_many_bytes(store: Store) -> None:
    for id_ in ("a", "b", "c"):
        await put(store, key(id_), data=b'"0123456789"')
    await put(store, key("gone"), data=None)
    asked = [key("c"), key("gone"), key("x"), key("a"), key("b")]
    assert list(await store.several(asked, bytes_max=100)) == [key("c"), key("a"), key("b")]
    assert list(await store.several(asked, bytes_max=12)) == [key("c"), key("a")]
    found = await store.several(asked, bytes_max=0)
    assert [one.data for one in found.values()] == [b'"0123456789"']


async def test_records_are_found_by_the_beginning_of_an_id_and_by_words(store: Store) -> None:
    await put(store, key("order-1"), "Ada Lovelace")
    await put(store, key("order-2"), "Grace Hopper")
    await put(store, key("100%"))
    assert await listed(store, RecordFilter(text="order")) == ["order-1", "order-2"]
    assert await listed(store, RecordFilter(text="lovel")) == ["order-1"]
    assert await listed(store, RecordFilter(text="100%")) == ["100%"]
    assert await listed(store, RecordFilter(text="!")) == []


async def test_absent_and_waiting_records_are_listed_apart(store: Store) -> None:
    await put(store, key("there"))
    await put(store, key("gone"), data=None)
    for id_ in ("there", "x", "new"):
        await add(store, event(id_), at=7.0)
    assert await listed(store, RecordFilter(state="present")) == ["there"]
    assert await listed(store, RecordFilter(state="absent")) == ["gone"]
    waiting = RecordFilter(source="supabase", tables=("public.users",), state="waiting")
    assert await listed(store, waiting) == ["new", "there", "x"]
    assert await listed(store, replace(waiting, text="ne")) == ["new"]
    assert await listed(store, replace(waiting, record_ids=("x",))) == ["x"]
    assert await listed(store, replace(waiting, source="notion", tables=())) == []
    entries = (await store.records(waiting, after=None, limit=10)).records
    assert [(one.present, one.waiting_since) for one in entries] == [(None, 7.0), (True, 7.0), (None, 7.0)]
    (there,) = (await store.records(RecordFilter(record_ids=("there",)), after=None, limit=10)).records
    assert (there.present, there.waiting_since, there.verified) == (True, 7.0, True)
    (claim, *_) = await take(store, now=100.0)
    assert ids(claim)


async def test_a_record_whose_id_is_the_empty_text_is_listed_like_any_other(store: Store) -> None:
    await put(store, key(""))
    await put(store, key("a"))
    for id_ in ("", "a", "b"):
        await add(store, event(id_))
    users = RecordFilter(source="supabase", tables=("public.users",))
    assert await listed(store, replace(users, state="present")) == ["", "a"]
    assert await listed(store, replace(users, state="waiting")) == ["", "a", "b"]
    assert await listed(store, RecordFilter(state="waiting")) == ["", "a", "b"]


# Many at once


async def test_many_searches_for_a_common_word_hold_up_no_list(store: Store) -> None:
    text = "everybody has this word " * 20
    records = [key(number) for number in range(3000)]
    for start in range(0, len(records), 500):
        read = [(copy(one, await store.ticket()), document_of(one, text)) for one in records[start : start + 500]]
        await store.load(read, exclusive=False)
    # They take much longer than the lists, so that no busy machine turns the order round.
    searches = [asyncio.ensure_future(matching(store, "everybody word")) for _ in range(60)]
    await asyncio.sleep(0)  # so that all of them are there before the lists
    await store.events(ALL, before=None, limit=50)
    await store.records(RecordFilter(), after=None, limit=50)
    assert sum(one.done() for one in searches) < len(searches) - 2  # behind them, all but the last two would be done
    assert all(await asyncio.gather(*searches))  # not how much: a search ends at its processor time


async def test_a_search_that_is_cancelled_leaves_the_store_to_others(store: Store) -> None:
    await put(store, key(1), "ada")
    for _ in range(20):
        searching = asyncio.ensure_future(matching(store, "ada"))
        await asyncio.sleep(0)
        searching.cancel()
        assert await matching(store, "ada") == [key(1)]
        assert searching.cancelled()
