"""What a row means: its name, its content whatever the spelling, its words."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge.config import SupabaseTable
from hookbridge.errors import RecordImpossible
from hookbridge.model import Columns, RecordKey, Truth
from hookbridge.sources import ids
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.supabase import agreement, rows, titles, words
from hookbridge.text import WORDS_MAX, Fields

USERS = SupabaseTable(name="users", changed_at="updated_at")
UPPER = "6D5C4B3A-2918-4706-95E4-D3C2B1A09F8E"


def columns(text: str) -> Columns:
    return decode_columns(text.encode())


def same(one: str, other: str) -> bool:
    """Whether two values are one content."""
    first, second = (rows.fingerprint(columns(f'{{"value": {value}}}')) for value in (one, other))
    return first == second


# The fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1.50", "1.5"),
        ("100", "1e2"),
        ("12345678901234567890123.4500", "12345678901234567890123.45"),
        ('"2026-11-23T10:00:00+00:00"', '"2026-11-23T11:00:00+01:00"'),
        ('"2026-11-23T10:00:00Z"', '"2026-11-23 10:00:00+00"'),
        ('{"a": 1, "b": [2.0]}', '{"b": [2], "a": 1}'),
    ],
)
def test_a_value_is_one_content_however_it_is_spelt(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("9007199254740992", "9007199254740993"),
        ("18446744073709551616", "18446744073709551617"),
        ("0.1", "0.1000000000000000055"),
        ("1e-400", "2e-400"),
        ("12345678901234567890123.45", "12345678901234567890123.46"),
        ("true", "false"),
        ("null", "0"),
        ('""', "null"),
        ('"NaN"', '"Infinity"'),
        ("[1, 2]", "[2, 1]"),
        ('"2026-11-23T10:00:00Z"', '"2026-11-23T10:00:00.000001Z"'),
        ('"one"', '"One"'),
        ('"20260101112"', '"20260101912"'),
        ('"2026-01-01x12:00"', '"2026-01-01T12:00"'),
        ('"2026-01-01T12:00:00.1234561Z"', '"2026-01-01T12:00:00.1234569Z"'),
        ('"2026-W01-1"', '"2025-12-29"'),
        ('"2026-01-01"', '"2026-01-01T00:00:00Z"'),
        ('"2026-01-01T00:00:00"', '"2026-01-01T00:00:00Z"'),
        ('"٢026-01-01T00:00:00Z"', '"2026-01-01T00:00:00Z"'),
        ('{"a": 1}', '{"a": "1"}'),
        ("1.50", '"1.5"'),
    ],
)
def test_different_values_are_different_contents(one: str, other: str) -> None:
    assert not same(one, other)


def test_a_numeric_of_the_largest_size_is_not_rounded() -> None:
    digits = "9" * 131_072 + "." + "9" * 16_383
    assert not same(digits, digits[:-1] + "8")
    assert same(digits, digits + "0")
    assert not same("9" * 300_000 + ".1", "9" * 300_000 + ".2")  # a json column has no largest size


def test_the_fingerprint_of_a_row_with_nan_is_the_same_each_time() -> None:
    text = '{"id": 1, "ratio": "NaN", "big": "-Infinity"}'
    assert rows.fingerprint(columns(text)) == rows.fingerprint(columns(text))


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans() | st.none()))
def test_the_order_of_columns_is_no_content(values: dict[str, object]) -> None:
    turned = dict(reversed(values.items()))
    assert rows.fingerprint(values) == rows.fingerprint(turned)


# Names


@pytest.mark.parametrize(
    ("key", "row", "id_"),
    [
        (("id",), '{"id": 9007199254740993}', "9007199254740993"),
        (("id",), '{"id": 18446744073709551617}', "18446744073709551617"),
        (("id",), '{"id": 0.0000001}', "0.0000001"),
        (("id",), '{"id": "a,b\\"c)"}', 'a,b"c)'),
        (("id",), '{"id": true}', "true"),
        (("order_id", "no"), '{"no": 2, "order_id": 1}', "1,2"),
        (("a", "b"), '{"a": "x,y", "b": "%2C"}', "x%2Cy,%252C"),
    ],
)
def test_a_row_is_named_by_its_key_columns_in_the_configured_order(key: tuple[str, ...], row: str, id_: str) -> None:
    found = rows.truth("public.t", row.encode(), SupabaseTable(name="t", key=key), 1)
    assert found.record.id == id_
    assert found.data == row.encode()


@given(st.lists(st.text(min_size=1), min_size=2, max_size=4))
def test_the_values_of_a_composite_key_come_back_as_they_were(values: list[str]) -> None:
    assert ids.values(ids.record_id(values), len(values)) == [ids.text(value) for value in values]


def test_the_time_of_change_is_the_columns_text() -> None:
    row = columns('{"id": 1, "updated_at": "2026-11-23T10:00:00.123456+00:00"}')
    assert rows.changed_at(row, USERS) == "2026-11-23T10:00:00.123456+00:00"
    assert rows.changed_at({"id": 1, "updated_at": None}, USERS) is None
    assert rows.changed_at(row, SupabaseTable(name="users")) is None


# Agreement


@pytest.mark.parametrize(
    ("truth", "claimed", "agree"),
    [
        ('{"id": 1, "name": "Ada"}', '{"name": "Ada"}', True),
        ('{"id": 1}', '{"id": 1, "name": null}', False),
        (f'{{"u": "{UPPER.lower()}"}}', f'{{"u": "{UPPER}"}}', True),
        ('{"f": 0.1}', '{"f": 0.10000000000000001}', True),
        ('{"n": 9007199254740993}', '{"n": 9007199254740992}', False),
        ('{"n": 1}', '{"n": true}', False),
        ('{"n": "NaN"}', '{"n": "NaN"}', True),
        ('{"t": "2026-11-23T10:00:00+00:00"}', '{"t": "2026-11-23T11:00:00+01:00"}', True),
        ('{"j": {"a": [1, 2]}}', '{"j": {"a": [1.0, 2]}}', True),
        ('{"j": {"a": [1, 2]}}', '{"j": {"a": [1]}}', False),
        ('{"j": {"a": 1}}', '{"j": {"a": 1, "b": 2}}', False),
        ('{"n": 1e999}', '{"n": 2e999}', False),
        ('{"t": "20260101112"}', '{"t": "20260101912"}', False),
        ('{"t": "2026-01-01"}', '{"t": "2026-01-01T00:00:00Z"}', False),
        ('{"t": "2026-01-01T00:00:00"}', '{"t": "2026-01-01T00:00:00Z"}', True),
    ],
)
def test_a_claim_agrees_when_each_claimed_column_has_its_value(truth: str, claimed: str, agree: object) -> None:
    assert agreement.agree(columns(truth), columns(claimed)) is agree


# Words


def test_words_are_text_and_neither_ids_times_links_nor_bytes() -> None:
    row = {
        "name": "Ada",
        "uid": UPPER,
        "at": "2026-11-23T10:00:00Z",
        "link": "https://example.com/ada",
        "raw": "\\xdeadbeef",
        "tags": ["maths", {"deep": "engine"}],
        "n": 7,
        "empty": "",
    }
    assert words.fields(row, None, None) == Fields("Ada", "maths\nengine")


def test_words_of_chosen_columns_are_those_alone_numbers_included() -> None:
    row: Columns = {"name": "Ada", "city": "London", "n": 7, "price": Decimal("1.50"), "uid": UPPER, "none": None}
    chosen = ("city", "n", "price", "uid", "none", "missing")
    assert words.fields(row, chosen, None) == Fields("", f"London\n7\n1.50\n{UPPER}")
    assert words.fields(row, ("city", "name"), None) == Fields("Ada", "London")


def test_words_of_chosen_columns_are_found_in_lists_and_objects_too() -> None:
    row: Columns = {"tags": ["maths", "engines"], "about": {"born": 1815, "in": ["London"]}, "name": "Ada"}
    assert words.fields(row, ("tags", "about"), None) == Fields("", "maths\nengines\n1815\nLondon")


def test_the_words_of_one_record_are_bounded() -> None:
    found = words.fields({"title": "t" * 10, "text": "w" * 1_000_000}, None, None)
    assert sum(map(len, found.texts)) == WORDS_MAX
    assert len(words.fields({"title": "t" * 1_000_000}, None, None).title) == WORDS_MAX


@pytest.mark.parametrize(
    ("row", "title"),
    [
        ({"title": "Countess", "name": "Ada"}, "Ada"),
        ({"email": "ada@example.org", "name": "Ada"}, "Ada"),
        ({"email": "ada@example.org", "name": "", "title": None}, "ada@example.org"),
        ({"name": UPPER, "label": "A"}, "A"),
        ({"name": ["Ada"], "city": "London"}, ""),
    ],
)
def test_the_first_column_that_says_a_name_is_the_title(row: Columns, title: str) -> None:
    assert words.fields(row, None, None).title == title == titles.title(row, None)


@pytest.mark.parametrize(
    ("row", "title"),
    [
        ({"sku": "A-100", "name": "Screw"}, "A-100"),
        ({"sku": Decimal("7.50"), "name": "Screw"}, "7.50"),
        ({"sku": UPPER, "name": "Screw"}, UPPER),
        ({"sku": None, "name": "Screw"}, "Screw"),
        ({"sku": "  ", "name": "Screw"}, "Screw"),
        ({"sku": True, "name": "Screw"}, "Screw"),
        ({"sku": ["A-100"], "email": "a@example.org"}, "a@example.org"),
        ({"city": "London"}, ""),
    ],
)
def test_the_configured_column_names_a_row_where_it_says_something(row: Columns, title: str) -> None:
    assert words.fields(row, None, "sku").title == title == titles.title(row, "sku")


def test_a_title_is_found_where_its_column_is_one_of_those_to_be_found() -> None:
    row: Columns = {"sku": "A-100", "name": "Screw"}
    assert words.fields(row, ("name", "sku"), "sku") == Fields("A-100", "Screw")
    assert words.fields(row, ("name",), "sku") == Fields("", "Screw")


# Odd rows


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b'{"id": 1, "j": 1e99999999999999999999}', "too large"),
        (b'{"id": 1, "j": ' + b"9" * 5_000 + b"}", "out of range"),
        (b'{"id": 1, "j": ' + b"[" * 1_200 + b"]" * 1_200 + b"}", "nested"),
        (b'{"id": 1, "j": ' + b"[" * 250 + b"]" * 250 + b"}", "nested"),
        (b'{"id": 1, "j": }', "malformed"),
        (b'{"id": null}', "names it"),
        (b'{"name": "Ada"}', "names it"),
        (b'{"id": [1]}', "names it"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_row_that_cannot_be_processed_can_never_be_read(row: bytes, why: str) -> None:
    with pytest.raises(RecordImpossible, match=why) as caught:
        rows.truth("public.users", row, USERS, 1)
    assert "public.users" in caught.value.message


def test_a_row_is_as_deep_as_a_webhook_may_be() -> None:
    row = b'{"id": 1, "j": ' + b"[" * 198 + b"]" * 198 + b"}"
    assert rows.truth("public.users", row, USERS, 1).data == row


# The row that was asked for


@pytest.mark.parametrize(
    ("came", "asked"),
    [
        ("1.50", "1.5"),
        ("10", "1e1"),
        (UPPER.lower(), UPPER),
        (UPPER.lower(), "{" + UPPER.replace("-", "") + "}"),
        ("Ada@Example.com", "ada@example.com"),
        ("ab   ", "ab"),
        ("2026-11-23T10:00:00+00:00", "2026-11-23 11:00:00+01"),
        ("de,42", "DE,42.0"),
    ],
)
def test_a_key_names_its_row_however_it_is_spelled(came: str, asked: str) -> None:
    parts = asked.split(",")
    assert rows.is_named(Truth(record=RecordKey("supabase", "public.users", came), data=b"{}"), parts)


@pytest.mark.parametrize(
    ("came", "asked"),
    [
        ("2", "1"),
        ("1", "NaN"),
        ("abc", "abd"),
        ("", "1"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z"),
        ("1", "sNaN"),
    ],
)
def test_another_key_names_another_row(came: str, asked: str) -> None:
    assert not rows.is_named(Truth(record=RecordKey("supabase", "public.users", came), data=b"{}"), [asked])
