"""Every exchange recorded with a real PostgREST, replayed against the stand-in: same status, headers and body."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import yarl

from hookbridge.standins import PostgrestStandin
from hookbridge.standins.postgrest import errors
from tests.standins.conftest import recorded_exchanges

SERVICE_KEY = "header.service.signature"
ANON_KEY = "header.anon.signature"
EXPIRED_KEY = "header.expired.signature"
ROLELESS_KEY = "header.no-such-role.signature"
KEYS = {
    "bad signature": "eyJhbGciOiJIUzI1NiJ9.unknown.signature",
    "expired jwt": EXPIRED_KEY,
    "jwt role unknown": ROLELESS_KEY,
    "key not a jwt": "not-a-jwt",
    "sb_secret key": "sb_secret_unexchanged",
}
BIG = {"id": "bigint", "v": "text"}
EXCHANGES = recorded_exchanges()


@pytest.fixture
async def recorded() -> AsyncIterator[PostgrestStandin]:
    """A stand-in with the tables of the recorded database."""
    standin = PostgrestStandin(key=SERVICE_KEY, anon_key=ANON_KEY, schemas=("public", "app"), gateway=False)
    standin.keys.add(EXPIRED_KEY, "service_role")
    standin.keys.expire(EXPIRED_KEY)
    standin.keys.add(ROLELESS_KEY, "no_such_role")
    _items(standin)
    _tasks(standin)
    standin.create_table("big", BIG)
    standin.insert_many("big", ({"id": number, "v": "x"} for number in range(1, 2501)))
    for name in ("secret", "noaccess", "slow_view"):
        standin.create_table(name, {"id": "bigint"})
        standin.insert(name, {"id": 1})
    standin.hide("secret")
    standin.deny("noaccess")
    standin.time_out("slow_view")
    async with standin:
        yield standin


def _items(standin: PostgrestStandin) -> None:
    columns = {"id": "bigint", "name": "text", "price": "numeric", "meta": "jsonb", "at": "timestamptz"}
    standin.create_table("items", columns)
    meta = {"b": 1, "a": [1, Decimal("2.50")]}
    standin.insert(
        "items", {"id": 1, "name": "one", "price": "1.50", "meta": meta, "at": "2026-11-23T10:00:00.123456Z"}
    )
    standin.insert("items", {"id": 2, "name": "two", "at": "2025-01-01T00:00:00Z"})
    prices = {1002: "334.0000000000000000", 1003: "334.3333333333333333", 1004: "334.6666666666666667"}
    for number, price in (prices | {1001: "333.6666666666666667"}).items():
        at = "2026-11-23T14:17:27.155536+01:00"
        standin.insert(
            "items", {"id": number, "name": f"row {number}", "price": price, "meta": {"g": number}, "at": at}
        )


def _tasks(standin: PostgrestStandin) -> None:
    columns = {
        "id": "uuid",
        "title": "text",
        "status": "text",
        "amount": "numeric",
        "meta": "jsonb",
        "updated_at": "timestamptz",
    }
    defaults = {
        "id": lambda: "1979e028-0138-4e19-a938-6c057d92afbc",
        "status": lambda: "open",
        "updated_at": lambda: "2026-11-23T13:44:46.33155+00:00",
    }
    standin.create_table("tasks", columns, schema="app", defaults=defaults)
    at = "2026-11-23T13:43:32.815823+00:00"
    for number in (1, 2):
        row = {"id": f"00000000-0000-4000-8000-00000000000{number}", "title": f"task {number}", "status": "done"}
        standin.insert("tasks", row | {"amount": "1.10", "meta": {"n": 1}, "updated_at": at}, schema="app")


def _key(case: str) -> str:
    return KEYS.get(case, ANON_KEY if case.startswith("anon:") else SERVICE_KEY)


def _request_headers(exchange: dict[str, Any]) -> list[tuple[str, str]]:
    key = _key(exchange["case"])
    headers = [line.split(": ", 1) for line in exchange["request"][1:]]
    given = [(name, value.replace("<key>", key)) for name, value in headers]
    return [(name, value) for name, value in given if name not in {"Host", "Connection", "Content-Length"}]


def _outage(standin: PostgrestStandin, exchange: dict[str, Any]) -> None:
    """Switch on what the recorded database went through."""
    code = next((line[-5:] for line in exchange["response_headers"] if line.endswith("error=57P01")), "")
    if code:
        standin.faults.answer(errors.terminated().reply, times=1)
    elif exchange["status_line"].startswith("HTTP/1.1 503"):
        standin.faults.status(503, times=1)


def _name(exchange: dict[str, Any]) -> str:
    return f"{exchange['case']} #{exchange['attempt']}"


@pytest.mark.parametrize("exchange", EXCHANGES, ids=map(_name, EXCHANGES))
async def test_a_recorded_exchange_is_answered_the_same(recorded: PostgrestStandin, exchange: dict[str, Any]) -> None:
    _outage(recorded, exchange)
    method, path, _ = exchange["request"][0].split(" ")
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        url = yarl.URL(recorded.url + path, encoded=True)
        body = exchange["request_body"]
        async with session.request(method, url, headers=_request_headers(exchange), data=body) as response:
            received = await response.read()

    assert response.status == int(exchange["status_line"].split(" ")[1])
    expected = dict(line.split(": ", 1) for line in exchange["response_headers"])
    assert {name: response.headers.get(name) for name in expected} == expected
    _assert_same_body(received.decode(), exchange["response_body"])


def _assert_same_body(received: str, expected: str) -> None:
    if expected.endswith(" ..."):
        # The recording keeps the beginning of a long body; Content-Length was compared already.
        assert received.startswith(expected.removesuffix(" ..."))
        return
    assert received == expected
    if expected:
        assert json.loads(received) == json.loads(expected)
