"""Records for the user's API: the copy where there is one, else the source; kept only if it is the latest."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookbridge.api.records import Difference
from hookbridge.errors import SourceUnavailable, TooSoon, TryLater
from hookbridge.model import RecordKey, SourceName, Truth
from hookbridge.records import Records, differences
from hookbridge.store.sqlite import SqliteStore
from tests.support.events import copy, key
from tests.support.files import opened
from tests.support.stores import matching
from tests.support.tables import TableSource
from tests.support.waiting import wait_until

R = key(1)
LATER = 1_000
"""A ticket after those of the source's reads."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path) as one:
        yield one


def unheard(source: SourceName, asked_at: float) -> None:
    """Nobody waits for a source."""


def records(store: SqliteStore, source: TableSource) -> Records:
    async def announce(record: RecordKey) -> None:
        raise AssertionError(record)

    return Records(store, {"supabase": source, "notion": source}, lambda: 50.0, announce, unheard)


async def data(found: Records, record: RecordKey = R) -> bytes | None:
    answer = await found.get(record)
    return answer.data if answer else None


async def words(store: SqliteStore, text: str) -> list[RecordKey]:
    return await matching(store, text)


async def test_a_copy_is_given_without_asking_the_source(store: SqliteStore) -> None:
    source = TableSource()
    await store.put(copy(R, 1, b'"copy"'), None, exclusive=False)
    assert await data(records(store, source)) == b'"copy"'
    assert source.reads == 0


async def test_a_missing_copy_is_read_once_and_kept_with_its_words(store: SqliteStore) -> None:
    source = TableSource()
    source.rows[R] = {"name": "Ada", "at": "t1"}
    found = records(store, source)
    first = await found.get(R)
    assert first is not None
    assert (first.data, first.changed_at, first.read_at, first.verified) == (
        b'{"name":"Ada","at":"t1"}',
        "t1",
        50.0,
        True,
    )
    assert await found.get(R) == first == await store.copy(R)
    assert source.reads == 1
    assert await words(store, "ada") == [R]


async def test_that_there_is_none_is_remembered_too(store: SqliteStore) -> None:
    source = TableSource()
    found = records(store, source)
    assert (await data(found), await data(found)) == (None, None)
    assert source.reads == 1


async def test_an_empty_copy_of_an_event_that_nobody_could_verify_is_read_when_it_can_be(store: SqliteStore) -> None:
    source = TableSource()
    source.rows[R] = {"name": "Ada"}
    await store.put(copy(R, 1, None, verified=False), None, exclusive=False)
    assert await data(records(store, source)) == b'{"name":"Ada"}'


async def test_without_credentials_there_is_what_events_brought_and_nothing_else(store: SqliteStore) -> None:
    source = TableSource(has_credentials=False)
    source.rows[R] = {"name": "unreachable"}
    found = records(store, source)
    assert await data(found) is None
    await store.put(copy(R, 1, b'"of an event"', verified=False), None, exclusive=False)
    assert await data(found) == b'"of an event"'
    await store.put(copy(R, 2, None, verified=False), None, exclusive=False)
    assert await data(found) is None
    assert source.reads == 0


async def test_a_source_that_is_down_is_an_error_and_leaves_no_trace(store: SqliteStore) -> None:
    source = TableSource()
    source.failure = SourceUnavailable("down")
    with pytest.raises(SourceUnavailable):
        await records(store, source).get(R)
    assert await store.copy(R) is None


class Overtaken(TableSource):
    """While it is being read, a change with a later read is settled."""

    def __init__(self, store: SqliteStore) -> None:
        super().__init__()
        self._store = store

    async def read(self, record: RecordKey) -> Truth:
        truth = await super().read(record)
        await self._store.put(copy(record, LATER, b'"later"'), None, exclusive=False)
        return truth


async def test_a_read_that_a_change_overtook_is_answered_but_not_kept(store: SqliteStore) -> None:
    source = Overtaken(store)
    source.rows[R] = {"name": "slow"}
    found = records(store, source)
    assert await data(found) == b'{"name":"slow"}'
    assert await data(found) == b'"later"'
    assert await words(store, "slow") == []


async def test_a_read_under_another_tables_name_answers_from_the_copy_and_moves_nothing(store: SqliteStore) -> None:
    lies, asked = (key("p", table=table, source="notion") for table in ("a", "b"))
    source = TableSource(ids_are_global=True)
    await store.put(copy(lies, 1), None, exclusive=True)
    found = await records(store, source).get(asked)
    assert found is not None
    assert (found.record, source.reads) == (lies, 0)
    assert await store.copy(asked) is None
    assert await store.copy(lies) == found


class Moved(TableSource):
    """One whose records all lie in the table ``b`` now."""

    async def read(self, record: RecordKey) -> Truth:
        return await super().read(key(record.id, table="b", source="notion"))


