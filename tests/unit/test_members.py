"""Large bodies: of them only what is named is built, and they are taken and refused as small ones are."""

import json
import re
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig, SupabaseConfig, SupabaseTable
from hookbridge.errors import InvalidFields, InvalidJson, Refusal
from hookbridge.pipeline.receive import receive
from hookbridge.sources.large import LARGE_BYTES_MIN
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.source import Delivery, Source, unordered
from hookbridge.sources.supabase import SupabaseSource

ODD_COLUMN = 'no "field" \\ of a struct'
TABLES = (SupabaseTable(name="parts", key=("tenant", "id")), SupabaseTable(name="odd", key=(ODD_COLUMN,)))
SUPABASE = SupabaseSource(SupabaseConfig(tables=TABLES), SignaturesConfig(), Secrets(), unordered)
NOTION = NotionSource(NotionConfig(), SignaturesConfig(), Secrets(), unordered, None)

PAGE, DATABASE = "11111111-2222-4333-8444-555555555555", "21111111-2222-4333-8444-555555555555"
GUIDE = {"event_type": "update", "source": "supabase", "table_name": "users", "record_id": 7, "data": {"id": 7}}
NATIVE = {"type": "UPDATE", "table": "users", "schema": "public", "record": {"id": 7}, "old_record": {"id": 6}}
PARTS = NATIVE | {"table": "parts", "record": {"tenant": "a", "id": 7}, "old_record": None}
ODD = NATIVE | {"table": "odd", "record": {ODD_COLUMN: 7}, "old_record": None}
ENTITY: dict[str, Any] = {
    "entity": {"id": PAGE, "type": "page"},
    "data": {"parent": {"type": "database", "id": DATABASE}},
}
INTEGRATION = {"id": "1", "type": "page.created", "timestamp": "2026-01-01T00:00:00Z", **ENTITY}
PARENT = {"type": "database_id", "database_id": DATABASE}
AUTOMATION = {
    "source": {"type": "automation", "event_id": "1"},
    "data": {"object": "page", "id": PAGE, "parent": PARENT, "in_trash": True},
}
FORMATS: list[tuple[Source, dict[str, Any]]] = [
    (SUPABASE, GUIDE),
    (SUPABASE, NATIVE),
    (SUPABASE, PARTS),
    (SUPABASE, ODD),
    (NOTION, GUIDE | {"source": "notion", "table_name": DATABASE, "record_id": PAGE}),
    (NOTION, INTEGRATION),
    (NOTION, AUTOMATION),
]
NAMES = ["guide", "native", "two-keys", "odd-key", "notions-guide", "integration", "automation"]


def large(body: bytes) -> bytes:
    """Give the same JSON as a large body."""
    return body + b" " * LARGE_BYTES_MIN


def understood(source: Source, body: bytes) -> object:
    """Give what a body says, or why it is refused, in as many words as both ways have."""
    try:
        received = receive(source, {}, body, 0.0)
    except InvalidFields as error:
        return [(one.loc, one.msg, one.type) for one in error.problems]
    except InvalidJson as error:
        why = error.message.removeprefix("The body is not valid JSON: ")
        return "a number is too large" if "Integer" in why else re.split(r" \(byte|(?<=escape)", why)[0]
    except Refusal as error:
        return error.message
    assert isinstance(received, Delivery)
    events = [msgspec.structs.replace(one, body=b"", identity=None) for one in received.events]
    return events, received.details, [source.columns_of(one) for one in received.events]


@pytest.mark.parametrize(("source", "values"), FORMATS, ids=NAMES)
def test_a_large_body_is_understood_as_a_small_one_is(source: Source, values: dict[str, Any]) -> None:
    body = json.dumps(values).encode()
    assert isinstance(understood(source, body), tuple)
    assert understood(source, large(body)) == understood(source, body)


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "k"]), inner),
    max_leaves=5,
)


@given(data=st.data(), case=st.sampled_from(FORMATS))
def test_whatever_a_large_bodys_members_are_they_are_judged_as_a_small_ones(
    data: st.DataObject, case: tuple[Source, dict[str, Any]]
) -> None:
    source, values = case
    for name in data.draw(st.lists(st.sampled_from(sorted(values)), max_size=2)):
        inner = values[name]
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            values = values | {name: inner | {data.draw(st.sampled_from(sorted(inner))): data.draw(anything)}}
        else:
            values = values | {name: data.draw(anything)}
    dropped = data.draw(st.sampled_from([None, *values]))
    body = json.dumps({name: value for name, value in values.items() if name != dropped}).encode()
    assert understood(source, large(body)) == understood(source, body)


