"""The guide's envelope: what is accepted, what names an event, and a 422 that lists everything."""

import json
import time
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge.errors import InvalidFields, InvalidJson, InvalidSource, Refusal
from hookbridge.model import SourceName
from hookbridge.sources import guide
from hookbridge.sources.bodies import decode_object, named, named_by_header
from hookbridge.sources.invalid_fields import BodyFields, shown

ENVELOPE: dict[str, Any] = {
    "event_type": "insert",
    "source": "supabase",
    "table_name": "users",
    "record_id": "123e4567-e89b-12d3-a456-426614174000",
    "data": {"id": "123e4567-e89b-12d3-a456-426614174000", "name": "John Doe"},
    "timestamp": "2026-01-01T15:00:00Z",
    "metadata": {"schema": "public"},
}
MICROS_2026_01_01_15 = 1_767_279_600_000_000


def body(without: tuple[str, ...] = (), /, **changes: object) -> bytes:
    values = {name: value for name, value in (ENVELOPE | changes).items() if name not in without}
    return json.dumps(values).encode()


def decode(raw: bytes, source: SourceName = "supabase") -> guide.Hint:
    return guide.decode(raw, source)


def problems(raw: bytes) -> list[tuple[list[str | int], str, str]]:
    """What is wrong, as the answer shows it."""
    with pytest.raises(InvalidFields) as error:
        decode(raw)
    return [(list(one.loc), one.msg, one.type) for one in error.value.problems]


def test_the_guides_own_body_is_understood() -> None:
    hint = decode(body())
    assert (hint.type, hint.table, hint.record_id) == ("insert", "users", ENVELOPE["record_id"])
    assert (hint.schema, hint.timestamp) == ("public", "2026-01-01T15:00:00Z")


def test_notions_body_is_understood_by_notions_endpoint() -> None:
    assert decode(body(source="notion"), "notion").record_id == ENVELOPE["record_id"]


@pytest.mark.parametrize("type_", ["insert", "INSERT", "Update", "dElEtE"])
def test_an_event_type_may_have_any_case(type_: str) -> None:
    assert decode(body(event_type=type_)).type == type_.lower()


@pytest.mark.parametrize("id_", [0, 42, -7, 2**53 + 1, 12345678901234567890123])
def test_a_numeric_id_keeps_its_digits(id_: int) -> None:
    assert decode(body(record_id=id_)).record_id == str(id_)


@pytest.mark.parametrize("without", [("timestamp",), ("metadata",), ("data",), ("timestamp", "metadata", "data")])
def test_optional_fields_may_be_missing_or_null(without: tuple[str, ...]) -> None:
    assert decode(body(without)).table == "users"
    assert decode(body(**dict.fromkeys(without))).table == "users"


def test_unknown_fields_are_the_senders_own_business() -> None:
    assert decode(body(version=2, metadata={"schema": None, "trace": [1]})).schema is None


# What names an event


def test_a_timestamp_makes_the_body_name_itself() -> None:
    raw = body()
    expected = MICROS_2026_01_01_15.to_bytes(8, "big") + blake2b(raw, digest_size=16).digest()
    assert decode(raw).identity == expected


def test_later_events_have_larger_identities_so_that_the_index_grows_at_its_end() -> None:
    times = ["1969-12-31T23:59:59Z", "2026-01-01", "2026-01-01T15:00:00.000001+00:00", "2026-01-01T15:00:01Z"]
    found = [decode(body(timestamp=time)).identity or b"" for time in times]
    assert found == sorted(found)


def test_the_same_instant_is_the_same_prefix_in_every_zone() -> None:
    utc, berlin, bare = (
        decode(body(timestamp=time)).identity or b""
        for time in ("2026-01-01T15:00:00Z", "2026-01-01T16:00:00+01:00", "2026-01-01T15:00:00")
    )
    assert utc[:8] == berlin[:8] == bare[:8]
    assert len({utc, berlin, bare}) == 3


def test_a_time_without_a_zone_is_utc_wherever_this_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert (decode(body(timestamp="2026-01-01T15:00:00")).identity or b"")[:8] == MICROS_2026_01_01_15.to_bytes(8)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_the_ends_of_time_have_an_identity_too(timestamp: str) -> None:
    assert len(decode(body(timestamp=timestamp)).identity or b"") == 24


