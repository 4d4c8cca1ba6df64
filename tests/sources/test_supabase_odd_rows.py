"""What is wrong with one row, one id or one table is no other record's failure."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import unquote

import msgspec
import pytest

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import RecordImpossible, RecordUnreadable, SourceUnavailable
from hookbridge.model import RecordKey, Truth
from hookbridge.sources.supabase import SupabaseSource, rows
from hookbridge.standins import PostgrestStandin
from hookbridge.standins.postgrest import errors
from hookbridge.standins.wire import Reply
from tests.support.tickets import counting

KEY = "sb_secret_for_tests"
DEEP = b"[" * 1_200 + b"]" * 1_200
TOO_LARGE = b"1e99999999999999999999"


@pytest.fixture
async def supabase() -> AsyncIterator[PostgrestStandin]:
    async with PostgrestStandin(key=KEY) as standin:
        standin.create_table("notes", {"id": "bigint", "what": "json"})
        standin.insert_many("notes", [{"id": n, "what": {"n": n}} for n in range(20)])
        yield standin


def make(standin: PostgrestStandin, **config: object) -> SupabaseSource:
    settings = msgspec.convert(config, SupabaseConfig)
    secrets = Secrets(supabase_url=standin.url, supabase_key=KEY)
    return SupabaseSource(settings, SignaturesConfig(), secrets, counting())


@pytest.fixture
async def source(supabase: PostgrestStandin) -> AsyncIterator[SupabaseSource]:
    one = make(supabase, tables=[{"name": "notes"}])
    yield one
    await one.close()


def note(id_: object) -> RecordKey:
    return RecordKey("supabase", "public.notes", str(id_))


async def read(source: SupabaseSource, *records: RecordKey) -> list[Truth | BaseException]:
    """Read them in one batch."""
    return list(await asyncio.gather(*map(source.read, records), return_exceptions=True))


def kinds(answers: list[Truth | BaseException]) -> list[type]:
    return [type(answer) for answer in answers]


# Rows


@pytest.mark.parametrize("odd", [DEEP, TOO_LARGE], ids=["deep", "large"])
async def test_a_row_that_cannot_be_processed_fails_alone(
    supabase: PostgrestStandin, source: SupabaseSource, odd: bytes
) -> None:
    supabase.update("notes", 7, {"what": odd})
    answers = await read(source, *map(note, range(25)))
    assert kinds(answers) == [*[Truth] * 7, RecordImpossible, *[Truth] * 17]
    assert [one.data is None for one in answers if isinstance(one, Truth)] == [False] * 19 + [True] * 5
    assert supabase.requests.total < 15
    assert kinds(await read(source, note(7))) == [RecordImpossible]


async def test_two_odd_rows_cost_no_other_one(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    for id_ in (3, 12):
        supabase.update("notes", id_, {"what": DEEP})
    answers = await read(source, *map(note, range(20)))
    assert [n for n, one in enumerate(answers) if isinstance(one, RecordImpossible)] == [3, 12]
    assert sum(isinstance(one, Truth) for one in answers) == 18


async def test_a_character_that_was_cut_in_two_costs_that_character_alone(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    written = rb'{"a": "cut \ud83d", "b": "\ude00", "c": "\ud83d\ude00", "d": "\\ud83d", "\uD83D": 1}'
    supabase.update("notes", 7, {"what": written})
    (truth,) = await read(source, note(7))
    assert isinstance(truth, Truth)
    columns = source.truth_columns(truth) or {}
    assert columns["what"] == {"a": "cut �", "b": "�", "c": "😀", "d": r"\ud83d", "�": 1}
    assert rows.fingerprint(columns) == truth.fingerprint
    "".join(source.fields(note(7), columns, None).texts).encode()


async def test_the_probe_does_not_mind_an_odd_row(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    for id_ in range(20):
        supabase.update("notes", id_, {"what": DEEP})
    await source.probe()


@pytest.mark.parametrize("body", [b"<html>" + b"[" * 2_000, b"[" + DEEP[:-3]], ids=["page", "half"])
async def test_what_is_no_answer_of_postgrest_is_an_outage_and_asked_for_once(
    supabase: PostgrestStandin, source: SupabaseSource, body: bytes
) -> None:
    supabase.faults.answer(Reply(status=200, body=body, headers={"Content-Type": "application/json"}))
    assert set(kinds(await read(source, *map(note, range(20))))) == {SourceUnavailable}
    assert supabase.requests.total == 1


# Requests that are too much at once


async def test_a_statement_that_is_too_slow_for_many_rows_is_made_smaller(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    supabase.faults.status(500, path=lambda path: unquote(path).count(",") > 5)
    assert set(kinds(await read(source, *map(note, range(20))))) == {Truth}


async def test_a_row_that_fails_every_statement_fails_alone(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    """A view divides by zero for one of its rows."""
    supabase.faults.answer(errors.error(400, "22012", "division by zero").reply, path=lambda path: ",11," in sent(path))
    answers = await read(source, *map(note, range(20)))
    assert [n for n, one in enumerate(answers) if isinstance(one, RecordUnreadable)] == [11]


def sent(path: str) -> str:
    """The ids of a request, each between commas."""
    return unquote(path).replace("(", ",").replace(")", ",")


async def test_a_table_that_is_always_too_slow_is_not_asked_for_each_of_its_rows(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    supabase.time_out("notes")
    answers = await read(source, *map(note, range(150)))
    assert set(kinds(answers)) == {RecordUnreadable}
    assert supabase.requests.total < 30


async def test_many_malformed_ids_fail_alone_however_many(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    answers = await read(source, *map(note, ["a", "b", "c", "d", "e", "f", 1, 2, 3]))
    assert [isinstance(one, RecordImpossible) for one in answers] == [True] * 6 + [False] * 3


async def test_a_long_composite_key_stays_within_the_urls_limit() -> None:
    key = ("organisation_membership_identifier", "customer_account_number_external")
    async with PostgrestStandin(key=KEY) as supabase:
        supabase.create_table("accounts", dict.fromkeys(key, "text"), key=key)
        supabase.insert_many("accounts", [dict.fromkeys(key, f"{n:08d}") for n in range(150)])
        source = make(supabase, tables=[{"name": "accounts", "key": key}])
        records = [RecordKey("supabase", "public.accounts", f"{n:08d},{n:08d}") for n in range(150)]
        answers = await read(source, *records)
        assert all(isinstance(one, Truth) and one.data for one in answers)
        assert supabase.requests.by_status == {200: 3}
        await source.close()


async def test_a_proxy_with_a_smaller_limit_is_given_smaller_requests(
    supabase: PostgrestStandin, source: SupabaseSource
) -> None:
    supabase.url_max = 80
    answers = await read(source, *map(note, range(20)))
    assert all(isinstance(one, Truth) and one.data for one in answers)
    assert supabase.requests.by_status[414] > 0


# The probe


async def test_the_probe_asks_a_table_that_could_be_read(supabase: PostgrestStandin, source: SupabaseSource) -> None:
    supabase.create_table("remote", {"id": "bigint"})
    await read(source, note(1))
    supabase.faults.status(503, path=lambda path: "/remote" in path)
    assert kinds(await read(source, RecordKey("supabase", "public.remote", "1"))) == [SourceUnavailable]
    await source.probe()
