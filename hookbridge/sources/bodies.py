"""A webhook's body as JSON, and the 422 that lists every field that is wrong.

Numbers with a point become Decimals, so that no digit of a ``numeric`` column is lost.  msgspec stops at the first
error; where a body is wrong, its fields are looked at one by one, and only then.  What holds for a body holds for the
JSON of a source's rows as well: the same characters, the same depth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from hookbridge.errors import FieldProblem, InvalidFields, InvalidJson
from hookbridge.model import Columns, SourceName
from hookbridge.names import NAME_EXPECTED, is_name
from hookbridge.sources.encodings import why_foreign
from hookbridge.sources.large import uncollected
from hookbridge.sources.processable import is_deep

NAME_HEADER_MAX = 256
SHOWN_MAX = 40


class IdRule(msgspec.Struct, frozen=True):
    """What can be a record's id in one source: for webhooks, for what its listings show, and for requests.

    No path of the API has a place for the empty one.
    """

    pattern: re.Pattern[str]
    expected: str
    """For people."""

    def fits(self, text: str) -> bool:
        """Whether it can be a record's id."""
        return self.pattern.fullmatch(text) is not None


ID_RULES: Mapping[SourceName, IdRule] = {
    # An index of PostgreSQL takes 2704 bytes at the most, which are three times as many percent-encoded; where they can
    # be compressed it takes more, and nobody can ask for those.  No text of PostgreSQL has a zero.
    "supabase": IdRule(re.compile(r"[^\x00]{0,8192}"), "expected at most 8192 characters, none of them U+0000"),
    "notion": IdRule(
        re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,1024}"), "expected 1 to 1024 characters without control characters"
    ),
}

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


def shown(text: str) -> str:
    """Quote a sender's text for a message, cut where it is long."""
    return f'"{text}"' if len(text) <= SHOWN_MAX else f'"{text[:SHOWN_MAX]}…"'


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


class Fields:
    """Looks at the fields of an object one by one and collects what is wrong with them, in the guide's form."""

    def __init__(self, values: Mapping[str, Any], *, at: tuple[str | int, ...] = ("body",)) -> None:
        self.values = values
        self.at = at
        self.problems: list[FieldProblem] = []

    def wrong(self, name: str | tuple[str, ...], msg: str, type_: str) -> None:
        """Note a problem with a field, or with one inside it (a tuple of names)."""
        path = (name,) if isinstance(name, str) else name
        self.problems.append(FieldProblem((*self.at, *path), msg, type_))

    def join(self, inner: Fields) -> None:
        """Take over what is wrong inside one of the objects, unless that object itself is what is wrong."""
        if all(problem.loc != inner.at for problem in self.problems):
            self.problems += inner.problems

    def text(self, name: str, *, required: bool = True) -> str | None:
        """Take a string."""
        value = self.values.get(name)
        if isinstance(value, str):
            return value
        if name in self.values and (required or value is not None):
            self.wrong(name, f"expected a string, got {kind(value)}", "type_error.str")
        elif required:
            self.wrong(name, "field required", "value_error.missing")
        return None

    def table(self, name: str) -> str | None:
        """Take a table's name or a database's id."""
        value = self.text(name)
        if value is not None and not is_name(value):
            self.wrong(name, NAME_EXPECTED, "value_error")
        return value

    def record_id(self, name: str, rule: IdRule) -> str | None:
        """Take a record's id: a string or an integer."""
        value = self.values.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            id_ = str(value)
            if not rule.fits(id_):
                self.wrong(name, rule.expected, "value_error")
            return id_
        if name not in self.values:
            self.wrong(name, "field required", "value_error.missing")
        elif value is None:
            hint = "expected the record's id, got null; on DELETE a trigger must send OLD.id, because NEW is null"
            self.wrong(name, hint, "type_error.none.not_allowed")
        else:
            self.wrong(name, f"expected a string or an integer, got {kind(value)}", "type_error.str")
        return None

    def object(self, name: str, *, required: bool = False) -> Part | None:
        """Take an object or null."""
        value: Part | None = self.values.get(name)
        if is_object(value):
            return value
        if value is not None:
            self.wrong(name, f"expected an object, got {kind(value)}", "type_error.dict")
        elif required:
            missing = name not in self.values
            self.wrong(
                name,
                "field required" if missing else "expected an object, got null",
                "value_error.missing" if missing else "type_error.none.not_allowed",
            )
        return None

    def raise_if_wrong(self) -> None:
        """Raise InvalidFields when a problem was noted."""
        if self.problems:
            raise InvalidFields(self.problems)


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
