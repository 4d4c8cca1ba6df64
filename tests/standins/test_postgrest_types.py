"""The stand-in's column types beside a real PostgreSQL: the same texts are taken, shown and refused, in the same order.

The real one here is younger (18) than the one that Supabase has most (15); `YOUNGER` says where that shows.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.columns import column_type
from hookbridge.standins.postgrest.kinds import Text
from hookbridge.standins.postgrest.moments import Session

TEXTS = {
    "integer": ["7", " 7 ", "-2147483648", "2147483648", "1.0", "", "x", "1_0", "٣"],
    "numeric": ["1.50", ".5", "5.", " 1e3 ", "-0", "nan", "-inf", "1e131072", "1e999999", "1e", "snan", "", "1_0"],
    "double precision": ["0.1", "1e308", "1e309", "1e-400", "Infinity", "-inf", "nan", "1e15", "1e14", "", "x", "1_0"],
    "real": ["0.1", "1e38", "1e39", "1e-50", "16777217", "3.4028235e38", "Infinity", "", "x"],
    "boolean": ["t", "TRU", " yes ", "y", "on", "of", "off", "0", "o", "", "2", "truee"],
    "uuid": [
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        "urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0-eebc999c0b4ef8bb6d6bb9bd380a11",
        "",
    ],
    "bytea": [r"\xDEad", r"\x de ad", "dead", r"a\\b", r"\001\377", r"\x", r"\xzz", r"\xabc", "\\", r"\9", "é"],
    "date": [
        "2026-06-27",
        "1/2/2026",
        "Jan 1 2026",
        "1 January 2026",
        "20260102",
        "2026-02-30",
        "2026-13-01",
        "2026-00-10",
        "0000-01-01",
        "0044-03-15 BC",
        "4714-11-23 BC",
        "10000-01-01",
        "5874898-01-01",
        "2026-01-01 Foo/Bar",
        "infinity",
        "-infinity",
        "epoch",
        "2026-01-01 23:00:00-05",
        "",
        "x",
    ],
    "timestamp with time zone": [
        "2026-06-27T17:00:30.25Z",
        "2026-06-27 17:00:30.123456+02",
        "2026-06-27 17:00",
        "2026-06-27",
        "2026-06-27 17:00:00 Europe/Berlin",
        "2026-01-27 17:00:00 europe/berlin",
        "2026-06-27 17:00:00 Foo/Bar",
        "2026-06-27 17:00:00+15:59",
        "2026-06-27 17:00:00+16",
        "2026-06-27 17:00:00+99:00",
        "2026-06-27 24:00:00",
        "2026-06-27 24:00:01",
        "2026-06-27 23:59:60",
        "2026-06-27 23:60:00",
        "2024-02-29 00:00:00+05:30",
        "2023-02-29",
        "0044-03-15 12:00:00 BC",
        "294276-12-31 23:59:59.999999",
        "294277-01-01",
        "20000-02-29",
        "infinity",
        "epoch",
        "",
    ],
    "timestamp without time zone": ["2026-06-27T17:00:30.25+05", "Jun 27, 2026 17:00", "2026-06-31", "x"],
    "jsonb": ['{"b":1.10,"aa":2,"a":"ü"}', "null", "[1, [], {}]", '"s"', "1e2", "s", ""],
    "integer[]": ["{ 1, 2 }", "{}", "{1,NULL}", "{{1},{2}}", '{"3"}', "{a}", "abc", "{1", "{1}x", "[1,2]", ""],
    "text[]": ['{x,"a,b"}', r'{"q\"",a\,b}', "{null}", '{"null",""}', "{ a b , c}", "{é}"],
    "mood": ["sad", "happy", "zz", "Sad", ""],
    "citext": ["Ab", "aB", "B", ""],
}
ORDERED = {
    "jsonb": [
        *("[]", "null", '""', '"a"', '"b"', "-1", "1", "1.1", "2", "false", "true", '["a"]', "[1]", "[1,2]", "{}"),
        *('{"a":1}', '{"a":2}', '{"b":1}', '{"aa":1}', '{"a":1,"b":2}'),
    ],
    "integer[]": ["{}", "{1}", "{1,2}", "{2}", "{3,1}", "{3,NULL}"],
    "numeric": ["-inf", "-1", "0", "1.5", "inf", "nan"],
    "double precision": ["-inf", "-1", "0", "1.5", "inf", "nan"],
    "bytea": [r"\x", r"\x00", r"\x7f", r"\xde", r"\xdead"],
    "date": ["-infinity", "0044-03-15 BC", "2026-01-01", "10000-01-01", "infinity"],
    "mood": ["sad", "ok", "happy"],
    "citext": ["", "A", "b", "C"],
    "boolean": ["false", "true"],
}
EQUAL = {
    "citext": ("Ab", "aB"),
    "jsonb": ("1.10", "1.1"),
    "numeric": ("1.10", "1.1"),
    "bytea": (r"\xDEAD", r"\xdead"),
    "timestamp with time zone": ("2026-01-01 12:00+01", "2026-01-01 11:00Z"),
}
YOUNGER = {
    ("integer", "1_0"): "underscores between digits are taken since 16",
    ("numeric", "1_0"): "the same; the answer of 15 is recorded",
}
LABELS = "enum mood(sad, ok, happy)"


def _session() -> Session:
    return Session(lambda: datetime(2026, 6, 27, 12, tzinfo=UTC))


def _kind(type_name: str) -> Text:
    return column_type(LABELS if type_name == "mood" else type_name, _session())


def _here(type_name: str, text: str) -> str:
    kind = _kind(type_name)
    try:
        return kind.text(kind.parse(text))
    except errors.WireError as refused:
        answer = json.loads(refused.reply.body)
        return f"{answer['code']} {answer['message']}"


async def _there(sql: asyncpg.Connection, type_name: str, text: str) -> str:
    try:
        async with sql.transaction():
            return str(await sql.fetchval(f"select ($1::text)::{type_name}::text", text))
    except asyncpg.PostgresError as refused:
        return f"{refused.sqlstate} {refused.message}"


@pytest.fixture
async def sql(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the real one in a transaction, with which all that it makes goes."""
    connection = await asyncpg.connect(postgres_url, server_settings={"timezone": "UTC"})
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("create extension citext; create type mood as enum ('sad', 'ok', 'happy')")
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.mark.parametrize("type_name", TEXTS)
async def test_a_text_is_taken_and_shown_or_refused_as_postgresql_does(sql: asyncpg.Connection, type_name: str) -> None:
    texts = [text for text in TEXTS[type_name] if (type_name, text) not in YOUNGER]
    assert {text: _here(type_name, text) for text in texts} == {
        text: await _there(sql, type_name, text) for text in texts
    }


