"""A data file of an older hookbridge has after the start what one of today's has."""

from pathlib import Path

from hookbridge.model import RecordKey
from hookbridge.store.values import RecordFilter
from tests.support.engines import opened_file
from tests.support.files import older_file

BEFORE_THE_FEED = 8
BEFORE_THE_ORDINALS = 12


async def test_copies_from_before_the_feed_have_places_in_the_order_in_which_they_were_read(tmp_path: Path) -> None:
    path = tmp_path / "hookbridge.db"
    rows = [("here", b"1", 20.0), ("gone", None, 30.0), ("there", b"2", 10.0)]
    with older_file(path, BEFORE_THE_FEED) as older:
        older.executemany(
            "INSERT INTO copies (source, table_name, record_id, data, fingerprint, ticket, read_at, verified)"
            " VALUES ('supabase', 'public.users', ?, ?, x'00', 1, ?, 1)",
            rows,
        )
    store = await opened_file(path)
    page = await store.feed(after=0, limit=10)
    assert [(entry.copy.record.id, entry.copy.data) for entry in page.entries] == [
        ("there", b"2"),
        ("here", b"1"),
        ("gone", None),
    ]
    copy = await store.copy(RecordKey("supabase", "public.users", "here"))
    assert copy is not None
    assert (copy.title, copy.content) == (None, None)
    await store.close()


async def test_records_from_before_keys_were_sorted_are_listed_by_their_value(tmp_path: Path) -> None:
    path = tmp_path / "hookbridge.db"
    with older_file(path, BEFORE_THE_ORDINALS) as older:
        older.executemany(
            "INSERT INTO copies (source, table_name, record_id, data, fingerprint, ticket, read_at, verified)"
            " VALUES ('supabase', 'public.users', ?, x'31', x'00', 1, 1.0, 1)",
            [("10",), ("9",), ("a",)],
        )
        before = older.execute("SELECT * FROM feed").fetchall()
    store = await opened_file(path)
    page = await store.records(RecordFilter(), after=None, limit=10)
    assert [entry.record.id for entry in page.records] == ["9", "10", "a"]
    assert len((await store.feed(after=before[-1][0], limit=10)).entries) == 0
    await store.close()
