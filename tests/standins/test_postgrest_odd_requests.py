"""Odd requests as a real PostgREST answered them: what the stand-in lets pass passes outside, what it refuses fails."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import yarl

from hookbridge.standins import PostgrestStandin
from hookbridge.standins.postgrest import errors
from tests.standins.conftest import RECORDED
from tests.standins.odd_tables import fill

JOSE = urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
SERVICE_KEY, EXPIRED_KEY, FOREIGN_KEY = (f"{JOSE}.{name}.signature" for name in ("service", "expired", "foreign"))
ALWAYS = ("content-range",)
COMPARED = (
    *("preference-applied", "content-location", "content-type", "content-profile"),
    *("proxy-status", "retry-after", "www-authenticate"),
)
STAYS_DIFFERENT = {
    "d1?select=id,b&order=b.asc": "rows that the order leaves equal: PostgreSQL promises nothing for them",
}
EXCHANGES = json.loads((RECORDED / "postgrest_odd_requests.json").read_text())["exchanges"]


@pytest.fixture
async def odd() -> AsyncIterator[PostgrestStandin]:
    standin = PostgrestStandin(key=SERVICE_KEY, schemas=("public", "app"), gateway=False)
    standin.keys.add(EXPIRED_KEY, "service_role")
    standin.keys.expire(EXPIRED_KEY)
    fill(standin)
    async with standin:
        yield standin


def _name(exchange: dict[str, Any]) -> str:
    return str(exchange["case"])


def _key(exchange: dict[str, Any]) -> str:
    """The key that was sent: the recording has none but the beginning of two."""
    sent = exchange["headers"].get("Authorization", "")
    body = exchange["response"]["body"]
    if sent.startswith("Bearer a.b.c"):
        return "a.b.c"
    if "PGRST303" in body:
        return EXPIRED_KEY
    return FOREIGN_KEY if "PGRST301" in body else SERVICE_KEY


def _recall(standin: PostgrestStandin, exchange: dict[str, Any]) -> None:
    """Switch on what the recorded server went through or was set to."""
    body = exchange["response"]["body"]
    if "57P01" in body:
        standin.faults.answer(errors.terminated().reply, times=1)
    if "PGRST002" in body:
        standin.faults.status(503, times=1)
    if exchange["case"].startswith("db-max-rows = 7"):
        standin.max_rows = 7


async def _answered(standin: PostgrestStandin, exchange: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    headers = exchange["headers"] | {"Authorization": f"Bearer {_key(exchange)}"}
    url = yarl.URL(standin.url + exchange["path"], encoded=True)
    async with aiohttp.ClientSession() as http, http.request(exchange["method"], url, headers=headers) as response:
        received = {name.lower(): value for name, value in response.headers.items()}
        return response.status, received, await response.text()


@pytest.mark.parametrize("exchange", EXCHANGES, ids=map(_name, EXCHANGES))
async def test_an_odd_request_is_answered_as_the_real_server_answers_it(
    odd: PostgrestStandin, exchange: dict[str, Any]
) -> None:
    _recall(odd, exchange)
    status, headers, body = await _answered(odd, exchange)
    expected = exchange["response"]
    compared = [name for name in COMPARED if name in expected["headers"]] + list(ALWAYS)
    assert status == expected["status"]
    assert {name: headers.get(name) for name in compared} == {name: expected["headers"].get(name) for name in compared}
    if exchange["case"] not in STAYS_DIFFERENT:
        assert body == expected["body"]
    else:
        assert sorted(json.loads(body), key=str) == sorted(json.loads(expected["body"]), key=str)


def _asked(path: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "method": "GET",
        "path": f"/rest/v1/{path}",
        "headers": headers or {},
        "response": {"body": ""},
        "case": path,
    }


SIBLINGS: list[tuple[str, list[Any]]] = [
    ('tk?select=v&k=in.("a")', [{"v": 2}]),
    ("tk?select=v&k=in.()", []),
    ('d1?select=id&n=in.("")', []),
    ('d1?select=id&or=(u.in.(""),id.eq.2)', [{"id": 2}]),
    ("tk?select=v&k=eq.a%00b", [{"v": 2}]),
    ("d1?select=id&id=in.(1,2)x", [{"id": 1}, {"id": 2}]),
    ("d1?select=id&and=(id.eq.1)y", [{"id": 1}]),
    ("d1?select=id&and=(%20id.gte.1%20,%20id.lte.2%20)", [{"id": 1}, {"id": 2}]),
    ('d1?select=id&or=(t.in.("a))', []),
    ('tk?select=v&or=(k.eq.q"x)', [{"v": 6}]),
    ("d1?select=id&or=(ia.eq.{1,2})", [{"id": 1}]),
    ("d1?select=id&t=not.isdistinct.a", [{"id": 1}]),
    ("d1?select=id&or=(vc.isdistinct.v,id.eq.1)&id=lt.3", [{"id": 1}, {"id": 2}]),
    ("d1?select=jb->>a,b:jb->b&id=eq.1", [{"a": "ü", "b": 1.10}]),
    ("d1?select=x:ia->1&id=eq.1", [{"x": 2}]),
    ("d1?select=n::text,d::text,b::text&id=eq.1", [{"n": "1.50", "d": "2026-01-01", "b": "true"}]),
    ("d1?select=by::text,ta::text&id=eq.1", [{"by": "\\xdead", "ta": '{x,"a,b"}'}]),
    ("d1?select=r&id=eq.1&or=(r.eq.0.1)", [{"r": 0.1}]),
]


@pytest.mark.parametrize(("path", "rows"), SIBLINGS)
async def test_a_request_of_the_same_kinds_finds_its_rows(odd: PostgrestStandin, path: str, rows: list[Any]) -> None:
    status, _, body = await _answered(odd, _asked(path))
    assert (status, json.loads(body)) == (200, rows)


OPERATOR = "operator (eq, gt, ...)"
FIELD = "field name (* or [a..z0..9_$])"
MEMBER = f"{FIELD}, negation operator (not) or logic operator (and, or)"
REFUSED = [
    ("d1?order=id.desc,", "PGRST100", f"unexpected end of input expecting {FIELD}", 9),
    ("d1?order=id.asc.desc", "PGRST100", "unexpected '.' expecting \",\" or end of input", 7),
    ("d1?or=(id.eq.1,)", "PGRST100", f'unexpected ")" expecting {MEMBER}', 12),
    ("d1?and=(id.gt.1", "PGRST100", 'unexpected end of input expecting "," or ")"', 12),
    ("d1?or=(id.not.foo)", "PGRST100", f'unexpected ")" expecting {OPERATOR}', 14),
    ("d1?id=not.", "PGRST100", f"unexpected end of input expecting {OPERATOR}", 5),
    ("d1?a%25b=eq.1", "42703", None, None),
    ("d1?limit=-2", "PGRST103", "Limit should be greater than or equal to zero.", None),
    ("d1/x/y", "PGRST125", None, None),
    ("rpc/a/b", "PGRST125", None, None),
    ("d1?select=sum()", "PGRST123", None, None),
    ("d1?select=n.sum()", "PGRST123", None, None),
    ("d1?order=j", "42883", None, None),
    ("d1?j=isdistinct.1", "42883", None, None),
    ("d1?ta=in.(x)", "42704", None, None),
    ("d1?n=eq.%D9%A3", "22P02", None, None),
]


@pytest.mark.parametrize(("path", "code", "details", "column"), REFUSED)
async def test_a_request_of_the_same_kinds_is_refused(
    odd: PostgrestStandin, path: str, code: str, details: str | None, column: int | None
) -> None:
    _, _, body = await _answered(odd, _asked(path))
    answer = json.loads(body)
    assert (answer["code"], answer["details"]) == (code, details)
    assert column is None or answer["message"].endswith(f"(line 1, column {column})")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("d1?nn=eq.1", 'Perhaps you meant to reference the column "d1.n".'),
        ("tk?select=kv", 'Perhaps you meant to reference the column "tk.k" or the column "tk.v".'),
        ("tk?select=x", None),
        ("datekeys", "Perhaps you meant the table 'public.datekey'"),
        ("tks", None),
    ],
)
async def test_a_hint_names_what_is_written_alike_and_nothing_else(
    odd: PostgrestStandin, path: str, hint: str | None
) -> None:
    _, _, body = await _answered(odd, _asked(path))
    assert json.loads(body)["hint"] == hint


@pytest.mark.parametrize(
    ("path", "header", "status", "content_range"),
    [
        ("d1?select=id", "2-", 200, "2-6/*"),
        ("d1?select=id&limit=1", "0-4", 200, "0-0/*"),
        ("d1?select=id&offset=3", "0-4", 200, "3-4/*"),
        ("d1?select=id", "rows", 200, "0-6/*"),
        ("d1?select=id", "3-1", 416, None),
    ],
)
async def test_a_range_header_and_the_query_cut_the_answer_together(
    odd: PostgrestStandin, path: str, header: str, status: int, content_range: str | None
) -> None:
    answer = await _answered(odd, _asked(path, {"Range": header}))
    assert (answer[0], answer[1].get("content-range")) == (status, content_range)


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("tk?k=eq.%C3%BC", "/tk?k=eq.%C3%83%C2%BC"),
        ("tk?k=neq.a&select=v&k=neq.b", "/tk?k=neq.a,neq.b&select=v"),
        ("tk", "/tk"),
    ],
)
async def test_the_location_is_escaped_and_joined(odd: PostgrestStandin, path: str, location: str) -> None:
    _, headers, _ = await _answered(odd, _asked(path))
    assert headers["content-location"] == location


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("x.y.z", "JWT cryptographic operation failed"),
        (f"{JOSE}.other.signature", "No suitable key or wrong key type"),
        ("sb_secret_x", "Expected 3 parts in JWT; got 1"),
    ],
)
async def test_without_a_gateway_only_the_authorization_counts(odd: PostgrestStandin, key: str, message: str) -> None:
    async with aiohttp.ClientSession() as http:
        headers = {"apikey": SERVICE_KEY, "Authorization": f"Bearer {key}"}
        async with http.get(f"{odd.url}/rest/v1/d1", headers=headers) as response:
            assert (response.status, (await response.json())["message"]) == (401, message)
