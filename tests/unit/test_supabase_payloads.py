"""What arrives from Supabase: the bytes that pg_net really sent, the guide's format, keys and refusals."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge.api.webhooks import AckDetails
from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig, SupabaseTable
from hookbridge.errors import InvalidFields, InvalidJson, InvalidParameter, InvalidSource, Refusal
from hookbridge.model import Event, RecordKey
from hookbridge.sources.source import Delivery, unordered
from hookbridge.sources.supabase import SupabaseSource, payloads

FIXTURES = Path(__file__).parents[1] / "fixtures" / "supabase"
CONFIG = SupabaseConfig()
LINES = SupabaseConfig(tables=(SupabaseTable(name="lines", key=("order_id", "no")),))
LISTED_ONLY = SupabaseConfig(
    unlisted_tables="ignore", tables=(SupabaseTable(name="users"), SupabaseTable(name="log", schema="audit"))
)

GUIDE: dict[str, Any] = {
    "event_type": "insert",
    "source": "supabase",
    "table_name": "users",
    "record_id": "test-123",
    "data": {"name": "Test User"},
    "timestamp": "2026-01-01T15:00:00Z",
}
NATIVE: dict[str, Any] = {
    "type": "UPDATE",
    "table": "users",
    "record": {"id": 1, "name": "b"},
    "schema": "public",
    "old_record": {"id": 1, "name": "a"},
}


def captured(name: str) -> bytes:
    return base64.b64decode(json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))["body_base64"])


def decode(
    values: Mapping[str, object], config: SupabaseConfig = CONFIG, headers: Mapping[str, str] | None = None
) -> Delivery:
    return payloads.decode(headers or {}, json.dumps(values).encode(), config)


def only(delivery: Delivery) -> Event:
    [event] = delivery.events
    return event


def problems(values: Mapping[str, object], config: SupabaseConfig = CONFIG) -> list[tuple[list[str | int], str]]:
    with pytest.raises(InvalidFields) as error:
        decode(values, config)
    return [(list(one.loc), one.type) for one in error.value.problems]


# The native payload


@pytest.mark.parametrize(
    ("name", "type_", "record"),
    [
        ("native_insert", "insert", "supabase:public.orders:1"),
        ("native_update_1", "update", "supabase:public.orders:1"),
        ("native_update_2", "update", "supabase:public.orders:1"),
        ("native_delete", "delete", "supabase:public.orders:1"),
        ("native_upsert_update", "update", "supabase:public.f:2"),
        ("native_types_extra_float_digits_0", "insert", "supabase:public.f:1"),
        ("signed_insert", "insert", "supabase:public.items:1"),
        ("signed_update_nan_null", "update", "supabase:public.items:1"),
        ("signed_tz_berlin", "insert", "supabase:public.items:1"),
    ],
)
def test_a_captured_webhook_is_one_event_with_its_bytes_as_they_came(name: str, type_: str, record: str) -> None:
    body = captured(name)
    event = only(payloads.decode({}, body, CONFIG))
    assert (event.type, str(event.record), event.format) == (type_, record, "database_webhook")
    assert event.body == body
    assert (event.identity, event.occurred_at, event.ignored) == (None, None, None)


def test_every_capture_is_decoded_and_has_columns() -> None:
    names = [path.stem for path in [*FIXTURES.glob("native_*.json"), *FIXTURES.glob("signed_*.json")]]
    assert len(names) == 10
    for name in names:
        for event in payloads.decode({}, captured(name), CONFIG).events:
            assert event.record.id == str((payloads.columns_of(event) or {})["id"])


def test_a_changed_key_is_a_deletion_and_an_insertion() -> None:
    gone, new = payloads.decode({}, captured("native_pk_change"), CONFIG).events
    assert (gone.type, str(gone.record)) == ("delete", "supabase:public.f:1")
    assert (new.type, str(new.record)) == ("insert", "supabase:public.f:2")
    assert (payloads.columns_of(gone) or {})["id"] == 1
    assert (payloads.columns_of(new) or {})["id"] == 2


def test_the_ack_of_a_changed_key_speaks_of_the_update_and_the_new_record() -> None:
    details = payloads.decode({}, captured("native_pk_change"), CONFIG).details
    assert details == AckDetails(event_type="update", source="supabase", record_id="2", table_name="f", timestamp=None)


def test_the_two_events_of_a_changed_key_have_names_of_their_own() -> None:
    delivery = payloads.decode({"webhook-id": "msg_1"}, captured("native_pk_change"), CONFIG)
    again = payloads.decode({"webhook-id": "msg_1"}, captured("native_pk_change"), CONFIG)
    assert len({event.identity for event in delivery.events} - {None}) == 2
    assert delivery == again


def test_a_native_payload_has_the_name_that_a_header_gives_it() -> None:
    first, same, other = (only(decode(NATIVE, headers={"Idempotency-Key": key})).identity for key in "aab")
    assert first == same != other
    assert first is not None
    assert other is not None


def test_no_digit_of_a_number_is_lost() -> None:
    columns = payloads.columns_of(only(payloads.decode({}, captured("native_insert"), CONFIG))) or {}
    assert str(columns["big"]) == "12345678901234567890123.4500"
    assert str(columns["amount"]) == "12.50"
    assert columns["raw"] == "\\xdeadbeef"


def test_a_deletion_claims_the_columns_that_were() -> None:
    columns = payloads.columns_of(only(payloads.decode({}, captured("native_delete"), CONFIG))) or {}
    assert columns["status"] == "paid"


def test_an_event_without_a_body_claims_nothing() -> None:
    event = Event(record=RecordKey("supabase", "public.users", "1"), type="update", format="database_webhook")
    assert payloads.columns_of(event) is None


def test_a_row_that_was_too_large_to_send_names_its_record_and_claims_nothing() -> None:
    event = only(decode({**NATIVE, "record": {"id": 1}, "old_record": {"id": 1}, "truncated": True}))
    assert event.record.id == "1"
    assert payloads.columns_of(event) is None


def test_a_composite_key_is_one_id_in_the_configured_order() -> None:
    row = {"no": 2, "order_id": "a,b", "text": "x"}
    values = {**NATIVE, "table": "lines", "record": row, "old_record": row}
    assert only(decode(values, LINES)).record.id == "a%2Cb,2"


def test_a_change_of_one_part_of_a_composite_key_is_another_record() -> None:
    values = {**NATIVE, "table": "lines", "record": {"order_id": 1, "no": 3}, "old_record": {"order_id": 1, "no": 2}}
    assert [(event.type, event.record.id) for event in decode(values, LINES).events] == [
        ("delete", "1,2"),
        ("insert", "1,3"),
    ]


def test_an_update_without_its_old_row_is_an_update() -> None:
    assert only(decode({**NATIVE, "old_record": None})).type == "update"


@pytest.mark.parametrize("type_", ["TRUNCATE", "page.created", ""])
def test_an_unknown_type_is_refused(type_: str) -> None:
    assert problems({**NATIVE, "type": type_}) == [(["body", "type"], "value_error.enum")]


def test_every_wrong_field_of_a_native_payload_is_listed() -> None:
    assert problems({"type": "INSERT", "table": "a:b", "schema": "x.y", "record": None, "old_record": 1}) == [
        (["body", "table"], "value_error"),
        (["body", "schema"], "value_error"),
        (["body", "record"], "type_error.none.not_allowed"),
        (["body", "old_record"], "type_error.dict"),
    ]


def test_a_deletion_needs_the_old_row() -> None:
    assert problems({**NATIVE, "type": "DELETE", "record": None, "old_record": None}) == [
        (["body", "old_record"], "type_error.none.not_allowed")
    ]


def test_a_row_without_its_key_column_hints_at_the_configuration() -> None:
    with pytest.raises(InvalidFields) as error:
        decode({**NATIVE, "record": {"uuid": 1}, "old_record": {"id": None}})
    missing, null = sorted(error.value.problems, key=lambda one: one.loc, reverse=True)
    assert (missing.loc, missing.type) == (("body", "record", "id"), "value_error.missing")
    assert (null.loc, null.type) == (("body", "old_record", "id"), "type_error")
    assert "[[supabase.tables]] key" in missing.msg
    assert "[[supabase.tables]] key" in null.msg


def test_every_missing_column_of_a_composite_key_is_listed() -> None:
    values = {**NATIVE, "table": "lines", "record": {}, "old_record": None}
    assert [loc for loc, _ in problems(values, LINES)] == [["body", "record", "order_id"], ["body", "record", "no"]]


@pytest.mark.parametrize("value", ["a\0b", "x" * 8193])
def test_a_key_that_can_be_no_id_is_refused(value: str) -> None:
    assert problems({**NATIVE, "record": {"id": value}, "old_record": None}) == [
        (["body", "record", "id"], "value_error")
    ]


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_key_that_is_no_scalar_is_refused(value: object) -> None:
    assert problems({**NATIVE, "record": {"id": value}, "old_record": None}) == [
        (["body", "record", "id"], "type_error")
    ]


# The guide's format


def test_the_guides_event_names_the_record_in_the_default_schema() -> None:
    delivery = decode(GUIDE)
    event = only(delivery)
    assert (str(event.record), event.type, event.format) == ("supabase:public.users:test-123", "insert", "guide")
    assert (event.occurred_at, payloads.columns_of(event)) == ("2026-01-01T15:00:00Z", {"name": "Test User"})
    assert event.identity is not None
    assert delivery.details == AckDetails(
        event_type="insert",
        source="supabase",
        record_id="test-123",
        table_name="users",
        timestamp="2026-01-01T15:00:00Z",
    )


@pytest.mark.parametrize(
    ("table", "metadata", "full_name"),
    [
        ("users", {"schema": "audit"}, "audit.users"),
        ("audit.users", None, "audit.users"),
        ("a.b", {"schema": "public"}, "public.a.b"),
    ],
)
def test_the_schema_comes_from_metadata_or_from_the_name(table: str, metadata: object, full_name: str) -> None:
    delivery = decode({**GUIDE, "table_name": table, "metadata": metadata})
    assert only(delivery).record.table == full_name
    assert delivery.details.table_name == table


def test_the_guides_own_trigger_is_understood() -> None:
    """It sends TG_OP as it is, a number for a bigint key, and NOW() with its zone."""
    values = {**GUIDE, "event_type": "UPDATE", "record_id": 42, "timestamp": "2026-01-01T15:00:00.123456+00:00"}
    delivery = decode(values)
    assert (only(delivery).type, only(delivery).record.id) == ("update", "42")
    assert (delivery.details.event_type, delivery.details.record_id) == ("update", "42")


def test_a_header_names_the_event_before_its_body_does() -> None:
    named, again = (only(decode({**GUIDE, "data": data}, headers={"webhook-id": "a"})) for data in ({}, {"a": 1}))
    assert named.identity == again.identity != only(decode(GUIDE)).identity


def test_an_upper_case_uuid_keeps_its_case_for_in_a_text_column_it_is_another_key() -> None:
    uuid = "123E4567-E89B-12D3-A456-426614174ABC"
    delivery = decode({**GUIDE, "record_id": uuid})
    assert only(delivery).record.id == delivery.details.record_id == uuid


def test_a_composite_id_in_the_guides_format_is_taken_in_its_normal_form() -> None:
    assert only(decode({**GUIDE, "table_name": "lines", "record_id": "a b,2"}, LINES)).record.id == "a%20b,2"


def test_a_composite_id_with_a_part_missing_is_refused() -> None:
    assert problems({**GUIDE, "table_name": "lines", "record_id": "1"}, LINES) == [
        (["body", "record_id"], "value_error")
    ]


def test_a_row_that_looks_native_inside_is_still_the_guides() -> None:
    values = {**GUIDE, "data": {"type": "INSERT", "old_record": None, "event_type": "x"}}
    assert only(decode(values)).format == "guide"


@pytest.mark.parametrize("values", [{}, {"source": "supabase"}, {"data": {}}, {"record_id": 1, "type": "INSERT"}])
def test_a_body_that_is_neither_is_told_what_the_guide_expects(values: dict[str, object]) -> None:
    assert ["body", "event_type"] in [loc for loc, _ in problems(values)]


def test_notions_payload_is_for_the_other_endpoint() -> None:
    with pytest.raises(InvalidSource):
        decode({**GUIDE, "source": "notion"})
    with pytest.raises(InvalidSource):
        decode({"source": "notion"})


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidJson):
        payloads.decode({}, b'{"type": "INSERT", "old_record": ', CONFIG)


# Filters and names


@pytest.mark.parametrize("values", [{**GUIDE, "table_name": "other"}, {**NATIVE, "table": "other"}])
def test_a_table_that_is_not_listed_is_ignored_with_the_reason_where_that_is_configured(
    values: dict[str, object],
) -> None:
    assert only(decode(values)).ignored is None
    assert only(decode(values, LISTED_ONLY)).ignored == "the table public.other is not listed in [[supabase.tables]]"


@pytest.mark.parametrize(
    "values",
    [GUIDE, NATIVE, {**GUIDE, "table_name": "audit.log"}, {**NATIVE, "schema": "audit", "table": "log"}],
)
def test_a_listed_table_is_not_ignored(values: dict[str, object]) -> None:
    assert only(decode(values, LISTED_ONLY)).ignored is None


def test_a_listed_table_counts_in_its_schema_only() -> None:
    assert only(decode({**GUIDE, "metadata": {"schema": "audit"}}, LISTED_ONLY)).ignored is not None


def test_an_unlisted_table_has_the_defaults() -> None:
    assert payloads.table_config(LINES, "audit.log") == SupabaseTable(schema="audit", name="log")
    assert payloads.table_config(LINES, "public.lines").key == ("order_id", "no")


# Anything at all

plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10)
)
nested = st.lists(plain, max_size=3) | st.dictionaries(st.sampled_from(["id", "no", "a"]), plain, max_size=3)
anything = plain | nested | st.lists(nested, max_size=2)


@given(
    base=st.sampled_from([GUIDE, NATIVE, {}]),
    changes=st.dictionaries(st.sampled_from(sorted({*GUIDE, *NATIVE})), anything, max_size=4),
    headers=st.dictionaries(st.sampled_from(["webhook-id", "Idempotency-Key"]), st.text(st.characters(), max_size=5)),
)
def test_every_object_is_a_delivery_or_one_of_our_refusals(
    base: dict[str, Any], changes: dict[str, object], headers: dict[str, str]
) -> None:
    for config in (CONFIG, LINES):
        try:
            delivery = decode(base | changes, config, headers)
        except Refusal:
            continue
        for event in delivery.events:
            assert RecordKey.parse(str(event.record)) == event.record
            assert isinstance(payloads.columns_of(event), dict | None)


@given(body=st.binary(max_size=100) | st.from_regex(rb'\{"type": ".{0,9}", "(record|table)": .{0,20}\}'))
def test_no_bytes_lead_to_anything_but_a_refusal(body: bytes) -> None:
    with pytest.raises(Refusal):
        payloads.decode({}, body, CONFIG)


PARTITIONED = SupabaseConfig(
    tables=(
        SupabaseTable(name="orders", key=("id", "day"), partitions=("orders_2*", "parts.orders_old")),
        SupabaseTable(name="orders_2_listed"),
        SupabaseTable(schema="shop", name="items", partitions=("items_*",)),
    )
)


@pytest.mark.parametrize(
    ("schema", "name", "table"),
    [
        ("public", "orders_2026_01", "public.orders"),
        ("parts", "orders_old", "public.orders"),
        ("public", "orders", "public.orders"),
        ("shop", "items_default", "shop.items"),
        ("public", "orders_2_listed", "public.orders_2_listed"),  # what is listed is its own
        ("public", "items_default", "public.items_default"),
        ("public", "orders_old", "public.orders_old"),
        ("public", "Orders_2026", "public.Orders_2026"),
        ("public", "my_orders_2026", "public.my_orders_2026"),
    ],
)
def test_a_partition_is_known_by_the_table_that_it_is_of(schema: str, name: str, table: str) -> None:
    row = {"id": 7, "day": "2026-01-31"}
    values = {**NATIVE, "schema": schema, "table": name, "record": row, "old_record": None, "type": "INSERT"}
    [told] = decode(values, PARTITIONED).events
    assert told.record.table == table
    assert told.record.id == ("7,2026-01-31" if table == "public.orders" else "7")
    guided = {"event_type": "insert", "source": "supabase", "table_name": name, "record_id": told.record.id}
    [hint] = decode({**guided, "data": row, "metadata": {"schema": schema}}, PARTITIONED).events
    assert hint.record == told.record


@pytest.mark.parametrize("format_", ["native", "guide", "path"])
def test_what_is_percent_encoded_is_measured_as_it_is_kept(format_: str) -> None:
    long = "é" * 1_400  # 8,400 characters when they are encoded
    guided = {"event_type": "insert", "source": "supabase", "table_name": "orders", "record_id": f"{long},d"}
    if format_ == "path":
        source = SupabaseSource(PARTITIONED, SignaturesConfig(), Secrets(), unordered)
        with pytest.raises(InvalidParameter, match="at most 8192 characters"):
            source.key("orders", f"{long},d")
        return
    row = {"id": long, "day": "d"}
    native = {**NATIVE, "table": "orders", "record": row, "old_record": None, "type": "INSERT"}
    [(loc, kind)] = problems(native if format_ == "native" else guided, PARTITIONED)
    assert (loc[-1], kind) == ("id" if format_ == "native" else "record_id", "value_error")
