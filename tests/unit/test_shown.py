"""What a person reads of a page's properties and of a row's columns."""

from decimal import Decimal

import pytest

from hookbridge.sources.notion import shown as notion
from hookbridge.sources.supabase import shown as supabase

NOBODY = {"object": "user", "id": "9f2c"}
ADA = {"object": "user", "id": "7d0a", "name": "Ada"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"type": "title", "title": [{"plain_text": "Buy "}, {"plain_text": "milk"}]}, "Buy milk"),
        ({"type": "rich_text", "rich_text": []}, None),
        ({"type": "select", "select": {"id": "x", "name": "High"}}, "High"),
        ({"type": "status", "status": None}, None),
        ({"type": "multi_select", "multi_select": [{"name": "a"}, {"name": "b"}]}, "a, b"),
        ({"type": "people", "people": [ADA, NOBODY]}, "Ada"),
        ({"type": "checkbox", "checkbox": True}, "yes"),
        ({"type": "checkbox", "checkbox": False}, "no"),
        ({"type": "number", "number": Decimal("0.10")}, "0.10"),
        ({"type": "number", "number": 0}, "0"),
        ({"type": "date", "date": {"start": "2026-01-01", "end": "2026-01-03"}}, "2026-01-01 → 2026-01-03"),
        ({"type": "created_time", "created_time": "2026-01-01T15:00:00.000Z"}, "2026-01-01T15:00:00.000Z"),
        ({"type": "relation", "relation": [{"id": "a"}]}, "1 page"),
        ({"type": "relation", "relation": [{"id": "a"}] * 25, "has_more": True}, "25 or more pages"),
        ({"type": "relation", "relation": []}, None),
        ({"type": "formula", "formula": {"type": "boolean", "boolean": False}}, "no"),
        ({"type": "formula", "formula": {"type": "string", "string": "odd"}}, "odd"),
        (
            {
                "type": "rollup",
                "rollup": {
                    "type": "array",
                    "array": [{"type": "number", "number": 3}, {"type": "checkbox", "checkbox": True}],
                },
            },
            "3, yes",
        ),
        ({"type": "rollup", "rollup": {"type": "number", "number": 7, "function": "sum"}}, "7"),
        ({"type": "button", "button": {}}, None),
        ({"type": "unique_id", "unique_id": {"prefix": "T", "number": 7}}, "T-7"),
        ({"type": "of tomorrow", "of tomorrow": {"deep": {"er": 1}}}, None),
        ({"type": 7}, None),
        ({"title": [{"plain_text": "trimmed"}]}, "trimmed"),
        ("as plain text", "as plain text"),
        (None, None),
    ],
)
def test_a_property_is_shown_as_a_person_reads_it(value: object, text: str | None) -> None:
    assert notion.shown({"properties": {"P": value}}) == {"P": text}


def test_the_title_comes_first_and_the_others_in_their_order() -> None:
    properties = {
        "b": {"type": "number", "number": 1},
        "a": {"type": "checkbox", "checkbox": False},
        "Name": {"type": "title", "title": [{"plain_text": "Task"}]},
    }
    assert list(notion.shown({"properties": properties}).items()) == [("Name", "Task"), ("b", "1"), ("a", "no")]


def test_a_row_is_shown_digit_for_digit_and_what_is_deep_as_json() -> None:
    row = {"id": 9007199254740993, "price": Decimal("1.50"), "on": True, "none": None, "name": "", "deep": {"a": [1]}}
    assert supabase.shown(row) == {
        "id": "9007199254740993",
        "price": "1.50",
        "on": "true",
        "none": None,
        "name": "",
        "deep": '{"a":[1]}',
    }
