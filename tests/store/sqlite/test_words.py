"""The index is written as FTS5 gathers: once for a group of changes, in whatever order its records come."""

import random
import sqlite3
from pathlib import Path

import pytest

from hookbridge.model import Copy, Effects, RecordKey, SourceName
from hookbridge.store.sqlite import SqliteStore, copies
from hookbridge.store.sqlite.engine import Transaction
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
