"""Column types: what a column stores, which filter texts it accepts, how its values look as JSON.

Invariant: stored values of one column compare with each other as PostgreSQL compares them (`ordered` makes NaN the
greatest), and `store()` of what `out()` gave is the same value.
Types that need no rule of their own (text, inet, money, enum, interval, …) are stored and shown as their text.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, cast
from uuid import UUID

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.jsonb import Json, float8, jsonb_text, number, quoted, read_json

Value = Any
"""A stored value: its Python type belongs to the column (int, str, Decimal, bool, JSON, …); None is SQL null."""

_INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_ALIASES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "serial": "integer",
    "bigserial": "bigint",
    "bool": "boolean",
    "decimal": "numeric",
    "float8": "double precision",
    "float4": "real",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "varchar": "character varying",
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TRUE = frozenset({"t", "true", "y", "yes", "on", "1"})
_FALSE = frozenset({"f", "false", "n", "no", "off", "0"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INFINITY = 2**63 - 1
_NAN_LAST = (1, 0)


class Text:
    """A column whose values are text; the base of the others.  JSON shows them as strings."""

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, text: str) -> Value:
        """The value that a text in a filter names; raises the error PostgreSQL would raise."""
        return text

    def store(self, value: object) -> Value:
        """The value to keep for what a caller or a request body gives."""
        return None if value is None else self.parse(str(value))

    def out(self, value: Value) -> Json:
        """A stored value for callers."""
        return cast("Json", value)

    def compact(self, value: Value) -> str:
        """As PostgREST answers it."""
        return "null" if value is None else self.spaced(value)

    def spaced(self, value: Value) -> str:
        """As `jsonb` shows it in a webhook body."""
        return "null" if value is None else quoted(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        """What stands for the value where it is compared."""
        return value


class Integer(Text):
    """smallint, integer, bigint."""

    def parse(self, text: str) -> Value:
        try:
            value = int(text)
        except ValueError:
            raise errors.invalid_text(self.name, text) from None
        bound = _INTEGERS[self.name]
        if not -bound <= value < bound:
            raise errors.out_of_range(self.name, text)
        return value

    def spaced(self, value: Value) -> str:
        return "null" if value is None else str(value)


class Boolean(Text):
    """boolean."""

    def parse(self, text: str) -> Value:
        lowered = text.strip().lower()
        if lowered in _TRUE or lowered in _FALSE:
            return lowered in _TRUE
        raise errors.invalid_text(self.name, text)

    def spaced(self, value: Value) -> str:
        return jsonb_text(value)


class Numeric(Text):
    """numeric: digits and scale are kept, `1.50` stays `1.50`."""

    def parse(self, text: str) -> Value:
        try:
            return Decimal(text)
        except InvalidOperation:
            raise errors.invalid_text(self.name, text) from None

    def spaced(self, value: Value) -> str:
        return "null" if value is None else number(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return _NAN_LAST if value.is_nan() else (0, value)


class Float(Text):
    """double precision, real."""

    def parse(self, text: str) -> Value:
        try:
            return float(text)
        except ValueError:
            raise errors.invalid_text(self.name, text) from None

    def compact(self, value: Value) -> str:
        return "null" if value is None else float8(value)

    def spaced(self, value: Value) -> str:
        if value is None:
            return "null"
        return number(Decimal(float8(value))) if math.isfinite(value) else number(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return _NAN_LAST if math.isnan(value) else (0, value)


class Uuid(Text):
    """uuid: any spelling is accepted, the dashed lower-case one is kept."""

    def parse(self, text: str) -> Value:
        if _UUID.fullmatch(text):
            return text
        try:
            return str(UUID(text))
        except ValueError:
            raise errors.invalid_text(self.name, text) from None


class Timestamp(Text):
    """timestamp with and without time zone: microseconds since 1970, infinities included."""

    def parse(self, text: str) -> Value:
        stripped = text.strip().lower()
        if stripped in {"infinity", "-infinity"}:
            return -_INFINITY if stripped.startswith("-") else _INFINITY
        try:
            return self._microseconds(datetime.fromisoformat(text.strip()))
        except ValueError:
            raise errors.invalid_datetime(self.name, text) from None

    def store(self, value: object) -> Value:
        return self._microseconds(value) if isinstance(value, datetime) else super().store(value)

    def out(self, value: Value) -> Json:
        return None if value is None else self._text(value)

    def spaced(self, value: Value) -> str:
        return "null" if value is None else f'"{self._text(value)}"'

    def _microseconds(self, moment: datetime) -> int:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if "without" in self.name:
            aware = moment.replace(tzinfo=UTC)
        return (aware - _EPOCH) // _MICROSECOND

    def _text(self, value: int) -> str:
        if abs(value) == _INFINITY:
            return "-infinity" if value < 0 else "infinity"
        moment = _EPOCH + timedelta(microseconds=value)
        text = moment.replace(tzinfo=None, microsecond=0).isoformat()  # strftime writes year 1 with one digit
        if moment.microsecond:
            text += f".{moment.microsecond:06d}".rstrip("0")
        return text if "without" in self.name else f"{text}+00:00"


class Date(Text):
    """date."""

    def parse(self, text: str) -> Value:
        try:
            return date.fromisoformat(text.strip()[:10]).isoformat()
        except ValueError:
            raise errors.invalid_datetime(self.name, text) from None


class Bytea(Text):
    r"""bytea: shown as `\x` and hexadecimal digits."""

    def store(self, value: object) -> Value:
        return rf"\x{value.hex()}" if isinstance(value, bytes) else super().store(value)


class JsonColumn(Text):
    """jsonb, and the base of json; compared as text, which is enough for equality."""

    def parse(self, text: str) -> Value:
        try:
            return read_json(text)
        except ValueError:
            message = f"invalid input syntax for type {self.name}"
            raise errors.error(400, "22P02", message, details=f'Token "{text}" is invalid.') from None

    def store(self, value: object) -> Value:
        return value

    def spaced(self, value: Value) -> str:
        return jsonb_text(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return jsonb_text(value)


class JsonText(JsonColumn):
    """json: what is given as bytes is kept as it is written, with what no other column can hold."""

    def out(self, value: Value) -> Json:
        return value.decode() if isinstance(value, bytes) else cast("Json", value)

    def spaced(self, value: Value) -> str:
        return value.decode() if isinstance(value, bytes) else super().spaced(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return self.spaced(value)


class Array(Text):
    """An array of another type; filters on it know no more than its text."""

    def __init__(self, name: str, element: Text) -> None:
        super().__init__(name)
        self._element = element

    def store(self, value: object) -> Value:
        return [self._element.store(each) for each in value] if isinstance(value, list | tuple) else value

    def out(self, value: Value) -> Json:
        return None if value is None else [self._element.out(each) for each in value]

    def compact(self, value: Value) -> str:
        return "null" if value is None else "[" + ",".join(map(self._element.compact, value)) + "]"

    def spaced(self, value: Value) -> str:
        return "null" if value is None else "[" + ", ".join(map(self._element.spaced, value)) + "]"

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return self.compact(value)


_KINDS: dict[str, Callable[[str], Text]] = {
    **dict.fromkeys(_INTEGERS, Integer),
    "boolean": Boolean,
    "numeric": Numeric,
    "double precision": Float,
    "real": Float,
    "uuid": Uuid,
    "timestamp with time zone": Timestamp,
    "timestamp without time zone": Timestamp,
    "date": Date,
    "bytea": Bytea,
    "json": JsonText,
    "jsonb": JsonColumn,
}


def column_type(name: str) -> Text:
    """The type with this PostgreSQL name or alias; `type[]` is an array; an unknown name behaves as text."""
    bare = re.sub(r"\(.*\)", "", name.strip().lower()).strip()
    if bare.endswith("[]"):
        return Array(bare, column_type(bare[:-2]))
    full = _ALIASES.get(bare, bare)
    return _KINDS.get(full, Text)(full)
