"""Stale keys: the settle writes them in its own transaction, and a row goes only after somebody has read it."""

import pytest
from msgspec.structs import replace

from hookbridge.errors import StoreError
from hookbridge.model import Effects, Outcome, Settled
from hookbridge.store.contract import Store
from hookbridge.store.values import STALE_KEYS_CHARACTERS_MAX
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import copy, event, key, settlement
from tests.support.stores import add, take, take_one


async def settle_with(store: Store, *keys: str, id_: object = 1) -> Settled:
    """Let a change of a record come in and end with these keys."""
    await add(store, event(id_))
    claim = await take_one(store)
    return await at(store, 101.0).settle(settlement(claim, effects=Effects(stale_keys=keys)))


async def keys(store: Store, limit: int = 100) -> tuple[str, ...]:
    return (await store.stale_keys(limit)).keys


async def test_a_settle_writes_keys_and_they_are_still_there_after_a_restart(reopen: Reopen) -> None:
    store = await reopen()
    assert await settle_with(store, "user:1", "ü: 'quoted'\0") is Settled.DONE
    store = await reopen()
    assert await keys(store) == ("user:1", "ü: 'quoted'\0")


async def test_a_change_without_keys_writes_none(store: Store) -> None:
    await settle_with(store)
    await add(store, event())
    assert await at(store, 101.0).settle(settlement(await take_one(store))) is Settled.DONE
    assert await keys(store) == ()


async def test_a_key_is_removed_by_who_has_read_it_and_not_where_it_came_again_meanwhile(store: Store) -> None:
    await settle_with(store, "all", "user:1")
    read = await store.stale_keys(100)
    await settle_with(store, "all", "user:2", id_=2)
    await store.remove_stale_keys(read.rows)
    assert await keys(store) == ("all", "user:2")
    await store.remove_stale_keys((await store.stale_keys(100)).rows)
    assert await keys(store) == ()


async def test_the_oldest_come_first_each_once_and_no_more_than_were_asked_for(store: Store) -> None:
    await settle_with(store, "a", "b", "a", "c")
    some = await store.stale_keys(3)
    assert some.keys == ("a", "b")
    await store.remove_stale_keys(some.rows)
    assert await keys(store) == ("c",)


async def test_of_very_long_keys_fewer_are_given_at_once(store: Store) -> None:
    long = [f"{n}" * (STALE_KEYS_CHARACTERS_MAX // 2) for n in range(3)]
    await settle_with(store, *long, "short")
    some = await store.stale_keys(100)
    assert list(some.keys) == long[:2]
    await store.remove_stale_keys(some.rows)
    assert await keys(store) == (long[2], "short")


async def test_where_nothing_is_left_nothing_is_removed(store: Store) -> None:
    nothing = await store.stale_keys(100)
    assert nothing.keys == ()
    await settle_with(store, "a")
    await store.remove_stale_keys(nothing.rows)
    assert await keys(store) == ("a",)


async def test_a_settle_that_is_fenced_writes_no_key(store: Store) -> None:
    await add(store, event())
    (old,) = await take(store, lease=1.0)
    (new,) = await take(store, now=200.0)
    met = [
        await at(store, 201.0).settle(settlement(claim, effects=Effects(stale_keys=(name,))))
        for claim, name in ((old, "fenced"), (new, "settled"))
    ]
    assert met == [Settled.FENCED, Settled.DONE]
    assert await keys(store) == ("settled",)


async def test_a_record_that_became_dirty_again_has_its_keys_all_the_same(store: Store) -> None:
    await add(store, event())
    claim = await take_one(store)
    await add(store, event())
    assert await at(store, 101.0).settle(settlement(claim, effects=Effects(stale_keys=("a",)))) is Settled.STILL_DIRTY
    assert await keys(store) == ("a",)


@pytest.mark.parametrize("what", ["copy", "key"])
async def test_keys_and_copy_are_written_together_or_not_at_all(store: Store, what: str) -> None:
    await add(store, event())
    claim = await take_one(store)
    read = copy(key(), await store.ticket())
    broken = {
        "copy": Effects(copy=replace(read, changed_at="\ud800"), stale_keys=("a",)),
        "key": Effects(copy=read, stale_keys=("\ud800",)),
    }
    with pytest.raises(StoreError):
        await at(store, 101.0).settle(settlement(claim, Outcome.APPLIED, effects=broken[what]))
    assert await store.copy(key()) is None
    assert await keys(store) == ()