async def test_a_record_is_not_given_to_who_asks_for_it_where_it_does_not_lie(store: SqliteStore) -> None:
    source = TableSource(ids_are_global=True)
    await store.put(copy(key("p", table="now", source="notion"), 1), None, exclusive=True)
    assert await records(store, source).get(key("p", table="left", source="notion")) is None
    assert source.reads == 0


async def test_a_fresh_read_of_a_page_that_has_moved_takes_the_way_of_every_change(store: SqliteStore) -> None:
    lay, lies = (key("p", table=table, source="notion") for table in ("a", "b"))
    source = Moved(ids_are_global=True)
    source.rows[lies] = {"name": "moved"}
    await store.put(copy(lay, 1), None, exclusive=True)
    told: list[RecordKey] = []

    async def announce(record: RecordKey) -> None:
        told.append(record)

    found = await Records(store, {"notion": source}, lambda: 2.0, announce, unheard).refresh(lay)
    assert (found is not None, told) == (True, [lies])
    assert await store.copy(lies) is None


async def test_comparing_reads_the_source_and_writes_nothing(store: SqliteStore) -> None:
    source = TableSource()
    source.rows[R] = {"name": "Ada"}
    found = records(store, source)
    compared = await found.compare(R)
    assert (compared.copy, compared.agrees, source.reads) == (None, False, 1)
    assert await store.copy(R) is None
    await found.get(R)
    assert (await found.compare(R)).agrees
    del source.rows[R]
    compared = await found.compare(R)
    assert compared.differences == (Difference(path="*", copy={"name": "Ada"}),)
    assert await store.copy(R) == compared.copy


def test_differences_are_named_by_the_way_to_them() -> None:
    copy = {"a": 1, "b": {"x": {"deep": 1}, "y": 2}, "gone": None, "same": [1]}
    truth = {"a": True, "b": {"x": {"deep": 2}, "y": 2}, "new": None, "same": [1]}
    assert differences(copy, truth) == (
        Difference(path="a", copy=1, truth=True),
        Difference(path="b.x", copy={"deep": 1}, truth={"deep": 2}),
        Difference(path="new", truth=None),
        Difference(path="gone", copy=None),
    )
    assert differences(copy, dict(copy)) == differences(None, None) == ()


async def test_a_minute_later_a_record_may_be_read_afresh_again_and_only_so_many_in_one(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookbridge.records.FRESH_MAX", 2)
    source = TableSource()
    source.rows |= {key(number): {"id": number} for number in (1, 2, 3)}
    now = 1_000.0

    async def announce(record: RecordKey) -> None:
        raise AssertionError(record)

    found = Records(store, {"supabase": source, "notion": source}, lambda: now, announce, unheard)
    assert await found.refresh(key(1))
    now += 30.0
    assert await found.refresh(key(2))
    for again, wait in ((key(1), 30), (key(2), 60), (key(3), 30)):
        with pytest.raises(TooSoon) as refused:
            await found.refresh(again)
        assert refused.value.retry_after_seconds == wait
    now += 30.0
    assert await found.refresh(key(1))
    assert source.reads == 3


async def test_a_record_that_is_being_read_afresh_waits_for_nobody_else_and_a_failure_uses_no_turn_up(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookbridge.records.FRESH_MAX", 2)
    source, gate, asked = TableSource(), asyncio.Event(), list[RecordKey]()
    source.rows |= {key(number): {"id": number} for number in (1, 2, 3)}
    read = source.read

    async def slow(record: RecordKey) -> Truth:
        asked.append(record)
        await gate.wait()
        return await read(record)

    monkeypatch.setattr(source, "refresh", slow)
    now = 1_000.0

    async def announce(record: RecordKey) -> None:
        raise AssertionError(record)

    found = Records(store, {"supabase": source, "notion": source}, lambda: now, announce, unheard)
    first, second = (asyncio.create_task(found.refresh(key(number))) for number in (1, 2))
    await wait_until(lambda: len(asked) == 2)
    now += 600.0  # the source is slower than a minute
    for again in (key(1), key(3)):
        with pytest.raises(TooSoon):
            await found.refresh(again)
    source.failure = SourceUnavailable("down")
    gate.set()
    assert set(await asyncio.gather(first, second, return_exceptions=True)) == {source.failure}
    source.failure = None
    assert await found.refresh(key(1))
    with pytest.raises(TooSoon):
        await found.refresh(key(1))


async def test_a_change_that_no_event_can_be_taken_of_is_left_to_the_next_sweep(store: SqliteStore) -> None:
    source = TableSource()
    source.rows[R] = {"id": 1, "name": "Ada"}

    async def full(record: RecordKey) -> None:
        raise TryLater(f"full, {record}", retry_after_seconds=5)

    found = Records(store, {"supabase": source, "notion": source}, lambda: 50.0, full, unheard)
    assert await data(found) == b'{"id":1,"name":"Ada"}'
    source.rows[R] = {"id": 1, "name": "Grace"}
    answer = await found.refresh(R)
    assert answer is not None
    assert answer.data == b'{"id":1,"name":"Grace"}'
    assert await data(found) == b'{"id":1,"name":"Ada"}'
