"""The index is written as FTS5 gathers: once for a group of changes, in whatever order its records come."""

import asyncio
import itertools
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from hookbridge.model import Copy, Effects, RecordKey, SourceName
from hookbridge.store.rows import copy_of
from hookbridge.store.sqlite import SqliteStore, copies, words
from hookbridge.store.sqlite.engine import Transaction
from hookbridge.text import parse
from tests.support.events import document_of
from tests.support.files import opened
from tests.support.stores import matching

GROUP = 100


def effects(source: SourceName, number: int, text: str, ticket: int) -> tuple[Effects, float]:
    record = RecordKey(source, "public.users", str(number))
    copy = Copy(record=record, data=b"{}", ticket=ticket, read_at=1.0)
    return Effects(copy=copy, document=document_of(record, text), exclusive=source == "notion"), 1.0


async def write(store: SqliteStore, group: list[tuple[Effects, float]]) -> None:
    def all_at_once(transaction: Transaction) -> None:
        copies.write_effects(transaction.connection, group)

    await store._engine.call(all_at_once)


async def parts(store: SqliteStore) -> int:
    """How many pieces FTS5 has written, and not merged."""

    def count(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT count(DISTINCT segid) FROM words_idx").fetchone()[0])

    return await store._engine.read(count)


@pytest.mark.parametrize("source", ["supabase", "notion"])
async def test_a_group_of_changes_is_one_write_to_the_index(tmp_path: Path, source: SourceName) -> None:
    order = list(range(GROUP))
    async with opened(tmp_path) as store:
        await write(store, [effects(source, number, f"first {number}", 1) for number in order])
        random.Random(7).shuffle(order)
        await write(store, [effects(source, number, f"second {number}", 2) for number in order])
        assert await parts(store) == 2
        for number in (0, GROUP - 1):
            (record,) = await matching(store, f'"second {number}"')
            assert record.id == str(number)
        assert await matching(store, "first") == []


async def test_a_page_that_moved_within_a_group_is_where_it_was_read_last(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        there, here = effects("notion", 1, "before", 1), effects("notion", 1, "after", 2)
        moved = RecordKey("notion", "other", "1")
        copy = Copy(record=moved, data=b"{}", ticket=2, read_at=1.0)
        here = Effects(copy=copy, document=document_of(moved, "after"), exclusive=True), 1.0
        await write(store, [there, here])
        assert await matching(store, "after") == [moved]
        assert await matching(store, "before") == []
        left = await store.copy(RecordKey("notion", "public.users", "1"))
        assert left is not None
        assert left.data is None


STRETCHES = (3, 5)
"""Short ones, so that few records are many of them."""


@pytest.fixture
async def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    """A store whose records lie in many stretches, with gaps between them."""
    monkeypatch.setattr(words, "_STRETCHES", STRETCHES)
    async with opened(tmp_path) as store:
        texts = [
            f"common {'even' if n % 2 else 'odd'} n{n}{' even needle' if n in {0, 250} else ''}" for n in range(300)
        ]
        await write(store, [effects("supabase", n, text, 1) for n, text in enumerate(texts)])
        await write(store, [effects("supabase", n, f"{texts[n]} again", 2) for n in range(100, 200)])
        yield store


NEWEST_FIRST = [str(n) for n in [*reversed(range(100, 200)), *reversed(range(200, 300)), *reversed(range(100))]]


@pytest.mark.parametrize("seconds_a_look", [0.0, 0.00001, 0.0001, 0.0005, 0.002, 0.01, 1.0])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("common", NEWEST_FIRST),
        ("even common", [id_ for id_ in NEWEST_FIRST if int(id_) % 2 or id_ in {"0", "250"}]),
        ("even odd", ["250", "0"]),
        ("needle", ["250", "0"]),
        ("common -even -odd", []),
    ],
)
async def test_a_search_gives_what_changed_last_as_far_as_it_comes(
    long: SqliteStore, monkeypatch: pytest.MonkeyPatch, text: str, expected: list[str], seconds_a_look: float
) -> None:
    looks = itertools.count()
    monkeypatch.setattr(time, "thread_time", lambda: next(looks) * seconds_a_look)
    found = await long.candidates(parse(text), source=None, table=None)
    ids = [copy.record.id for copy in found.copies]
    assert ids == expected[: len(ids)]
    assert found.complete or seconds_a_look > 0
    assert ids == expected or not found.complete