def test_without_a_timestamp_two_equal_bodies_may_be_two_events() -> None:
    assert decode(body(("timestamp",))).identity is None


def test_a_header_names_the_event_webhook_id_first() -> None:
    both = {"webhook-id": "a", "Idempotency-Key": "b"}
    assert named_by_header("supabase", both) == named("supabase", "webhook-id", "a")
    assert named_by_header("supabase", {"Idempotency-Key": "b"}) == named("supabase", "Idempotency-Key", "b")
    assert named_by_header("supabase", {}) is None


def test_the_same_name_of_another_source_or_kind_is_another_event() -> None:
    assert len({named(source, kind, "a") for source in ("supabase", "notion") for kind in ("webhook-id", "event")}) == 4


def test_names_that_are_not_utf_8_are_names_too() -> None:
    assert len({named_by_header("supabase", {"webhook-id": name}) for name in ("\udcff", "\udcfe", "\ud800", "?")}) == 4


@pytest.mark.parametrize("header", ["webhook-id", "Idempotency-Key"])
@pytest.mark.parametrize("value", ["", "x" * 257])
def test_a_name_that_is_empty_or_too_long_is_refused(header: str, value: str) -> None:
    with pytest.raises(InvalidFields) as error:
        named_by_header("supabase", {header: value})
    assert [one.loc for one in error.value.problems] == [("header", header)]


# What is refused


def test_a_missing_field_is_reported_in_the_guides_words() -> None:
    assert problems(body(("record_id",))) == [(["body", "record_id"], "field required", "value_error.missing")]


def test_every_wrong_field_is_listed() -> None:
    wrong = {
        "event_type": "upsert",
        "table_name": "a:b",
        "record_id": True,
        "data": [1],
        "timestamp": 5,
        "metadata": {"schema": 7},
    }
    assert problems(body(**wrong)) == [
        (["body", "event_type"], 'expected insert, update or delete, got "upsert"', "value_error.enum"),
        (
            ["body", "table_name"],
            "expected 1 to 255 characters without a colon or control characters",
            "value_error",
        ),
        (["body", "record_id"], "expected a string or an integer, got a boolean", "type_error.str"),
        (["body", "data"], "expected an object, got an array", "type_error.dict"),
        (["body", "timestamp"], "expected a string, got a number", "type_error.str"),
        (["body", "metadata", "schema"], "expected a string, got a number", "type_error.str"),
    ]


def test_an_empty_object_lacks_the_four_required_fields() -> None:
    assert [loc[-1] for loc, _, _ in problems(b"{}")] == ["event_type", "source", "table_name", "record_id"]


def test_a_null_id_says_what_the_trigger_does_wrong() -> None:
    [(loc, msg, _)] = problems(body(event_type="DELETE", record_id=None, data=None))
    assert loc == ["body", "record_id"]
    assert "OLD.id" in msg


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_type", "truncate"),
        ("event_type", None),
        ("event_type", 1),
        ("source", None),
        ("source", {"type": "automation"}),
        ("table_name", ""),
        ("table_name", "x" * 256),
        ("table_name", "public:users"),
        ("table_name", "us\ners"),
        ("table_name", "us\x85ers"),
        ("record_id", "x" * 8193),
        ("record_id", "a\x00b"),
        ("record_id", 1.5),
        ("record_id", 42.0),
        ("record_id", ["a"]),
        ("data", "text"),
        ("data", False),
        ("timestamp", "yesterday"),
        ("timestamp", ""),
        ("timestamp", "infinity"),
        ("timestamp", "2026-13-01T00:00:00Z"),
        ("metadata", "public"),
        ("metadata", {"schema": ""}),
        ("metadata", {"schema": "a:b"}),
        ("metadata", {"schema": "a.b"}),
        ("metadata", {"schema": ["public"]}),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    assert [loc[1] for loc, _, _ in problems(body(**{field: value}))] == [field]


@pytest.mark.parametrize("id_", ["x" * 1024, "sp ace", "no\u00a0break", "Zoë", "😀", "a:b", 10**1023])
def test_an_unusual_id_is_accepted(id_: str | int) -> None:
    assert decode(body(record_id=id_)).record_id == str(id_)


@pytest.mark.parametrize("table", ["x" * 255, "line\u2028s", "no\u00a0break", "Üsers"])
def test_an_unusual_table_is_accepted(table: str) -> None:
    assert decode(body(table_name=table)).table == table