UNTAKEABLE = [
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b"9" * 4301,
    b"-" + b"9" * 4300,
    b"1e" + b"9" * 19,
    b"1E-" + b"9" * 19,
    b"0e+1" + b"0" * 18,
    b"12" + b"0" * 10 + b"e999999999999999999",
    b"[" * 201 + b"]" * 201,
    b"[1,]",
    b"01",
    b'"\\q"',
    b'"\x01"',
]
TAKEABLE = [
    b"9" * 4300,
    b"-" + b"9" * 4299,
    b"0." + b"9" * 4400,
    b"9" * 4400 + b".5",
    b"1e" + b"9" * 17,
    b"1e" + b"0" * 30 + b"1",
    b'"e' + b"9" * 30 + b'"',
    b'"\\"e' + b"9" * 30 + b'"',
    b'{"e' + b"9" * 30 + b'":"' + b"9" * 5000 + b'"}',
    b'"\xc3\xa9"',
    b"[" * 190 + b"]" * 190,
]


def with_value(values: dict[str, Any], value: bytes) -> bytes:
    """Put a value where the record has its columns, or the event its own."""
    return json.dumps(json.loads(json.dumps(values)) | {"data": {"k": "@"}}).encode().replace(b'"@"', value)


@pytest.mark.parametrize("value", UNTAKEABLE + TAKEABLE)
def test_what_is_only_passed_over_is_refused_where_it_could_not_be_decoded_later(value: bytes) -> None:
    guided = with_value(GUIDE, value)
    native = b'{"type":"INSERT","table":"users","schema":"public","record":{"id":7,"k":' + value + b"}}"
    automation = json.dumps(AUTOMATION).encode().replace(b'"object"', b'"k":' + value + b',"object"')
    for source, body in ((SUPABASE, guided), (SUPABASE, native), (NOTION, automation)):
        for sent in (body, large(body)):
            assert isinstance(understood(source, sent), tuple) is (value in TAKEABLE)
        assert understood(source, large(body)) == understood(source, body)


@pytest.mark.parametrize("value", UNTAKEABLE[:8])
def test_a_member_that_nobody_reads_does_not_make_the_guides_body_untakeable(value: bytes) -> None:
    body = json.dumps(GUIDE | {"mine": "@"}).encode().replace(b'"@"', value)
    assert isinstance(understood(SUPABASE, body), tuple)
    assert isinstance(understood(SUPABASE, large(body)), tuple)


@pytest.mark.parametrize(
    "whole", [b"[1]", b'"text"', b"7", b"null", b"true", b" [] ", b"[1,]", b"[" * 201 + b"]" * 201]
)
def test_a_large_body_that_is_no_object_is_named_as_a_small_one(whole: bytes) -> None:
    for source in (SUPABASE, NOTION):
        assert understood(source, large(whole)) == understood(source, whole)


def test_of_a_member_that_is_there_twice_the_last_one_counts() -> None:
    body = json.dumps(NATIVE).encode()[:-1] + b',"table":"accounts","old_record":{"id":5,"id":7}}'
    assert understood(SUPABASE, large(body)) == understood(SUPABASE, body)


MANY: dict[str, Callable[[int], bytes]] = {
    "numbers": lambda size: b"[" + b"0," * (size // 2) + b"0]",
    "lists": lambda size: b"[" + b"[]," * (size // 3) + b"[]]",
    "objects": lambda size: b"[" + b'{"a":[1]},' * (size // 10) + b"1]",
    "deep lists": lambda size: b"[" + (b"[" * 150 + b"]" * 150 + b",") * (size // 301) + b"1]",
    "members": lambda size: b"{" + b",".join(b'"%x":1' % one for one in range(size // 9)) + b"}",
}


BUILT = 5.0
"""As much memory as no way takes that only looks at the bytes; lists and objects take ten times as much and more."""


def peak_of(source: Source, body: bytes) -> float:
    """Give how much memory it takes to receive a body, by its own size."""
    understood(source, body[:1])  # what is made once
    tracemalloc.start()
    try:
        with suppress(Refusal):
            receive(source, {}, body, 0.0)
        return tracemalloc.get_traced_memory()[1] / len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("many", MANY.values(), ids=MANY)
@pytest.mark.parametrize(("source", "values"), FORMATS, ids=NAMES)
def test_nothing_is_built_of_what_a_large_body_has_besides(
    source: Source, values: dict[str, Any], many: Callable[[int], bytes]
) -> None:
    place = next(name for name in ("data", "record") if name in values)
    body = json.dumps(values | {place: values[place] | {"k": "@"}}).encode().replace(b'"@"', many(300_000))
    assert isinstance(understood(source, body), tuple)
    assert peak_of(source, body) < BUILT


@pytest.mark.parametrize("many", MANY.values(), ids=MANY)
@pytest.mark.parametrize(("source", "values"), [one for one in FORMATS if one[1] is not ODD])
def test_nothing_is_built_of_a_large_member_that_is_wrong(
    source: Source, values: dict[str, Any], many: Callable[[int], bytes]
) -> None:
    for name in values:
        assert peak_of(source, json.dumps(values | {name: "@"}).encode().replace(b'"@"', many(300_000))) < BUILT
    assert peak_of(source, many(300_000)) < BUILT
