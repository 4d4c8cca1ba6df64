"""JSON as bytes: which encoding it is in, and what is taken of one that is nearly right.

JSON that is sent is UTF-8 (RFC 8259, section 8.1), without a byte order mark; a receiver may ignore one, and this one
does.  Invariant: signatures are over the bytes as they came, so nothing here is asked before the sender is known.
Pure.
"""

from __future__ import annotations

import re

MARK = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, as editors on Windows write it."""

# The longer ones first: a mark of UTF-32 begins as one of UTF-16 does.
_MARKED = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
# Every JSON text begins with ASCII, so the zeros beside it tell (RFC 4627, section 3).
_UNMARKED = (
    (re.compile(rb"\x00\x00\x00[^\x00]|[^\x00]\x00\x00\x00", re.DOTALL), "UTF-32"),
    (re.compile(rb"\x00[^\x00]|[^\x00]\x00", re.DOTALL), "UTF-16"),
)

_HIGH, _LOW = rb"[89abAB][0-9a-fA-F]{2}", rb"[c-fC-F][0-9a-fA-F]{2}"
_HALF = rb"\\u[dD]"
_HALVES = re.compile(rb"%b(?:%b(?!%b%b)|(?<!%b%b%b)%b)" % (_HALF, _HIGH, _HALF, _LOW, _HALF, _HIGH, _HALF, _LOW))
"""Those without the other one, where every backslash begins an escape."""
_REPLACEMENT = rb"\\ufffd"


def text_of(body: bytes) -> bytes:
    """Give the JSON of a body: without its byte order mark, if it has one, and with whole characters only."""
    return whole_characters(body.removeprefix(MARK))


def whole_characters(body: bytes) -> bytes:
    """Give JSON with U+FFFD in place of each half of a character that stands alone.

    JSON can spell one (the high surrogate of an emoji), and senders that cut texts by their length do; no text that
    can be stored has it.
    """
    if b"\\" not in body or (rb"\ud" not in body and rb"\uD" not in body):  # nearly every body
        return body
    if b"\0" in body:  # which is no JSON anyway
        return body
    # An escaped backslash must not be taken for the beginning of the next escape; a call for each escape took four
    # times as long.
    return _HALVES.sub(_REPLACEMENT, body.replace(rb"\\", b"\0")).replace(b"\0", rb"\\")


def why_foreign(text: bytes) -> str | None:
    """Say why what ``text_of`` gave is in no encoding of JSON; None where its beginning does not tell."""
    if text.startswith(MARK):
        return "it begins with more than one byte order mark (BOM); send it with none"
    for mark, name in _MARKED:
        if text.startswith(mark):
            return f"it is {name} with a byte order mark (BOM); send it as UTF-8"
    for beginning, name in _UNMARKED:
        if beginning.match(text):
            return f"it looks like {name}; send it as UTF-8"
    return None
