"""What PostgREST answers to a read: a list of rows, each kept as its own text, digit for digit.

Invariants: one odd row costs no other one; what is no list of rows (a page of HTML, half an answer) is never taken for
one.  What a row means is not known here.
"""

from __future__ import annotations

import re

import msgspec

from hookbridge.sources.encodings import whole_characters

_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode
_STRINGS_AND_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


class Rows(msgspec.Struct, frozen=True):
    """What a read gave."""

    rows: tuple[bytes, ...]
    """Each row's own JSON, digit for digit."""
    total: int
    """How many rows match: more than ``rows`` where the server cut the answer (max-rows).  Of a slice a guess or 0."""


def rows_in(content: bytes) -> tuple[bytes, ...]:
    """Give the text of each row.  Raises ValueError for what is no list of rows."""
    content.decode()  # what is only kept raw is not checked by the decoder
    text = whole_characters(content)
    try:
        rows = [bytes(row) for row in _decode(text)]
    except RecursionError:
        rows = _cut(text)
    if not all(row.startswith(b"{") for row in rows):
        msg = "a list of something other than rows"
        raise ValueError(msg)
    return tuple(rows)


def _cut(text: bytes) -> list[bytes]:
    """Cut a list at its rows by their brackets, where one of them is nested deeper than the decoder goes."""
    if not text.lstrip().startswith(b"["):
        msg = "no list"
        raise ValueError(msg)
    return [text[start:end] for start, end in spans(text, 1)]


def spans(text: bytes, depth: int) -> list[tuple[int, int]]:
    """Give where each object and list begins and ends that lies within so many others, however deep itself is.

    Raises ValueError where the brackets are those of half an answer.
    """
    found: list[tuple[int, int]] = []
    now = start = 0
    for one in _STRINGS_AND_BRACKETS.finditer(text):
        sign = one[0]
        if sign in (b"[", b"{"):
            start = one.start() if now == depth else start
            now += 1
        elif sign in (b"]", b"}"):
            now -= 1
            if now == depth:
                found.append((start, one.end()))
    if now:
        msg = "half an answer"
        raise ValueError(msg)
    return found
