"""The feed: every way in which a copy changes gives it the newest place, and no other way does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from hookbridge.model import Copy, RecordKey, Settled
from hookbridge.store.contract import Store
from hookbridge.store.values import Span
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
    assert not places or places[-1] <= page.newest
    return [(str(entry.copy.record), entry.copy.data) for entry in page.entries]


async def newest(store: Store) -> int:
    return (await store.feed(after=0, limit=1)).newest


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
    assert place == page.newest


async def test_a_table_has_a_name_for_people_once_somebody_said_it(reopen: Reopen) -> None:
    store = await reopen()
    assert await store.labels() == {}
    await store.put_label("notion", "t", "Tasks")
    await store.put_label("supabase", "t", "Other tasks")
    await store.put_label("notion", "t", "Tasks of 2026")
    store = await reopen()
    assert await store.labels() == {("notion", "t"): "Tasks of 2026", ("supabase", "t"): "Other tasks"}