def test_long_values_are_not_echoed() -> None:
    for field in ("event_type", "timestamp"):
        [(_, msg, _)] = problems(body(**{field: "x" * 10_000}))
        assert len(msg) < 150
    assert shown("x" * 41) == '"' + "x" * 40 + '…"'


@pytest.mark.parametrize("field", ["record_id", "event_type", "timestamp"])
def test_a_field_that_appears_twice_is_refused_when_one_of_them_is_wrong(field: str) -> None:
    raw = f'{{"{field}": [], '.encode() + body()[1:]
    assert problems(raw) == [(["body"], "expected every field once", "value_error")]


def test_another_source_is_refused_with_what_was_expected_and_received() -> None:
    with pytest.raises(InvalidSource) as error:
        decode(body(source="notion"))
    assert (error.value.expected, error.value.received) == ("supabase", "notion")
    assert error.value.message == "Invalid source type for Supabase webhook"


def test_another_source_is_said_first_and_not_at_full_length() -> None:
    with pytest.raises(InvalidSource) as error:
        decode(body(source="x" * 10_000, record_id=None))
    assert len(error.value.received) == 64


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"1", b"1.5", b"null", b"true"])
def test_json_that_is_no_object_is_wrong_as_a_whole(raw: bytes) -> None:
    [(loc, msg, type_)] = problems(raw)
    assert (loc, type_) == (["body"], "type_error.dict")
    assert msg.startswith("expected an object, got ")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b'{"a" 1}', "byte 5"),
        (b"{}x", "trailing characters"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"record_id": NaN}', "byte 14"),
        (b'{"record_id": Infinity}', "byte 14"),
        (b"event_type=insert", "byte 0"),
        (b'{"data": {"name": "\xff"}}', "not UTF-8 (byte 19)"),
        (b'{"table_name": "\xc3"}', "not UTF-8 (byte 16)"),
        (b'{"data": {"name": "\\ud800"}}', "truncated"),
        (b'{"data": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"data": {"n": 1e99999999999999999999}}', "a number is too large"),
        (b'{"data": {"n": ' + b"1" * 5000 + b"}}", "out of range"),
    ],
)
def test_what_is_not_json_is_refused_with_the_place(raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidJson) as error:
        decode(raw)
    assert reason in error.value.message


def test_the_columns_keep_every_digit() -> None:
    raw = body(data=None).replace(b"null", b'{"n": 12345678901234567890123.4500, "z": 1.10}')
    assert {name: str(value) for name, value in (guide.data(raw) or {}).items()} == {
        "n": "12345678901234567890123.4500",
        "z": "1.10",
    }


def test_a_body_without_data_claims_no_columns() -> None:
    assert guide.data(body(data=None)) is None


plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10)
)
nested = st.lists(plain, max_size=3) | st.dictionaries(st.text(max_size=5), plain, max_size=3)
anything = plain | nested | st.lists(nested, max_size=2)


@given(changes=st.dictionaries(st.sampled_from(sorted(ENVELOPE)), anything))
def test_every_object_is_a_hint_or_one_of_our_refusals(changes: dict[str, object]) -> None:
    raw = body(**changes)
    try:
        hint = decode(raw)
    except InvalidFields as error:
        named_fields = {one.loc[1] for one in error.problems}
    except InvalidSource:
        named_fields = {"source"}
    else:
        named_fields = set()
        assert hint.type in guide.TYPES
        assert guide.data(raw) == decode_object(raw)["data"]
    assert named_fields <= changes.keys()


@given(raw=st.binary(max_size=200) | st.from_regex(rb'\{"(record_id|data)": .{0,20}\}'))
def test_no_bytes_lead_to_anything_but_a_refusal(raw: bytes) -> None:
    with pytest.raises(Refusal):
        decode(raw)


def test_fields_are_looked_at_one_by_one() -> None:
    fields = BodyFields({"a": "x", "b": None}, at=("body", "inner"))
    assert fields.text("a") == "x"
    assert fields.text("b", required=False) is None
    assert fields.object("c") is None
    fields.raise_if_wrong()
    fields.text("b")
    fields.object("c", required=True)
    with pytest.raises(InvalidFields) as error:
        fields.raise_if_wrong()
    assert [one.loc for one in error.value.problems] == [("body", "inner", "b"), ("body", "inner", "c")]
