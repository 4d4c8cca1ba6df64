"""JSON as it may be sent: halves of characters, and what is nested too deeply."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.pipeline.receive import receive
from hookbridge.sources.bodies import is_deep, whole_characters
from hookbridge.sources.source import Delivery
from hookbridge.sources.supabase import SupabaseSource


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r'"cut \ud83d"', "cut �"),
        (r'"\uDE00 cut"', "� cut"),
        (r'"\ude00\ud83d"', "��"),
        (r'"\ud83d\ud83d\ude00"', "�😀"),
        (r'"\ud83d\u0041"', "�A"),
        (r'"\ud83d\n\ude00"', "�\n�"),
        (r'"\uD83D\uDe00"', "😀"),
        (r'"\\ud83d"', r"\ud83d"),
        (r'"\\\ud83d"', "\\�"),
        (r'"\\\\ud83d\""', r'\\ud83d"'),
        ('"😀 é"', "😀 é"),
    ],
)
def test_half_a_character_is_replaced_and_nothing_else(written: str, text: str) -> None:
    assert json.loads(whole_characters(written.encode())) == text


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_a_text_holds_it_can_be_stored_afterwards(text: str) -> None:
    whole = json.loads(whole_characters(json.dumps(text).encode()))
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert len(whole.encode()) == len(expected.encode())


@given(st.text())
def test_whole_texts_stay_as_they_are(text: str) -> None:
    for written in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        assert whole_characters(written.encode()) == written.encode()


@pytest.mark.parametrize(
    "body",
    [
        rb'{"event_type":"update","source":"supabase","table_name":"users","record_id":1,"data":{"name":"Ada \ud83d"}}',
        rb'{"type":"UPDATE","table":"users","schema":"public","record":{"id":1,"name":"Ada \ud83d"},"old_record":null}',
    ],
)
def test_a_sender_that_cuts_an_emoji_in_two_is_heard(body: bytes) -> None:
    source = SupabaseSource(SupabaseConfig(), SignaturesConfig(), Secrets(), lambda: 1)
    decoded = receive(source, {}, body, 0.0)
    assert isinstance(decoded, Delivery)
    (event,) = decoded.events
    assert (source.columns_of(event) or {})["name"] == "Ada �"


@pytest.mark.parametrize(("levels", "deep"), [(1, False), (199, False), (200, False), (201, True), (5_000, True)])
def test_what_is_nested_too_deeply_is_known(levels: int, deep: object) -> None:
    value: object = 1
    for _ in range(levels):
        value = [value]
    assert is_deep(b"[" * levels + b"1" + b"]" * levels, value) is deep
