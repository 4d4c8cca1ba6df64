"""Rejections: what destinations rejected, of each record the last, until they take it."""

import pytest

from hookbridge.model import RecordKey
from hookbridge.store.contract import Store
from hookbridge.store.values import Rejected
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import key

NOON = 1_800_000_000.0


def of(number: int, seq: int, reason: str = "it answered 422") -> Rejected:
    return Rejected(record=key(number), seq=seq, reason=reason)


async def kept(store: Store, destination: str = "search") -> list[tuple[RecordKey, int, str]]:
    return [(one.record, one.seq, one.reason) for one in await store.rejections(destination, limit=100)]


async def test_what_was_rejected_is_kept_with_the_note_and_outlives_a_restart(reopen: Reopen) -> None:
    store = at(await reopen(), NOON)
    await store.reject("search", [of(1, 5, "it is “too long” \N{SNOWMAN}"), of(2, 7)], note=("place", "7"))
    store = await reopen()
    first, second = await store.rejections("search", limit=10)
    assert (first.record, first.seq, first.rejected_at) == (key(2), 7, NOON)
    assert second.reason == "it is “too long” \N{SNOWMAN}"
    assert await store.note("place") == "7"
    assert await store.rejection_counts() == {"search": 2}


async def test_a_record_is_there_once_as_it_was_rejected_last(store: Store) -> None:
    await store.reject("search", [of(1, 5), of(2, 6)], note=("place", "6"))
    await store.reject("search", [of(1, 9, "another reason")], note=("place", "9"))
    assert await kept(store) == [(key(1), 9, "another reason"), (key(2), 6, "it answered 422")]


async def test_what_is_taken_since_is_forgotten_at_this_destination_alone(store: Store) -> None:
    for name in ("search", "other"):
        await store.reject(name, [of(1, 5), of(2, 6)], note=("place", "6"))
    await store.reject("search", [], taken=[key(1), key(3)], note=("place", "8"))
    assert [record for record, _, _ in await kept(store)] == [key(2)]
    assert len(await kept(store, "other")) == 2
    assert await store.note("place") == "8"
    await store.reject("search", [of(2, 9)], taken=[key(2)], note=("place", "9"))
    assert [seq for _, seq, _ in await kept(store)] == [9]


async def test_pages_follow_each_other(store: Store) -> None:
    await store.reject("search", [of(number, 10 * number) for number in range(1, 6)], note=("place", "50"))
    first = await store.rejections("search", limit=2)
    assert [one.seq for one in first] == [50, 40]
    assert [one.seq for one in await store.rejections("search", before=40, limit=2)] == [30, 20]
    assert [one.seq for one in await store.rejections("search", before=20, limit=2)] == [10]
    assert await store.rejections("search", before=10, limit=2) == ()


async def test_one_is_dropped_with_its_notes_and_all_that_it_rejected_where_the_first_note_has_this_value(
    store: Store,
) -> None:
    for name in ("search", "other"):
        await store.reject(name, [of(1, 5), of(2, 6)], note=("place", "6"))
    for name in ("said", "another"):
        await store.put_note(name, "1")
    assert await store.drop_destination("search", ("said", "place", "none"), value="2") is False
    assert await store.drop_destination("search", ("none", "place"), value="1") is False
    assert set(await store.notes()) >= {"said", "place", "another"}
    assert await store.rejection_counts() == {"search": 2, "other": 2}
    assert await store.drop_destination("search", ("said", "place", "none"), value="1") is True
    assert {"said", "place", "another"} & set(await store.notes()) == {"another"}
    assert await store.rejection_counts() == {"other": 2}


@pytest.mark.parametrize("number", [10_000])
async def test_as_many_as_are_kept_go_in_one_transaction(store: Store, number: int) -> None:
    await store.reject("search", [of(one, one + 1) for one in range(number)], note=("place", "1"))
    assert await store.rejection_counts() == {"search": number}
    await store.reject("search", [], taken=[key(one) for one in range(number)], note=("place", "2"))
    assert await store.rejection_counts() == {}