@pytest.mark.parametrize("text", ["needle", "need", "hay need", "needle -hay"])
async def test_what_the_newest_records_have_is_found_however_slow_the_machine_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    looks = itertools.count()
    monkeypatch.setattr(time, "thread_time", lambda: next(looks) * 60.0)
    monkeypatch.setattr(words, "_STRETCHES", STRETCHES)
    async with opened(tmp_path) as store:
        # The newest stretch has one row, the one before it eight.
        await write(store, [effects("supabase", n, f"{'hay ' * (n % 2)}needle", 1) for n in range(40)])
        found = await store.candidates(parse(text), source=None, table=None)
    odd = {"hay need": [1], "needle -hay": [0]}.get(text, [0, 1])
    expected = [str(n) for n in reversed(range(31, 40)) if n % 2 in odd]
    assert ([copy.record.id for copy in found.copies], found.complete) == (expected, False)


async def test_what_was_looked_at_as_a_whole_is_complete_however_slow_the_machine_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count()
    monkeypatch.setattr(time, "thread_time", lambda: next(looks) * 60.0)
    async with opened(tmp_path) as store:
        await write(store, [effects("supabase", n, "needle", 1) for n in range(9)])
        found = await store.candidates(parse("needle need"), source=None, table=None)
    assert ([copy.record.id for copy in found.copies], found.complete) == ([*map(str, reversed(range(9)))], True)


async def test_more_candidates_than_are_looked_at_are_the_newest_and_say_so(
    long: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "SEARCH_SECONDS", 60.0)
    monkeypatch.setattr(copies, "CANDIDATES_MAX", 120)
    found = await long.candidates(parse("common"), source=None, table=None)
    assert [copy.record.id for copy in found.copies] == NEWEST_FIRST[:120]
    assert not found.complete
    monkeypatch.setattr(copies, "CANDIDATES_BYTES_MAX", 20)
    found = await long.candidates(parse("common"), source=None, table=None)
    assert (len(found.copies), found.complete) == (11, False)


async def test_beginnings_of_very_many_words_are_looked_for_in_part(
    long: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "SEARCH_SECONDS", 60.0)
    assert len((await long.candidates(parse("n29"), source=None, table=None)).copies) == 11
    monkeypatch.setattr(words, "VARIANTS_MAX", 10)
    found = await long.candidates(parse("n29"), source=None, table=None)
    assert (len(found.copies), found.complete) == (10, False)


async def test_who_asks_for_a_word_is_not_shown_newer_ones_that_begin_so_before_it(
    long: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "SEARCH_SECONDS", 60.0)
    found = await long.candidates(parse("common n2"), source=None, table=None)
    ids = [copy.record.id for copy in found.copies]
    assert ids == ["2", *(id_ for id_ in NEWEST_FIRST if id_.startswith("2") and id_ != "2")]
    monkeypatch.setattr(copies, "CANDIDATES_MAX", 1)
    found = await long.candidates(parse("common n2"), source=None, table=None)
    assert ([copy.record.id for copy in found.copies], found.complete) == (["2"], False)


@pytest.mark.parametrize("sign", ["", "-"])
async def test_beginnings_of_many_terms_cost_no_more_than_those_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    """A character of a script without spaces begins a token; so may each of very many that are asked for."""
    monkeypatch.setattr(words, "SEARCH_SECONDS", 60.0)
    monkeypatch.setattr(words, "VARIANTS_MAX", 10)
    monkeypatch.setattr(words, "UNWANTED_VARIANTS_MAX", 10)
    asked, others = [chr(0x4E00 + n) for n in range(20)], [chr(0x5E00 + n) for n in range(8)]
    pairs = " ".join(one + other for one in asked for other in others)
    async with opened(tmp_path) as store:
        await write(store, [effects("notion", 1, f"common {pairs}", 1), effects("notion", 2, "common", 1)])
        query = parse("common " + " ".join(sign + one for one in asked))
        texts = await store._engine.search(lambda connection: words.Expression(connection, query).texts)
        assert sum(text.count('"') // 2 for text in texts) < 50
        found = await store.candidates(query, source=None, table=None)
        assert [copy.record.id for copy in found.copies] == ["2" if sign else "1"]


async def test_a_record_that_changes_while_a_search_goes_on_is_found_as_it_was(
    long: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "SEARCH_SECONDS", 60.0)
    loop = asyncio.get_running_loop()
    changed = effects("supabase", 0, "common even needle anew", 3)

    once = iter([changed])

    def meanwhile(record: RecordKey, columns: Sequence[object]) -> Copy:
        for change in once:
            asyncio.run_coroutine_threadsafe(write(long, [change]), loop).result(30)
        return copy_of(record, columns)

    monkeypatch.setattr(copies, "copy_of", meanwhile)
    found = await long.candidates(parse('"common"'), source=None, table=None)
    assert [copy.record.id for copy in found.copies] == NEWEST_FIRST
    assert (await matching(long, "common"))[0].id == "0"
