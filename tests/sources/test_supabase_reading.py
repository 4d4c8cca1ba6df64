"""Supabase's rows, read by the real client from a server that speaks PostgREST's wire format."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import (
    RecordImpossible,
    RecordUnreadable,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    TableUnreadable,
)
from hookbridge.model import RecordKey, Truth
from hookbridge.sources import ids
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.sources.supabase.client import CONNECTIONS_MAX
from hookbridge.standins import PostgrestStandin
from hookbridge.standins.wire import Reply
from tests.support.tickets import counting

KEY = "sb_secret_for_tests"
COLUMNS = {"id": "bigint", "name": "text", "score": "numeric", "updated_at": "timestamptz"}


@pytest.fixture
async def supabase() -> AsyncIterator[PostgrestStandin]:
    async with PostgrestStandin(key=KEY) as standin:
        standin.create_table("users", COLUMNS, changed_at="updated_at")
        yield standin


def make(standin: PostgrestStandin, *, key: str = KEY, **config: object) -> SupabaseSource:
    settings = msgspec.convert(config, SupabaseConfig)
    secrets = Secrets(supabase_url=standin.url, supabase_key=key)
    return SupabaseSource(settings, SignaturesConfig(), secrets, counting())


@pytest.fixture
async def source(supabase: PostgrestStandin) -> AsyncIterator[SupabaseSource]:
    one = make(supabase, tables=[{"name": "users", "changed_at": "updated_at"}])
    yield one
    await one.close()


def user(id_: object) -> RecordKey:
    return RecordKey("supabase", "public.users", str(id_))


async def test_every_digit_of_a_number_is_kept(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    row = supabase.insert("users", {"id": 1, "name": "Ada", "score": "12345678901234567890123.4500"})
    truth = await source.read(user(1))
    assert truth.data is not None
    assert b"12345678901234567890123.4500" in truth.data
    assert truth.changed_at == row["updated_at"]


async def test_a_thousand_reads_are_a_few_requests(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(1_000)])
    truths = await asyncio.gather(*(source.read(user(n)) for n in range(1_000)))
    assert [truth.record.id for truth in truths if truth.data] == [str(n) for n in range(1_000)]
    assert supabase.requests.total <= 5


async def test_what_is_not_there_is_absent(source: SupabaseSource) -> None:
    truth = await source.read(user(404))
    assert truth.data is None
    assert source.truth_columns(truth) is None


async def test_one_malformed_id_fails_alone(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    supabase.insert_many("users", [{"id": n} for n in range(50)])
    asked = [user(n) for n in range(50)] + [user("no number")]
    answers = await asyncio.gather(*(source.read(one) for one in asked), return_exceptions=True)
    assert all(isinstance(one, Truth) and one.data for one in answers[:50])
    assert isinstance(answers[50], RecordImpossible)


async def test_a_cut_answer_hides_no_row() -> None:
    async with PostgrestStandin(key=KEY, max_rows=10) as supabase:
        supabase.create_table("users", COLUMNS)
        supabase.insert_many("users", [{"id": n} for n in range(60)])
        source = make(supabase)
        truths = await asyncio.gather(*(source.read(user(n)) for n in range(61)))
        assert [truth.data is None for truth in truths] == [False] * 60 + [True]
        await source.close()


async def test_composite_keys_with_every_sign_are_found() -> None:
    async with PostgrestStandin(key=KEY) as supabase:
        supabase.create_table("seats", {"room": "text", "number": "bigint", "who": "text"}, key=("room", "number"))
        rooms = ["plain", "a,b", 'a"b', "a(b)", "a\\b", "ä ö", "a.b", "a%2Cb"]
        supabase.insert_many("seats", [{"room": room, "number": 7, "who": room} for room in rooms])
        source = make(supabase, tables=[{"name": "seats", "key": ["room", "number"]}])

        asked = [RecordKey("supabase", "public.seats", ids.record_id([room, 7])) for room in rooms]
        truths = await asyncio.gather(*(source.read(one) for one in asked))
        assert [(source.truth_columns(truth) or {}).get("who") for truth in truths] == rooms
        await source.close()


async def test_text_keys_with_commas_and_quotes_are_found() -> None:
    async with PostgrestStandin(key=KEY) as supabase:
        supabase.create_table("tags", {"id": "text"})
        ids = ["a,b", 'a"b', "(a)", "a.b", "ü", "a b", "null"]
        supabase.insert_many("tags", [{"id": one} for one in ids])
        source = make(supabase)
        truths = await asyncio.gather(*(source.read(RecordKey("supabase", "public.tags", one)) for one in ids))
        assert all(truth.data for truth in truths)
        await source.close()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
async def test_a_server_in_trouble_is_unavailable(
    supabase: PostgrestStandin, source: SupabaseSource, status: int
) -> None:
    supabase.faults.html(status=status)
    with pytest.raises(SourceUnavailable):
        await source.read(user(1))


async def test_success_that_is_no_json_is_unavailable(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    supabase.faults.html(status=200)
    with pytest.raises(SourceUnavailable):
        await source.read(user(1))


@pytest.mark.parametrize("fault", ["hang", "reset", "cut"])
async def test_a_broken_connection_is_unavailable(
    supabase: PostgrestStandin, source: SupabaseSource, fault: str
) -> None:
    supabase.insert("users", {"id": 1})
    getattr(supabase.faults, fault)()
    with pytest.raises(SourceUnavailable):
        await source.read(user(1))


async def test_a_wrong_key_is_refused_and_not_shown(supabase: PostgrestStandin) -> None:
    source = make(supabase, key="sb_secret_which_is_wrong")
    with pytest.raises(SourceRefused) as caught:
        await source.read(user(1))
    assert "sb_secret_which_is_wrong" not in str(caught.value)
    await source.close()


async def test_an_unknown_table_is_told_from_a_record_that_cannot_be_read(source: SupabaseSource) -> None:
    with pytest.raises(TableUnreadable, match="PGRST205"):
        await source.read(RecordKey("supabase", "public.nowhere", "1"))


async def test_a_slow_statement_is_the_records_own(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    supabase.time_out("users")
    with pytest.raises(RecordUnreadable):
        await source.read(user(1))


async def test_the_probe_tells_a_source_that_answers_from_one_that_is_down(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    await source.probe()
    async with supabase.down():
        with pytest.raises(SourceError):
            await source.probe()
    await source.probe()


@pytest.mark.parametrize(
    ("known", "claimed", "expected"),
    [
        ("2026-01-01T15:00:00+00:00", "2026-01-01T16:00:00+01:00", True),
        ("2026-01-01T15:00:00+00:00", "2026-01-01T15:00:01+00:00", False),
        ("A1B2C3D4-E5F6-7890-ABCD-EF1234567890", "a1b2c3d4-e5f6-7890-abcd-ef1234567890", True),
        (0.1, 0.10000000000000001, True),
        (9007199254740993, 9007199254740992, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ([1, 2], [1, 2.0], True),
        ("NaN", "NaN", True),
        (True, 1, False),
        (None, None, True),
    ],
)
async def test_values_are_compared_and_not_text(
    source: SupabaseSource, known: object, claimed: object, expected: object
) -> None:
    assert source.agree({"value": known, "other": 1}, {"value": claimed}) is expected


async def test_a_publishable_key_is_doubtful(supabase: PostgrestStandin) -> None:
    source = make(supabase, key="sb_publishable_x")
    assert "row level security" in (source.credential_warning or "")
    await source.close()


async def test_keys_that_differ_in_case_alone_are_two_rows(supabase: PostgrestStandin) -> None:
    """Text columns hold UUIDs in upper case, too: Swift and .NET write them so."""
    supabase.create_table("devices", {"id": "text", "name": "text"})
    upper = "123E4567-E89B-12D3-A456-426614174ABC"
    supabase.insert("devices", {"id": upper, "name": "phone"})
    source = make(supabase)
    truth, other = await asyncio.gather(
        source.read(RecordKey("supabase", "public.devices", upper)),
        source.read(RecordKey("supabase", "public.devices", upper.lower())),
    )
    assert truth.data is not None
    assert other.data is None
    assert source.key("devices", upper).id == upper
    await source.close()


async def test_rows_that_were_not_asked_for_are_nobodys_truth(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    """A cache that forgets the query answers so, and would have every record of the table taken as absent."""
    body = b'[{"id":7,"name":"seven"},{"id":8,"name":"eight"}]'
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Range": "0-1/2"}
    supabase.faults.answer(Reply(status=200, body=body, headers=headers))
    answers = await asyncio.gather(*(source.read(user(n)) for n in (1, 7, 2)), return_exceptions=True)
    assert isinstance(answers[0], SourceUnavailable)
    assert isinstance(answers[1], Truth)
    assert b"seven" in (answers[1].data or b"")
    assert isinstance(answers[2], SourceUnavailable)
    assert "row 7 where 2 was asked for" in str(answers[2])


async def test_a_key_that_only_its_type_knows_to_be_the_same_names_its_row(supabase: PostgrestStandin) -> None:
    supabase.create_table("days", {"id": "date", "name": "text"})
    supabase.insert("days", {"id": "2026-11-23", "name": "Monday"})
    source = make(supabase)
    truth = await source.read(RecordKey("supabase", "public.days", "2026-11-23 10:00:00"))
    assert (truth.record.id, b"Monday" in (truth.data or b"")) == ("2026-11-23", True)
    await source.close()


# More tables than connections: their requests wait for each other


async def _read_tables(supabase: PostgrestStandin, number: int, seconds: float) -> list[Truth | BaseException]:
    for one in range(number):
        supabase.create_table(f"t{one}", COLUMNS)
    source = make(supabase, timeout_seconds=seconds)
    try:
        asked = [source.read(RecordKey("supabase", f"public.t{one}", "1")) for one in range(number)]
        return await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await source.close()


async def test_a_source_that_is_only_slow_is_waited_for_whatever_the_number_of_tables(
    supabase: PostgrestStandin,
) -> None:
    supabase.faults.slow(0.6)
    found = await _read_tables(supabase, 6 * CONNECTIONS_MAX, seconds=3.0)
    assert [one for one in found if isinstance(one, BaseException)] == []


async def test_a_source_that_does_not_answer_is_not_asked_by_one_table_after_another(
    supabase: PostgrestStandin,
) -> None:
    supabase.faults.hang()
    found = await _read_tables(supabase, 6 * CONNECTIONS_MAX, seconds=0.5)
    assert {type(one) for one in found} == {SourceUnavailable}
    assert supabase.requests.total <= 2 * CONNECTIONS_MAX
