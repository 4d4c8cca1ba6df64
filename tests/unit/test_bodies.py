"""JSON as it may be sent: halves of characters, and what is nested too deeply."""

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import InvalidJson
from hookbridge.pipeline.receive import receive
from hookbridge.sources.bodies import (
    UNDECODABLE,
    decode_any,
    decode_columns,
)
from hookbridge.sources.decodable import NESTING_MAX, is_deep
from hookbridge.sources.encodings import whole_characters
from hookbridge.sources.source import Delivery, unordered
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
    source = SupabaseSource(SupabaseConfig(), SignaturesConfig(), Secrets(), unordered)
    decoded = receive(source, {}, body, 0.0)
    assert isinstance(decoded, Delivery)
    (event,) = decoded.events
    assert (source.columns_of(event) or {})["name"] == "Ada �"


@pytest.mark.parametrize(("levels", "deep"), [(1, False), (199, False), (200, False), (201, True), (5_000, True)])
@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"]":', b"}]")])
def test_what_is_nested_too_deeply_is_known(levels: int, deep: object, opens: bytes, closes: bytes) -> None:
    times = levels // (opens.count(b"[") + opens.count(b"{"))
    rest = levels - times * (opens.count(b"[") + opens.count(b"{"))
    body = b"[" * rest + opens * times + b"1" + closes * times + b"]" * rest
    assert is_deep(body) is deep


@pytest.mark.parametrize("text", ["[" * 5_000, '"[' * 300, "\\" * 301 + "[" * 300, '\\"{' * 300, "[]" * 5_000])
def test_brackets_in_texts_are_no_levels(text: str) -> None:
    assert not is_deep(json.dumps([text, {text: [text]}]).encode())


values = st.recursive(
    st.none() | st.text('[]{}"\\ae\n') | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{}"\\'), inner),
)


def levels_of(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(levels_of, inner), default=0)


@given(value=values, around=st.integers(190, 201))
def test_depth_is_told_by_bytes_as_a_walk_over_the_values_tells_it(value: object, around: int) -> None:
    body = b"[[1]," * around + json.dumps(value).encode() + b"]" * around
    assert is_deep(body) is (around + max(levels_of(value), 1) > NESTING_MAX)


# The garbage collector

LARGE = b'{"lists":[' + b"[]," * 100_000 + b"[]]}"


@contextmanager
def collections() -> Iterator[list[str]]:
    """Note every look at garbage from here on."""
    seen: list[str] = []

    def look(phase: str, _: object) -> None:
        seen.append(phase)

    gc.callbacks.append(look)
    try:
        yield seen
    finally:
        gc.callbacks.remove(look)


@pytest.mark.parametrize("decode", [decode_any, decode_columns])
def test_nothing_looks_for_garbage_while_a_large_document_is_decoded(decode: Callable[[bytes], object]) -> None:
    with collections() as seen:
        value = decode(LARGE)
        looked = list(seen)
    assert value == {"lists": [[]] * 100_001}
    assert looked.count("start") <= 1  # right after it
    assert gc.isenabled()


@pytest.mark.parametrize("decode", [decode_any, decode_columns])
@pytest.mark.parametrize("end", [b"", b"!", b"\xff", b"1e" + b"9" * 20])
def test_garbage_is_looked_for_again_after_a_document_that_is_none(
    decode: Callable[[bytes], object], end: bytes
) -> None:
    with pytest.raises((InvalidJson, *UNDECODABLE)):
        decode(LARGE.removesuffix(b"]}") + b"," + end)
    assert gc.isenabled()


def test_who_has_no_garbage_looked_for_keeps_it_so() -> None:
    gc.disable()
    try:
        decode_any(LARGE)
        assert not gc.isenabled()
    finally:
        gc.enable()
