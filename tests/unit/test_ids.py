"""Record ids: what key columns become as text, and that they come back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge.sources import ids

UUID = "123e4567-e89b-12d3-a456-426614174abc"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42, "42"),
        (12345678901234567890123, "12345678901234567890123"),
        (True, "true"),
        (False, "false"),
        ("As it IS, with a comma", "As it IS, with a comma"),
        (UUID.upper(), UUID.upper()),
        (UUID.upper() + "0", UUID.upper() + "0"),
        (UUID.upper().replace("-", "x"), UUID.upper().replace("-", "x")),
        (Decimal("1.50"), "1.50"),
        (Decimal("0.0000001"), "0.0000001"),
        (Decimal("1E+30"), "1" + "0" * 30),
        (Decimal("1E+9999999"), "1E+9999999"),
        (Decimal("0E+9999999"), "0E+9999999"),
    ],
)
def test_a_key_of_one_column_is_its_plain_text(value: ids.KeyValue, text: str) -> None:
    assert ids.record_id([value]) == text


def test_a_composite_key_is_percent_encoded_parts_in_order() -> None:
    assert ids.record_id(["a,b", 7, "50%/é"]) == "a%2Cb,7,50%25%2F%C3%A9"


def test_parts_keep_their_places() -> None:
    assert ids.record_id(["a", "b"]) != ids.record_id(["b", "a"])
    assert ids.values(ids.record_id(["", ""]), 2) == ["", ""]


@pytest.mark.parametrize("id_", ["a", "a,b,c", ""])
def test_an_id_with_another_number_of_parts_is_refused(id_: str) -> None:
    with pytest.raises(ValueError, match="expected 2 values separated by commas"):
        ids.values(id_, 2)


def test_an_id_that_a_person_wrote_has_one_normal_form() -> None:
    assert ids.normal(f"é b,{UUID.upper()}", 2) == f"%C3%A9%20b,{UUID.upper()}"
    assert ids.normal("a,b", 1) == "a,b"


@given(
    values=st.lists(st.text() | st.integers() | st.booleans() | st.decimals(allow_nan=False), min_size=1, max_size=4)
)
def test_an_id_gives_back_the_texts_it_was_made_of(values: list[ids.KeyValue]) -> None:
    id_ = ids.record_id(values)
    assert ids.values(id_, len(values)) == [ids.text(value) for value in values]
    assert ids.normal(id_, len(values)) == id_
