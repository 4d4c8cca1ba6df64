"""Types with values inside: jsonb, json, and arrays of any type.

Sources: PostgreSQL documentation, "JSON Types" (jsonb's order), "Arrays" (input and output); errors as recorded.
"""

import re
from decimal import Decimal
from typing import Any, cast

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.jsonb import JSON_NULL, Json, jsonb_order, jsonb_text, read_json
from hookbridge.standins.postgrest.kinds import Text, Value

_QUOTED_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE_ELEMENT = re.compile(r'(?:[^"\\{},]|\\.)+', re.DOTALL)
_NEEDS_QUOTES = re.compile(r'[{},"\\\s]|^$|^null$', re.IGNORECASE)


class JsonColumn(Text):
    """jsonb, and the base of json.  `JSON_NULL` is JSON's null in it, None is SQL's."""

    def parse(self, text: str) -> Value:
        try:
            value = read_json(text)
        except ValueError:
            details = f'Token "{text}" is invalid.'
            raise errors.error(400, "22P02", "invalid input syntax for type json", details=details) from None
        return JSON_NULL if value is None else value

    def store(self, value: object) -> Value:
        return value

    def out(self, value: Value) -> Json:
        return None if value is JSON_NULL else cast("Json", value)

    def text(self, value: Value) -> str:
        return jsonb_text(self.out(value))

    def spaced(self, value: Value) -> str:
        return self.text(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        # PostgreSQL's own note: for historical reasons an empty array at the top is less than null.
        return (-1,) if value == [] else _rank(self.out(value))


def _rank(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any JSON
    """Null, strings, numbers, booleans, arrays, objects; those of one kind by how many they hold, then by each."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return 3, value
    if isinstance(value, str):
        return 1, value
    if isinstance(value, list | tuple):
        return 4, len(value), *map(_rank, value)
    if isinstance(value, dict):
        # Members lie in the order of jsonb, and are compared by the text of their keys.
        return 5, len(value), *((key, _rank(value[key])) for key in sorted(value, key=jsonb_order))
    return 2, value if isinstance(value, int | Decimal) else Decimal(repr(value))


class JsonText(JsonColumn):
    """json: what is given as bytes is kept as it is written, with what no other column can hold.  Has no operators."""

    def out(self, value: Value) -> Json:
        return value.decode() if isinstance(value, bytes) else super().out(value)

    def text(self, value: Value) -> str:
        return value.decode() if isinstance(value, bytes) else super().text(value)

    def allow(self, operator: str) -> None:
        if operator == "order":
            message = "could not identify an ordering operator for type json"
            hint = "Use an explicit ordering operator or modify the query."
            raise errors.error(404, "42883", message, hint=hint)
        raise errors.no_operator("json", "=" if operator == "in" else operator)


class Array(Text):
    """An array of another type."""

    def __init__(self, name: str, element: Text) -> None:
        super().__init__(name)
        self._element = element

    def parse(self, text: str) -> Value:
        return _Literal(text, self._element).parse()

    def store(self, value: object) -> Value:
        if isinstance(value, list | tuple):
            return [self.store(each) if isinstance(each, list) else self._element.store(each) for each in value]
        return super().store(value)

    def out(self, value: Value) -> Json:
        return None if value is None else [self._of(each).out(each) for each in value]

    def text(self, value: Value) -> str:
        return "{" + ",".join(map(self._element_text, value)) + "}"

    def compact(self, value: Value) -> str:
        return "null" if value is None else "[" + ",".join(self._of(each).compact(each) for each in value) + "]"

    def spaced(self, value: Value) -> str:
        return "null" if value is None else "[" + ", ".join(self._of(each).spaced(each) for each in value) + "]"

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return tuple((each is None, None if each is None else self._of(each).ordered(each)) for each in value)

    def allow(self, operator: str) -> None:
        if operator == "in":
            raise errors.error(400, "42704", f"could not find array type for data type {self.name}")
        self._element.allow(operator)

    def _of(self, element: Value) -> Text:
        return self if isinstance(element, list) else self._element

    def _element_text(self, element: Value) -> str:
        if element is None:
            return "NULL"
        text = self._of(element).text(element)
        if isinstance(element, list) or not _NEEDS_QUOTES.search(text):
            return text
        escaped = text.replace("\\", r"\\").replace('"', r"\"")
        return f'"{escaped}"'


class _Literal:
    """Parser of `{1,"two",NULL,{3}}`."""

    def __init__(self, text: str, element: Text) -> None:
        self._text = text
        self._element = element
        self._position = 0

    def parse(self) -> list[Value]:
        self._skip_spaces()
        if self._text.startswith("[", self._position):
            raise self._malformed('Missing "]" after array dimensions.')
        if not self._text.startswith("{", self._position):
            raise self._malformed('Array value must start with "{" or dimension information.')
        members = self._members()
        if self._position != len(self._text):
            raise self._malformed("Junk after closing right brace.")
        return members

    def _members(self) -> list[Value]:
        self._step("{")
        members: list[Value] = []
        if self._text.startswith("}", self._position):
            self._step("}")
            return members
        while True:
            members.append(self._member())
            self._skip_spaces()
            if self._text.startswith("}", self._position):
                self._step("}")
                return members
            self._step(",")

    def _member(self) -> Value:
        if self._text.startswith("{", self._position):
            return self._members()
        if found := _QUOTED_ELEMENT.match(self._text, self._position):
            self._position = found.end()
            return self._element.parse(re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL))
        if found := _BARE_ELEMENT.match(self._text, self._position):
            self._position = found.end()
            bare = found[0].strip()
            return None if bare.lower() == "null" else self._element.parse(re.sub(r"\\(.)", r"\1", bare))
        raise self._unexpected()

    def _step(self, sign: str) -> None:
        if not self._text.startswith(sign, self._position):
            raise self._unexpected()
        self._position += 1
        self._skip_spaces()

    def _skip_spaces(self) -> None:
        rest = self._text[self._position :]
        self._position += len(rest) - len(rest.lstrip())

    def _unexpected(self) -> errors.WireError:
        if self._position >= len(self._text):
            return self._malformed("Unexpected end of input.")
        sign = self._text[self._position]
        return self._malformed(f'Unexpected "{sign}" character.' if sign in "{}," else "Unexpected array element.")

    def _malformed(self, details: str) -> errors.WireError:
        return errors.error(400, "22P02", f'malformed array literal: "{self._text}"', details=details)
