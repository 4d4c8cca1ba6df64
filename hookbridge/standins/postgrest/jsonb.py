"""JSON as PostgreSQL writes it: `jsonb::text`, and the compact form of `row_to_json`.

The text of a jsonb value is not what a JSON library writes: keys are ordered by length in bytes, then by bytes; a space
follows every `:` and `,`; UTF-8 stays unescaped, control characters are escaped; numbers are `numeric` and keep their
scale (`2.50`) but never an exponent; NaN and the infinities are strings.

Source: PostgreSQL documentation, "JSON Types"; checked against bodies captured from pg_net.
"""

import enum
import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeAlias, cast

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | Decimal | bool | None"
"""A JSON value; a `Decimal` keeps the digits that a float would lose."""


class JsonNull(enum.Enum):
    """JSON's own null where SQL's null is another value: in a jsonb column."""

    JSON_NULL = "null"


JSON_NULL = JsonNull.JSON_NULL

_quote = json.JSONEncoder(ensure_ascii=False).encode


def quoted(text: str) -> str:
    """A JSON string, escaped as PostgreSQL escapes it."""
    return _quote(text)


def number(value: float | Decimal) -> str:
    """A `numeric` as JSON: all digits, no exponent; what is not finite is a string."""
    if isinstance(value, int):
        return str(value)
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if exact.is_finite():
        return format(exact, "f")
    return '"NaN"' if exact.is_nan() else f'"{"-" if exact < 0 else ""}Infinity"'


def shortest(value: float, digits: str, plain: int) -> str:
    """A float as `row_to_json` writes it, given its shortest digits: an exponent before 1e-4 and from 1e`plain` on."""
    if not math.isfinite(value):
        return number(value)
    sign, figures, exponent = Decimal(digits).normalize().as_tuple()
    leading = int(exponent) + len(figures) - 1
    if not value or -5 < leading < plain:  # noqa: PLR2004 - as in C's %g
        return format(Decimal(digits).normalize(), "f")
    first, rest = str(figures[0]), "".join(map(str, figures[1:]))
    return f"{'-' if sign else ''}{first}{'.' if rest else ''}{rest}e{leading:+03d}"


def jsonb_order(key: str) -> tuple[int, bytes]:
    """Sort key of object keys: length in bytes first, then bytes."""
    encoded = key.encode()
    return len(encoded), encoded


def jsonb_object(members: Iterable[tuple[str, str]]) -> str:
    """An object from keys and the texts of their values."""
    ordered = sorted(members, key=lambda member: jsonb_order(member[0]))
    return "{" + ", ".join(f"{quoted(key)}: {text}" for key, text in ordered) + "}"


def jsonb_text(value: Json) -> str:
    """`value::jsonb::text`."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return jsonb_object((key, jsonb_text(member)) for key, member in value.items())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(jsonb_text, value)) + "]"
    return number(value)


def read_json(text: str | bytes) -> Json:
    """Parse JSON and keep every digit of its numbers."""
    return cast("Json", json.loads(text, parse_float=Decimal))
