"""The feed: every way in which a copy changes gives it the newest place, and no other way does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from hookbridge.errors import StoreUnavailable
from hookbridge.model import Copy, RecordKey, Settled
from hookbridge.store.contract import Store
from hookbridge.store.values import FeedFilter, Span
from tests.store.conftest import Reopen
from tests.support.events import copy, effects, event, key, settlement
from tests.support.stores import add, take_one

R = key(1)
Way = Callable[[Store, Copy], Awaitable[None]]


async def by_settle(store: Store, what: Copy) -> None:
    await add(store, event())
    assert await store.settle(settlement(await take_one(store), effects=effects(what))) is Settled.DONE


async def by_read_through(store: Store, what: Copy) -> None:
    await store.put(what, None, exclusive=False)


async def by_first_load(store: Store, what: Copy) -> None:
    await store.load([(what, None)], exclusive=False)


WAYS = [by_settle, by_read_through, by_first_load]


async def read(store: Store, record: RecordKey, data: bytes | None, **changes: object) -> Copy:
    """A copy whose fingerprint is that of its content, as sources make it."""
    fingerprint = b"" if data is None else data.ljust(16)
    return copy(record, await store.ticket(), data, fingerprint=fingerprint, **changes)


async def feed(store: Store, after: int = 0) -> list[tuple[str, bytes | None]]:
    page = await store.feed(after=after, limit=1_000)
    places = [entry.seq for entry in page.entries]
    assert places == sorted(set(places))
    assert not places or places[-1] <= page.ends.newest
    return [(str(entry.copy.record), entry.copy.data) for entry in page.entries]


async def newest(store: Store) -> int:
    return (await store.feed_ends()).newest


@pytest.mark.parametrize("way", WAYS)
async def test_a_copy_that_appears_changes_goes_and_comes_back_has_the_newest_place_each_time(
    store: Store, way: Way
) -> None:
    await by_read_through(store, await read(store, key(2), b"other"))
    for content in (b"one", b"two", None, b"two"):
        place = await newest(store)
        await way(store, await read(store, R, content))
        assert await feed(store, place) == [(str(R), content)]
        assert await feed(store) == [(str(key(2)), b"other"), (str(R), content)]
        assert await newest(store) > place


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_read_again_and_is_as_it_was_keeps_its_place(store: Store, way: Way) -> None:
    for content in (b"one", None):
        await way(store, await read(store, R, content))
        place = await newest(store)
        again = await read(store, R, content, read_at=500.0, changed_at="2026-01-01T00:00Z")
        await way(store, again)
        assert await newest(store) == place
        assert await store.copy(R) == again


async def test_a_link_that_expires_and_the_hash_of_a_listing_are_no_change_of_the_content(store: Store) -> None:
    first = await read(store, R, b"content")
    await by_read_through(store, first)
    place = await newest(store)
    await by_read_through(
        store, replace(first, data=b"content, and another link", fingerprint=first.fingerprint + b"of a listing")
    )
    assert await newest(store) == place


async def test_of_copies_without_a_fingerprint_the_data_says_whether_they_changed(store: Store) -> None:
    for data, is_change in ((b"one", True), (b"one", False), (b"two", True)):
        place = await newest(store)
        await by_settle(store, copy(R, await store.ticket(), data, fingerprint=b"", verified=False))
        assert (await newest(store) > place) is is_change


async def test_another_title_is_a_change(store: Store) -> None:
    await by_read_through(store, await read(store, R, b"one"))
    for value in ("a", "b", None):
        place = await newest(store)
        changed = await read(store, R, b"one", title=value)
        await by_read_through(store, changed)
        page = await store.feed(after=place, limit=10)
        assert [entry.copy for entry in page.entries] == [changed]


async def test_of_the_text_behind_a_record_the_fingerprint_says_whether_it_changed(store: Store) -> None:
    first = await read(store, R, b"one", content='{"markdown":"a link, signed"}')
    await by_read_through(store, first)
    place = await newest(store)
    signed_anew = replace(first, content='{"markdown":"a link, signed anew"}')
    await by_read_through(store, signed_anew)
    assert await newest(store) == place
    assert await store.copy(R) == signed_anew
    edited = replace(first, content='{"markdown":"another"}', fingerprint=b"of another text!")
    await by_read_through(store, edited)
    assert [entry.copy for entry in (await store.feed(after=place, limit=10)).entries] == [edited]


async def test_a_read_that_came_too_late_changes_nothing(store: Store) -> None:
    late = await read(store, R, b"old")
    await by_read_through(store, await read(store, R, b"new"))
    place = await newest(store)
    await by_read_through(store, late)
    assert await newest(store) == place


@pytest.mark.parametrize("way", ["settle", "read-through", "first load"])
async def test_a_record_that_moved_leaves_a_tombstone_where_it_was(store: Store, way: str) -> None:
    here, there = (key("page", table=table, source="notion") for table in ("here", "there"))
    await by_read_through(store, await read(store, here, b"one"))
    place = await newest(store)
    moved = await read(store, there, b"one")
    if way == "settle":
        await add(store, event("page", table="there", source="notion"))
        claim = await take_one(store, source="notion")
        await store.settle(settlement(claim, effects=effects(moved, exclusive=True)))
    elif way == "read-through":
        await store.put(moved, None, exclusive=True)
    else:
        await store.load([(moved, None)], exclusive=True)
    assert await feed(store, place) == [(str(here), None), (str(there), b"one")]
    left = await store.copy(here)
    assert left is not None
    assert not left.verified  # whoever asks for it there is answered by the source
    assert await store.home(here) == there


async def test_a_record_that_was_spelled_otherwise_leaves_a_tombstone_under_that_spelling(store: Store) -> None:
    spelled, named = key("042"), key("42")
    await by_read_through(store, await read(store, spelled, b"one"))
    place = await newest(store)
    await add(store, event("042"))
    await store.settle(settlement(await take_one(store), effects=effects(await read(store, named, b"one"))))
    assert sorted(await feed(store, place)) == [(str(spelled), None), (str(named), b"one")]


async def test_a_tombstone_that_is_forgotten_takes_its_place_along_and_nothing_else_gets_it(
    reopen: Reopen,
) -> None:
    store = await reopen()
    for number in range(3):
        await by_read_through(store, await read(store, key(number), None, read_at=5.0))
    place = await newest(store)
    assert await store.remove_tombstones(Span(0.0, 10.0), 10) == 2
    # The newest change stays: places are counted from it, and none may be given twice.
    assert (await feed(store), await newest(store)) == ([(str(key(2)), None)], place)
    store = await reopen()
    await by_read_through(store, await read(store, key(3), b"three"))
    assert await feed(store, place) == [(str(key(3)), b"three")]
    assert await store.remove_tombstones(Span(0.0, 10.0), 10) == 1
    assert await feed(store) == [(str(key(3)), b"three")]


async def test_a_follower_with_small_pages_sees_every_record_at_its_latest_change(reopen: Reopen) -> None:
    store = await reopen()
    await asyncio.gather(*[by_read_through(store, await read(store, key(n), b"first")) for n in range(20)])
    seen: dict[str, bytes | None] = {}
    place, pages = 0, 0
    while (page := await store.feed(after=place, limit=7)).entries:
        pages += 1
        for entry in page.entries:
            seen[str(entry.copy.record)] = entry.copy.data
            place = entry.seq
        if pages == 2:
            await by_read_through(store, await read(store, key(3), b"second"))
            store = await reopen()
    assert seen == {str(key(n)): b"second" if n == 3 else b"first" for n in range(20)}
    assert place == page.reached == page.ends.newest


# Which changes, and how many


def notions(name: str, table: str) -> RecordKey:
    return key(name, table=table, source="notion")


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        (FeedFilter(), "a b c d gone"),
        (FeedFilter(sources=("notion",)), "c d"),
        (FeedFilter(tables=(("supabase", "public.users"),)), "a gone"),
        (FeedFilter(sources=("notion",), tables=(("supabase", "public.users"),)), "a c d gone"),
        (FeedFilter(tables=(("notion", "first"), ("supabase", "public.users"))), "a c gone"),
        (FeedFilter(tables=(("notion", "public.users"), ("notion", "nu\0l"))), ""),
    ],
)
async def test_a_page_has_the_changes_that_are_meant_and_goes_on_behind_the_others(
    store: Store, which: FeedFilter, ids: str
) -> None:
    for record in (key("a"), key("b", table="public.tasks"), notions("c", "first"), notions("d", "second")):
        await by_read_through(store, await read(store, record, b"{}"))
    await by_read_through(store, await read(store, key("gone"), None))
    page = await store.feed(which, after=0, limit=10)
    assert " ".join(entry.copy.record.id for entry in page.entries) == ids
    assert page.reached == page.ends.newest
    first = await store.feed(which, after=0, limit=1)
    rest = await store.feed(which, after=first.reached, limit=10)
    assert (*first.entries, *rest.entries) == page.entries
    assert (await store.feed(which, after=page.reached, limit=10)).entries == ()


async def test_a_snapshot_leaves_out_what_was_gone_before_it_and_tells_what_went_since(store: Store) -> None:
    for name in ("gone", "goes", "stays"):
        await by_read_through(store, await read(store, key(name), b"{}"))
    await by_read_through(store, await read(store, key("gone"), None))
    began = await newest(store)
    await by_read_through(store, await read(store, key("goes"), None))
    page = await store.feed(FeedFilter(present_until=began), after=0, limit=10)
    assert [(entry.copy.record.id, entry.copy.data) for entry in page.entries] == [("stays", b"{}"), ("goes", None)]


async def test_a_page_ends_behind_so_many_bytes_and_the_next_one_goes_on_there(store: Store) -> None:
    for number in range(4):
        await by_read_through(store, await read(store, key(number), b"x" * 100, content="y" * 100))
    seen, place, pages = [], 0, 0
    while (page := await store.feed(after=place, limit=10, bytes_max=300)).entries:
        seen += [entry.copy.record.id for entry in page.entries]
        place, pages = page.reached, pages + 1
    assert (seen, pages) == (["0", "1", "2", "3"], 2)
    without = await store.feed(after=0, limit=10, bytes_max=300, contents=False)
    assert [entry.copy.content for entry in without.entries] == [None] * 4


async def test_a_place_that_there_is_not_yet_is_where_it_stays(store: Store) -> None:
    await by_read_through(store, await read(store, R, b"one"))
    for which in (FeedFilter(), FeedFilter(sources=("notion",))):
        page = await store.feed(which, after=1_000_000, limit=10)
        assert (page.entries, page.reached, page.ends) == ((), 1_000_000, await store.feed_ends())


# Where it begins and ends


async def test_from_which_place_on_nothing_is_missing_is_known_also_after_a_restart(reopen: Reopen) -> None:
    store = await reopen()
    for number in range(4):
        await by_read_through(store, await read(store, key(number), None if number % 2 else b"{}", read_at=5.0))
    places = [entry.seq for entry in (await store.feed(after=0, limit=10)).entries]
    assert (await store.feed_ends()).oldest == 0
    assert await store.remove_tombstones(Span(0.0, 10.0), 10) == 1  # the other one is the newest change
    assert (await store.feed_ends()).oldest == places[1]
    await by_read_through(store, await read(store, key(4), b"{}"))
    assert await store.remove_tombstones(Span(0.0, 10.0), 10) == 1
    store = await reopen()
    page = await store.feed(after=0, limit=10)
    assert (page.ends.oldest, page.ends.newest) == (places[3], page.entries[-1].seq)


async def test_an_earlier_absence_that_is_forgotten_later_takes_nothing_back(store: Store) -> None:
    for name, read_at in (("early", 50.0), ("late", 5.0), ("stays", 5.0)):
        await by_read_through(store, await read(store, key(name), None, read_at=read_at))
    late = (await store.feed(after=0, limit=10)).entries[1].seq
    for before in (10.0, 100.0):
        assert await store.remove_tombstones(Span(0.0, before), 10) == 1
        assert (await store.feed_ends()).oldest == late


async def test_a_feed_has_the_same_id_after_a_restart(reopen: Reopen) -> None:
    store = await reopen()
    ends = await store.feed_ends()
    assert len(ends.id) == 32
    store = await reopen()
    assert await store.feed_ends() == ends


@pytest.mark.parametrize("way", WAYS)
async def test_since_when_a_record_is_so_is_known_however_often_it_is_read_again(reopen: Reopen, way: Way) -> None:
    store = await reopen()

    async def since() -> list[float]:
        return [entry.since for entry in (await store.feed(after=0, limit=10)).entries]

    for content, read_at, expected in ((b"one", 5.0, 5.0), (b"one", 9.0, 5.0), (None, 12.0, 12.0), (None, 20.0, 12.0)):
        await way(store, await read(store, R, content, read_at=read_at))
        assert await since() == [expected]
    store = await reopen()
    assert await since() == [12.0]


# Waiting for it to go on


@pytest.mark.parametrize("way", WAYS)
async def test_who_waits_is_woken_by_a_change(store: Store, way: Way) -> None:
    await way(store, await read(store, R, b"one"))
    ends = await store.feed_ends()
    waiting = [asyncio.ensure_future(store.beyond(ends)) for _ in range(3)]
    await asyncio.sleep(0)
    await way(store, await read(store, R, b"one"))  # as it was
    waiting.pop().cancel()
    assert not any(one.done() for one in waiting)
    await way(store, await read(store, R, b"two"))
    await asyncio.gather(*waiting)
    assert await feed(store, ends.newest) == [(str(R), b"two")]


async def test_who_is_behind_does_not_wait(store: Store) -> None:
    before = await store.feed_ends()
    await by_read_through(store, await read(store, R, b"one"))
    await store.beyond(before)
    await store.beyond(replace(await store.feed_ends(), id="of another history"))


async def test_nobody_waits_for_a_store_that_is_closed(store: Store) -> None:
    waiting = asyncio.ensure_future(store.beyond(await store.feed_ends()))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await waiting


async def test_a_table_has_a_name_for_people_once_somebody_said_it(reopen: Reopen) -> None:
    store = await reopen()
    assert await store.labels() == {}
    await store.put_label("notion", "t", "Tasks")
    await store.put_label("supabase", "t", "Other tasks")
    await store.put_label("notion", "t", "Tasks of 2026")
    store = await reopen()
    assert await store.labels() == {("notion", "t"): "Tasks of 2026", ("supabase", "t"): "Other tasks"}


async def test_the_last_change_of_a_record_is_its_entry_in_the_feed(store: Store) -> None:
    assert await store.last_change(R) is None
    for content in (b"one", b"two", None):
        await by_read_through(store, await read(store, R, content))
        await by_read_through(store, await read(store, key(2), content))
        page = await store.feed(after=0, limit=10)
        assert await store.last_change(R) == page.entries[0]
        assert await store.last_change(key(2)) == page.entries[1]
