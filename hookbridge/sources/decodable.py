"""Whether JSON can be processed, told by its bytes: nothing is built of it.

What is taken has to be decoded, compared and hashed later, so depth and numbers have a limit; the decoders keep to some
of these themselves, but only where they build what they read.  Pure.
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import accumulate
from operator import add

NESTING_MAX = 200
"""Levels of a body: what is taken has to be compared and hashed, and Python's own stack ends at a thousand calls."""

INTEGER_MAX = 4300
"""Characters of an integer: Python makes no longer ones of text, and msgspec takes none."""

_BITS = 8
_OPENS = bytes.maketrans(b"[{]}", b"1100")
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
# Eight brackets are a byte, with a one for each that opens: how many levels it goes up, and how far it was up.
_ENDS_AT = [2 * byte.bit_count() - _BITS for byte in range(256)]
_GOES_TO = [max(accumulate(1 if one == "1" else -1 for one in f"{byte:08b}")) for byte in range(256)]

# What Decimal takes ends at an exponent of 18 digits.
_EXPONENT_DIGITS = 18
_ALIKE = bytes.maketrans(b"123456789E+", b"000000000e-")
_MANY_DIGITS, _TOO_MANY_DIGITS = b"0" * _EXPONENT_DIGITS, b"0" * INTEGER_MAX
_SUSPECTS = (b"e" + _MANY_DIGITS, b"e-" + _MANY_DIGITS, _TOO_MANY_DIGITS)
_LONG_NUMBERS = re.compile(rb"[-+.\deE]{%d,}" % _EXPONENT_DIGITS)


def is_deep(body: bytes) -> bool:
    """Whether this JSON, or what was meant to be some, is nested deeper than can be processed.

    A walk over the values took 2.5 s for 2 MB of nested lists; this takes 35 ms for nothing but brackets (measured).
    """
    if body.count(b"{") + body.count(b"[") <= NESTING_MAX:  # nearly every body
        return False
    brackets = _outside_texts(body, _OPENS, _NO_MARKS)
    brackets += b"0" * (-len(brackets) % _BITS)
    packed = int(brackets or b"0", 2).to_bytes(len(brackets) // _BITS, "big")
    before = list(accumulate(map(_ENDS_AT.__getitem__, packed), initial=0))
    if max(before) <= NESTING_MAX - _BITS:
        return False
    return max(map(add, before, map(_GOES_TO.__getitem__, packed)), default=0) > NESTING_MAX


def refuse_undecodable(body: bytes) -> None:
    """Raise for JSON that a decoder could pass over, but not build: UnicodeDecodeError, or ArithmeticError.

    Its grammar was looked at before.
    """
    if not body.isascii():
        body.decode()
    alike = body.translate(_ALIKE)
    # Nearly every body has no such number, and few have one in a text.
    if _MANY_DIGITS in alike and any(suspect in alike for suspect in _SUSPECTS):
        for number in _LONG_NUMBERS.findall(_outside_texts(body)):
            _refuse_large(number)


def _refuse_large(number: bytes) -> None:
    if b"e" in number or b"E" in number:
        Decimal(number.decode())
    elif b"." not in number and len(number) > INTEGER_MAX:
        raise OverflowError


def _outside_texts(json: bytes, table: bytes | None = None, without: bytes = b"") -> bytes:
    """Give what is not inside of texts, translated.

    Two quotes in a row, escapes and all else gone, never change what is inside of a text and what is not.
    """
    if b"\\" in json:
        json = json.replace(rb"\\", b"").replace(rb"\"", b"")
    json = json.translate(table, without).replace(b'""', b"")
    return b"".join(json.split(b'"')[::2]) if b'"' in json else json
