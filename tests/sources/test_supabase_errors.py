"""What the SDK raises becomes one of our errors: every code, every status, every recorded refusal of a real server."""

import http
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import RecordUnreadable, SourceError, SourceRefused, SourceUnavailable, TableUnreadable
from hookbridge.model import RecordKey
from hookbridge.sources.source import unordered
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.sources.supabase.client import UNREADABLE, ValueImpossible
from hookbridge.standins import PostgrestStandin, Reply
from scripts.faulting.proxy import UNTRUSTED, proxied
from tests.support.tickets import counting

KEY = "sb_secret_for_tests"
JSON = {"Content-Type": "application/json"}
RECORD = RecordKey("supabase", "public.users", "1")
RECORDED = Path(__file__).parents[1] / "fixtures" / "supabase" / "postgrest_exchanges.json"

REFUSALS: dict[str, type[SourceError]] = {
    "PGRST002": SourceUnavailable,
    "PGRST106": TableUnreadable,
    "PGRST205": TableUnreadable,
    "PGRST301": SourceRefused,
    "PGRST303": SourceRefused,
    "22003": ValueImpossible,
    "22023": SourceRefused,
    "22P02": ValueImpossible,
    "42501": TableUnreadable,
    "42703": TableUnreadable,
    "57014": RecordUnreadable,
    "57P01": SourceUnavailable,
}
"""What every recorded refusal of a read that hookbridge makes means."""
NEVER_MET = {
    "PGRST103": "no read asks for an offset",
    "PGRST116": "no read asks for a single object",
    "23505": "nothing is written",
}


REFUSED = (401, 403)
OWN = (400, 405, 406, 409, 410, 413, 414, 415, 416, 422, 431)
OTHERS = (300, 307, 402, 404, 407, 408, 418, 421, 423, 425, 429, 451, 500, 502, 503, 504, 520, 529, 540)
BY_STATUS: dict[int, type[SourceError]] = {
    **dict.fromkeys(REFUSED, SourceRefused),
    **dict.fromkeys(OWN, RecordUnreadable),
    **dict.fromkeys(OTHERS, SourceUnavailable),
}
"""What a status means without a known code."""


def recorded_refusals() -> list[dict[str, Any]]:
    exchanges = json.loads(RECORDED.read_text())["exchanges"]
    return [one for one in exchanges if one.get("status_line") and status_of(one) >= http.HTTPStatus.BAD_REQUEST]


def status_of(exchange: dict[str, Any]) -> int:
    return int(exchange["status_line"].split()[1])


def code_of(exchange: dict[str, Any]) -> str:
    return str(json.loads(exchange["response_body"])["code"])


@asynccontextmanager
async def reading() -> AsyncIterator[tuple[PostgrestStandin, SupabaseSource]]:
    async with PostgrestStandin(key=KEY) as standin:
        standin.create_table("users", {"id": "bigint", "name": "text"})
        standin.insert("users", {"id": 1, "name": "Ada"})
        tickets = counting()
        secrets = Secrets(supabase_url=standin.url, supabase_key=KEY)
        source = SupabaseSource(SupabaseConfig(), SignaturesConfig(), secrets, tickets)
        try:
            yield standin, source
        finally:
            await source.close()


async def failure(reply: Reply) -> SourceError:
    """The error of a read that is answered so."""
    async with reading() as (standin, source):
        standin.faults.answer(reply)
        with pytest.raises(SourceError) as caught:
            await source.read(RECORD)
    assert KEY not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None
    return caught.value


async def test_a_certificate_that_nobody_trusts_is_named_with_where_its_ca_belongs() -> None:
    async with PostgrestStandin(key=KEY) as standin, proxied(standin.url, UNTRUSTED) as proxy:
        secrets = Secrets(supabase_url=proxy.url, supabase_key=KEY)
        source = SupabaseSource(SupabaseConfig(), SignaturesConfig(), secrets, unordered)
        with pytest.raises(SourceUnavailable) as caught:
            await source.read(RECORD)
        await source.close()
    assert caught.value.message == "The certificate of Supabase is not trusted: self-signed certificate"
    assert caught.value.hint == "name the certificate of its CA in SSL_CERT_FILE"


def postgrest(status: int, code: str | None, message: str = "why") -> Reply:
    body = {"code": code, "details": None, "hint": None, "message": message}
    return Reply(status=status, body=json.dumps(body).encode(), headers=JSON)


@pytest.mark.parametrize(("status", "code"), UNREADABLE)
async def test_a_code_that_says_that_the_table_is_not_to_be_read_says_so_with_its_status_alone(
    status: int, code: str
) -> None:
    assert type(await failure(postgrest(status, code))) is TableUnreadable
    assert type(await failure(postgrest(503, code))) is SourceUnavailable


@pytest.mark.parametrize("code", ["22023", "22003", "22007", "22008", "22009", "22P02", "22P03", "22021"])
async def test_a_value_that_its_column_cannot_have_is_the_records_own(code: str) -> None:
    found = await failure(postgrest(400, code))
    assert type(found) is ValueImpossible
    assert code in found.message


async def test_what_a_row_holds_is_no_value_that_was_asked_for() -> None:
    for code in ("22012", "22001", "22004"):
        assert type(await failure(postgrest(400, code))) is RecordUnreadable


