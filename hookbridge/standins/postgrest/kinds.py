r"""What a column is: which texts its type takes, how its values look, how they compare.

Invariant: stored values of one column compare with each other as PostgreSQL compares them (`ordered` makes NaN the
greatest), and `store()` of what `out()` gave is the same value.
Types that need no rule of their own (text, inet, money, interval, …) are stored and shown as their text.

Source: PostgreSQL 15 documentation, "Data Types"; texts and errors recorded with it through PostgREST 14.13.
"""

import re
from typing import Any, cast
from uuid import UUID

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.jsonb import Json, quoted

Value = Any
"""A stored value: its Python type belongs to the column (int, str, Decimal, bool, JSON, …); None is SQL null."""

_UUID = re.compile(r"\{(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}\}|(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}", re.IGNORECASE)
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_ESCAPED = re.compile(rb"\\(?:(\\)|([0-3][0-7]{2}))?", re.DOTALL)


class Text:
    """A column whose values are text; the base of the others.  JSON shows them as strings."""

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, text: str) -> Value:
        """The value that a text names; raises the error PostgreSQL would raise."""
        return text

    def store(self, value: object) -> Value:
        """The value to keep for what a caller or a request body gives."""
        return None if value is None else self.parse(str(value))

    def out(self, value: Value) -> Json:
        """A stored value for callers."""
        return cast("Json", value)

    def text(self, value: Value) -> str:
        """`value::text`."""
        return str(value)

    def compact(self, value: Value) -> str:
        """As PostgREST answers it."""
        return "null" if value is None else self.spaced(value)

    def spaced(self, value: Value) -> str:
        """As `jsonb` shows it in a webhook body."""
        return "null" if value is None else quoted(self.text(value))

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        """What stands for the value where it is compared."""
        return value

    def allow(self, operator: str) -> None:
        """Raise PostgreSQL's error where the type lacks an operator: `=`, `<`, …, `in`, or `order` for a sort."""


class Folded(str):
    """A text that equals every spelling of itself in other cases, and is kept as it was written."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.lower())


class Citext(Text):
    """citext: compared without regard to case."""

    def parse(self, text: str) -> Value:
        return Folded(text)

    def out(self, value: Value) -> Json:
        return None if value is None else str(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return value.lower()


class Enum(Text):
    """An enumeration, created as `enum name(first, second)`: ordered as its labels are."""

    def __init__(self, name: str, labels: list[str]) -> None:
        super().__init__(name)
        self._labels = labels

    def parse(self, text: str) -> Value:
        if text not in self._labels:
            raise errors.error(400, "22P02", f'invalid input value for enum {self.name}: "{text}"')
        return text

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return self._labels.index(value)


class Boolean(Text):
    """boolean: any beginning of true, false, yes, no, on and off that can only be that one."""

    def parse(self, text: str) -> Value:
        lowered = text.strip().lower()
        true, false = (any(word.startswith(lowered) for word in words) for words in (_TRUE, _FALSE))
        if not lowered or true == false:
            raise errors.invalid_text(self.name, text)
        return true

    def text(self, value: Value) -> str:
        return "true" if value else "false"

    def spaced(self, value: Value) -> str:
        return "null" if value is None else self.text(value)


class Uuid(Text):
    """uuid: any spelling is accepted, the dashed lower-case one is kept."""

    def parse(self, text: str) -> Value:
        if not _UUID.fullmatch(text):
            raise errors.invalid_text(self.name, text)
        return str(UUID(text))


class Bytea(Text):
    r"""bytea: written as `\x` and hexadecimal digits, or as text with escapes; shown as the former."""

    def parse(self, text: str) -> Value:
        if text.startswith(r"\x"):
            return self._from_hex("".join(text[2:].split()))

        def unescaped(escape: re.Match[bytes]) -> bytes:
            if escape[1]:
                return b"\\"
            if not escape[2]:
                raise errors.error(400, "22P02", "invalid input syntax for type bytea")
            return bytes([int(escape[2], 8)])

        return _ESCAPED.sub(unescaped, text.encode())

    def store(self, value: object) -> Value:
        return value if isinstance(value, bytes) else super().store(value)

    def out(self, value: Value) -> Json:
        return None if value is None else self.text(value)

    def text(self, value: Value) -> str:
        return rf"\x{value.hex()}"

    def _from_hex(self, digits: str) -> bytes:
        wrong = re.search("[^0-9a-fA-F]", digits)
        if wrong:
            raise errors.error(400, "22023", f'invalid hexadecimal digit: "{wrong[0]}"')
        if len(digits) % 2:
            raise errors.error(400, "22023", "invalid hexadecimal data: odd number of digits")
        return bytes.fromhex(digits)
