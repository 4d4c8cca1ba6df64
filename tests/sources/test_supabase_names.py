"""Tables, columns and keys with any name, and records that are named in more than one way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import RecordImpossible, SourceUnavailable, TableUnreadable
from hookbridge.model import RecordKey, Truth
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.standins import PostgrestStandin
from hookbridge.standins.wire import Reply
from tests.support.tickets import counting

KEY = "sb_secret_for_tests"
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
AT = "2026-01-01T00:00:00+00:00"
OTHER = "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


@pytest.fixture
async def supabase() -> AsyncIterator[PostgrestStandin]:
    async with PostgrestStandin(key=KEY) as standin:
        yield standin


@pytest.fixture
async def source(supabase: PostgrestStandin) -> AsyncIterator[SupabaseSource]:
    async with closing(make(supabase)) as one:
        yield one


def make(standin: PostgrestStandin, **config: object) -> SupabaseSource:
    settings = msgspec.convert(config, SupabaseConfig)
    secrets = Secrets(supabase_url=standin.url, supabase_key=KEY)
    return SupabaseSource(settings, SignaturesConfig(), secrets, counting())


@asynccontextmanager
async def closing(source: SupabaseSource) -> AsyncIterator[SupabaseSource]:
    try:
        yield source
    finally:
        await source.close()


def item(id_: str) -> RecordKey:
    return RecordKey("supabase", "public.items", id_)


async def read(source: SupabaseSource, *ids: str) -> list[Truth]:
    """Read them in one batch."""
    return list(await asyncio.gather(*(source.read(item(id_)) for id_ in ids)))


def names(truths: list[Truth]) -> list[tuple[str, bool]]:
    return [(truth.record.id, truth.data is not None) for truth in truths]


# Columns


@pytest.mark.parametrize(
    "column", ["offset", "limit", "order", "select", "and", "or", "not", "columns", "on_conflict", "a.b", "a b", 'a"b']
)
async def test_a_key_column_may_have_any_name(supabase: PostgrestStandin, column: str) -> None:
    supabase.create_table("items", {column: "bigint", "at": "timestamptz"}, key=(column,))
    supabase.insert_many("items", [{column: n, "at": AT} for n in range(1_500)])
    async with closing(make(supabase, tables=[{"name": "items", "key": [column], "changed_at": "at"}])) as source:
        assert names(await read(source, "7", "8", "9999")) == [("7", True), ("8", True), ("9999", False)]
        assert names(await read(source, "9999")) == [("9999", False)]
        changes = source.changes
        assert changes is not None
        for ask in (changes.listing, lambda table, cursor: changes.since(table, AT, 0.0, cursor)):
            first = await ask("public.items", None)
            second = await ask("public.items", first.next_cursor)
            assert [truth.record.id for truth in (*first.truths, *second.truths)] == [str(n) for n in range(1_500)]


async def test_composite_keys_and_change_columns_may_have_any_name(supabase: PostgrestStandin) -> None:
    columns = {"a.b": "text", "limit": "text", "at,when": "timestamptz"}
    supabase.create_table("items", columns, key=("a.b", "limit"), changed_at="at,when")
    supabase.insert("items", {"a.b": "x", "limit": "y"})
    table = {"name": "items", "key": ["a.b", "limit"], "changed_at": "at,when"}
    async with closing(make(supabase, tables=[table])) as source:
        assert names(await read(source, "x,y", "x,z")) == [("x,y", True), ("x,z", False)]
        assert source.changes is not None
        assert await source.changes.newest("public.items") is not None


# A key that is none


def answered(supabase: PostgrestStandin, *rows: str) -> None:
    body = f"[{','.join(rows)}]".encode()
    headers = {"Content-Type": "application/json", "Content-Range": f"0-{len(rows) - 1}/{len(rows)}"}
    supabase.faults.answer(Reply(status=200, body=body, headers=headers))


@pytest.mark.parametrize("ids", [("1",), ("1", "2")])
async def test_a_key_that_several_rows_have_names_none_of_them(
    supabase: PostgrestStandin, source: SupabaseSource, ids: tuple[str, ...]
) -> None:
    answered(supabase, '{"id":1,"n":1}', '{"id":2}', '{"id":1,"n":2}')
    with pytest.raises(RecordImpossible, match=r"Several rows of public\.items have the key 1"):
        await read(source, *ids)


@pytest.mark.parametrize("ids", [("1",), ("1", "2")])
async def test_a_view_may_give_a_row_twice(
    supabase: PostgrestStandin, source: SupabaseSource, ids: tuple[str, ...]
) -> None:
    answered(supabase, '{"id":1,"n":1}', '{"id":2}', '{"id":1,"n":1.0}')
    assert names(await read(source, *ids)) == [(id_, True) for id_ in ids]


# Another spelling


async def test_a_truth_has_the_name_that_its_row_has(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    supabase.create_table("items", {"id": "uuid"})
    supabase.insert("items", {"id": UUID})
    for ids in ([UUID.upper()], [UUID.upper(), UUID], [UUID.upper(), OTHER], [UUID.replace("-", ""), UUID.upper()]):
        assert names(await read(source, *ids)) == [(UUID if id_ != OTHER else OTHER, id_ != OTHER) for id_ in ids]


async def test_spellings_of_one_number_are_one_row_alone_and_together(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    supabase.create_table("items", {"id": "bigint"})
    supabase.insert("items", {"id": 42})
    for ids in (["042"], ["042", "42"], ["42", "042", "43"]):
        assert names(await read(source, *ids)) == [("43", False) if id_ == "43" else ("42", True) for id_ in ids]


async def test_spellings_are_different_texts_in_a_text_column(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    supabase.create_table("items", {"id": "text"})
    supabase.insert_many("items", [{"id": "42"}, {"id": UUID.upper()}])
    assert names(await read(source, "042", "42", UUID.upper(), UUID)) == [
        ("042", False),
        ("42", True),
        (UUID.upper(), True),
        (UUID, False),
    ]


async def test_a_uuid_that_is_gone_is_gone_under_the_name_that_its_column_gave_it_too(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    supabase.create_table("items", {"id": "uuid"})
    for ids in ([UUID.upper()], [UUID.upper(), OTHER]):
        truths = await read(source, *ids)
        assert names(truths) == [(id_, False) for id_ in ids]
        assert [truth.also_gone for truth in truths] == [item(UUID), None][: len(ids)]


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("2026-01-01T10:00:00+01:00", "2026-01-01T09:00:00+00:00"),
        ("2026-01-01 10:00:00.250+0530", "2026-01-01T04:30:00.25+00:00"),
        ("2026-07-01T00:00:00-04", "2026-07-01T04:00:00+00:00"),
        ("2026-01-01T09:00:00Z", "2026-01-01T09:00:00+00:00"),
        ("2026-01-01T09:00:00+00:00", None),
        ("2026-01-01T09:00:00", None),
        ("2026-01-01", None),
        ("infinity", None),
    ],
)
async def test_a_time_that_is_gone_is_gone_under_the_name_that_its_column_gave_it_too(
    supabase: PostgrestStandin, source: SupabaseSource, told: str, written: str | None
) -> None:
    supabase.create_table("items", {"id": "timestamptz"})
    (truth,) = await read(source, told)
    assert (truth.record, truth.data, truth.also_gone) == (item(told), None, written and item(written))
    if written:
        supabase.insert("items", {"id": written})
        (truth,) = await read(source, told)
        assert (truth.record, truth.also_gone) == (item(written), None)


async def test_times_are_asked_for_in_utc(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    supabase.create_table("items", {"id": "timestamptz"})
    await read(source, AT)
    await source.probe()
    assert len(supabase.requests.entries) > 1
    preferences = [seen.headers["Prefer"] for seen in supabase.requests.entries]
    assert all("timezone=UTC" in one.split(", ") for one in preferences)
    assert any("count=exact" in one.split(", ") for one in preferences)


async def test_a_uuid_of_which_only_one_spelling_could_be_read_is_not_said_to_be_gone(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    supabase.create_table("items", {"id": "uuid"})
    supabase.faults.status(503, path=lambda path: UUID in path)
    with pytest.raises(SourceUnavailable):
        await read(source, UUID.upper())
    supabase.faults.clear()
    (truth,) = await read(source, UUID.upper())
    assert truth.also_gone == item(UUID)


async def test_a_text_that_looks_like_a_uuid_is_gone_under_its_own_name_alone(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    supabase.create_table("items", {"id": "text"})
    supabase.insert("items", {"id": UUID})
    (truth,) = await read(source, UUID.upper())
    assert (truth.record, truth.data, truth.also_gone) == (item(UUID.upper()), None, None)


# Tables


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../../auth/v1/admin/users", "rpc/grant_all", "/users", "//evil/x", "users/"]
)
async def test_a_tables_name_that_is_no_one_part_of_a_path_is_asked_for_nowhere(
    supabase: PostgrestStandin, source: SupabaseSource, name: str
) -> None:
    table, changes = f"public.{name}", source.changes
    assert changes is not None
    for ask in (source.read(RecordKey("supabase", table, "1")), changes.listing(table, None)):
        with pytest.raises(TableUnreadable, match="no address for a table of this name"):
            await ask
    assert supabase.requests.total == 0


@pytest.mark.parametrize("name", ["a?b#c", "..%2fusers", "a\\..", "été", "..."])
async def test_a_table_may_have_any_other_name(supabase: PostgrestStandin, source: SupabaseSource, name: str) -> None:
    supabase.create_table(name, {"id": "bigint"})
    supabase.insert(name, {"id": 1})
    assert (await source.read(RecordKey("supabase", f"public.{name}", "1"))).data is not None