@pytest.mark.parametrize("type_name", ORDERED)
async def test_values_lie_in_the_order_of_postgresql(sql: asyncpg.Connection, type_name: str) -> None:
    texts = ORDERED[type_name]
    kind = _kind(type_name)
    shuffled = texts[::-1]
    statement = f"select t from unnest($1::text[]) t order by t::{type_name}"
    assert sorted(shuffled, key=lambda text: kind.ordered(kind.parse(text))) == [
        row["t"] for row in await sql.fetch(statement, texts)
    ]


@pytest.mark.parametrize("type_name", EQUAL)
async def test_two_spellings_of_one_value_are_equal_as_in_postgresql(sql: asyncpg.Connection, type_name: str) -> None:
    first, second = EQUAL[type_name]
    kind = _kind(type_name)
    assert kind.ordered(kind.parse(first)) == kind.ordered(kind.parse(second))
    assert await sql.fetchval(f"select ($1::text)::{type_name} = ($2::text)::{type_name}", first, second)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "UTC"])
async def test_an_instant_is_read_and_written_in_the_zone_of_the_database(sql: asyncpg.Connection, zone: str) -> None:
    await sql.execute(f"set timezone = '{zone}'")
    session = _session()
    session.zone = ZoneInfo(zone)
    kind = column_type("timestamptz", session)
    texts = ["2026-06-27T17:00:30.25Z", "2026-01-27 17:00", "1880-01-01", "20000-07-01 00:00Z", "infinity"]
    for text in texts:
        there = await sql.fetchrow(
            "select t::text as text, to_json(t)::text as json from (select ($1::text)::timestamptz t) x", text
        )
        assert (kind.text(kind.parse(text)), kind.compact(kind.parse(text))) == (there["text"], there["json"]), text