@pytest.mark.parametrize("code", ["22023", "42703", "PGRST301", "PGRST302", "PGRST303", None, "PT401"])
async def test_a_401_refuses_the_key_whatever_else_it_says(code: str | None) -> None:
    assert type(await failure(postgrest(401, code))) is SourceRefused


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (None, SourceRefused),
        ("403", SourceRefused),
        ("PT403", SourceRefused),
        ("25006", RecordUnreadable),
        ("P0001", RecordUnreadable),
        ("42501", TableUnreadable),
    ],
)
async def test_a_403_refuses_the_key_only_without_a_code(code: str | None, expected: type[SourceError]) -> None:
    assert type(await failure(postgrest(403, code))) is expected


@pytest.mark.parametrize("status", BY_STATUS)
@pytest.mark.parametrize("form", ["html", "no code", "unknown code"])
async def test_every_status_without_a_known_code_has_its_error(status: int, form: str) -> None:
    html = Reply(status=status, body=b"<html>no</html>", headers={"Content-Type": "text/html"})
    replies = {"html": html, "no code": postgrest(status, None), "unknown code": postgrest(status, "PGRST999")}
    assert type(await failure(replies[form])) is BY_STATUS[status]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "HV000"),  # a foreign server cannot be reached
        (500, "42P17"),  # a policy that asks for its own table
        (500, "XX000"),
        (500, "55P03"),
        (500, "55000"),  # a materialized view that was never filled
        (500, "40001"),
        (404, "42883"),
    ],
)
async def test_what_the_database_says_of_the_query_is_the_records_own(status: int, code: str) -> None:
    found = await failure(postgrest(status, code))
    assert type(found) is RecordUnreadable
    assert code in found.message


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "08006", SourceUnavailable),
        (503, "53300", SourceUnavailable),
        (500, "53400", SourceUnavailable),
        (503, "57P03", SourceUnavailable),
        (500, "57P05", SourceUnavailable),
        (500, "58030", SourceUnavailable),
        (500, "3D000", SourceUnavailable),
        (403, "28000", SourceUnavailable),
        (403, "0P000", SourceUnavailable),
        (429, "PT429", SourceUnavailable),
        (500, "PT500", SourceUnavailable),
        (500, "ERROR", SourceUnavailable),
        (502, "XX000", SourceUnavailable),
    ],
)
async def test_what_the_database_says_of_itself_holds_for_every_record(
    status: int, code: str, expected: type[SourceError]
) -> None:
    assert type(await failure(postgrest(status, code))) is expected


def test_every_recorded_refusal_is_expected_here() -> None:
    assert {code_of(one) for one in recorded_refusals()} == {*REFUSALS, *NEVER_MET}


@pytest.mark.parametrize("exchange", recorded_refusals(), ids=lambda one: one["case"])
async def test_every_recorded_refusal_of_a_real_server_has_its_error(exchange: dict[str, Any]) -> None:
    code = code_of(exchange)
    found = await failure(Reply(status=status_of(exchange), body=exchange["response_body"].encode(), headers=JSON))
    assert type(found) is REFUSALS.get(code, RecordUnreadable)


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b'"text"', b"{", b"\xff", b"1", b"", b'{"message": {}}', b'{"message": 1, "code": []}']
)
@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_refusal_in_a_form_that_nobody_documents_is_one_of_our_errors(status: int, body: bytes) -> None:
    expected = {400: RecordUnreadable, 401: SourceRefused, 500: SourceUnavailable}[status]
    assert type(await failure(Reply(status=status, body=body, headers=JSON))) is expected


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b'"text"',
        b"{}",
        b"[1]",
        b"[{}, 1]",
        b'[{"id": "\xff"}]',
        b"{",
        b"\xff",
        b"",
        b'[{"id": 1},',
        b'[{"id": ' + b"[" * 1_200 + b"]" * 1_200 + b"}",
        b'{"a": {"id": ' + b"[" * 1_200 + b"]" * 1_200 + b"}}",
        b"[" * 1_200 + b"]" * 1_200,
    ],
    ids=lambda body: repr(body)[:20],
)
async def test_a_success_that_is_no_list_of_rows_is_an_outage(body: bytes) -> None:
    assert type(await failure(Reply(status=200, body=body, headers=JSON))) is SourceUnavailable


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("9" * 400, 3_600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2970 00:00:00 GMT", 3_600.0),
    ],
)
async def test_how_long_to_wait_is_what_the_answer_says(value: str, seconds: float | None) -> None:
    found = await failure(Reply(status=429, body=b'{"message":"slow"}', headers={**JSON, "Retry-After": value}))
    assert isinstance(found, SourceUnavailable)
    assert found.retry_after_seconds == seconds


@pytest.mark.parametrize("content_range", [None, "0-0/*", "*/*", "many"])
async def test_an_answer_that_may_have_been_cut_is_an_outage(content_range: str | None) -> None:
    """What is missing in it would be taken for gone."""
    headers = JSON if content_range is None else {**JSON, "Content-Range": content_range}
    found = await failure(Reply(status=200, body=b'[{"id":1}]', headers=headers))
    assert type(found) is SourceUnavailable
    assert "Content-Range" in found.hint


async def test_a_server_that_repeats_the_key_does_not_make_it_known() -> None:
    found = await failure(postgrest(401, "PGRST301", f"this key is wrong: {KEY}"))
    assert "this key is wrong: [secret]" in found.message
