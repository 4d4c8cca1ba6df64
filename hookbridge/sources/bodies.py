"""A webhook's body as JSON, and the name that its sender gave the event.

Numbers with a point become Decimals, so that no digit of a ``numeric`` column is lost.  What holds for a body holds for
the JSON of a source's rows as well: the same characters, the same depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from hookbridge.errors import FieldProblem, InvalidFields, InvalidJson
from hookbridge.model import Columns, SourceName
from hookbridge.sources.decodable import is_deep
from hookbridge.sources.encodings import why_foreign
from hookbridge.sources.large import uncollected

NAME_HEADER_MAX = 256


Part = dict[str, Any] | msgspec.Raw
"""An object inside of a body: of a large body, as it is written."""

decode_value = msgspec.json.Decoder(float_hook=Decimal).decode
"""Any JSON value, digit for digit."""

_decode_any = uncollected(decode_value)

decode_columns = uncollected(msgspec.json.Decoder(Columns, float_hook=Decimal).decode)
"""A record's columns from its stored JSON, digit for digit: what an event or a source brought is read by this alone."""


UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError)
"""What the decoders raise for what is not JSON, or none that can be processed."""


def decode_any(body: bytes) -> object:
    """Decode any JSON document.  Raises InvalidJson."""
    refuse_deep(body)
    try:
        return _decode_any(body)
    except UNDECODABLE as error:
        raise invalid_json(error, body) from None


def refuse_deep(body: bytes) -> None:
    """Raise InvalidJson where a body is nested deeper than can be processed; it need not be JSON otherwise."""
    if is_deep(body):
        raise invalid_json(RecursionError(), body)


def decode_object(body: bytes) -> dict[str, Any]:
    """Decode a body that must be a JSON object.  Raises InvalidJson, or InvalidFields where it is another value."""
    value = decode_any(body)
    if not isinstance(value, dict):
        raise InvalidFields([FieldProblem(("body",), f"expected an object, got {kind(value)}", "type_error.dict")])
    return value


def invalid_json(error: Exception, body: bytes) -> InvalidJson:
    """Make the error of a body that is not JSON."""
    return InvalidJson(f"The body is not valid JSON: {why_undecodable(error, body)}")


def why_undecodable(error: Exception, body: bytes) -> str:
    """Say why it is not JSON that can be processed, and at which byte where that is known."""
    if (foreign := why_foreign(body)) is not None:
        return foreign
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, ArithmeticError):
        return "a number is too large"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 (byte {_first_bad_byte(body)})"
    return str(error)


def _first_bad_byte(body: bytes) -> int:
    # msgspec's error counts from the start of the string that it was in.
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)


def kind(value: object) -> str:
    """Name a JSON value's type without showing it."""
    if value is None:
        return "null"
    if isinstance(value, msgspec.Raw):
        return "an object" if is_object(value) else "an array"
    names = {bool: "a boolean", int: "a number", Decimal: "a number", float: "a number", str: "a string"}
    names |= {list: "an array", dict: "an object"}
    return names[type(value)]


def is_object(value: object) -> bool:
    """Whether it is a JSON object, decoded or not."""
    return isinstance(value, dict) or (isinstance(value, msgspec.Raw) and memoryview(value)[0] == ord("{"))


def is_scalar(value: object) -> bool:
    """Whether it is a JSON value without values in it."""
    return not isinstance(value, dict | list | msgspec.Raw)


def named_by_header(source: SourceName, headers: Mapping[str, str]) -> bytes | None:
    """Give the identity that the sender's headers name: ``webhook-id`` first, then ``Idempotency-Key``.

    Raises InvalidFields for a name that is empty or too long.
    """
    for header in ("webhook-id", "Idempotency-Key"):
        value = headers.get(header)
        if value is None:
            continue
        if not 0 < len(value) <= NAME_HEADER_MAX:
            msg = f"expected 1 to {NAME_HEADER_MAX} characters"
            raise InvalidFields([FieldProblem(("header", header), msg, "value_error")])
        return named(source, header, value)
    return None


def named(source: SourceName, namespace: str, value: str) -> bytes:
    """Give the identity of an event that has a name: the same name of another kind is another event."""
    text = f"{source}\0{namespace}\0{value}"
    # Header values may hold surrogates (bytes that are not UTF-8): no name fails, and no two become one.
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
