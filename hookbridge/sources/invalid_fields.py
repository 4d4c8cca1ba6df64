"""What a 422 says of a webhook's body: every field that is wrong, and what was expected there.

msgspec stops at the first error; where a body is wrong, its fields are looked at one by one, and only then.  Which
fields a format has, its ``payloads`` say, and ``guide``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookbridge.errors import FieldProblem, InvalidFields
from hookbridge.names import NAME_EXPECTED, is_name
from hookbridge.sources.bodies import Part, is_object, kind
from hookbridge.sources.ids import IdRule

SHOWN_MAX = 40


def shown(text: str) -> str:
    """Quote a sender's text for a message, cut where it is long."""
    return f'"{text}"' if len(text) <= SHOWN_MAX else f'"{text[:SHOWN_MAX]}…"'


class BodyFields:
    """Looks at the fields of an object one by one and collects what is wrong with them, in the guide's form."""

    def __init__(self, values: Mapping[str, Any], *, at: tuple[str | int, ...] = ("body",)) -> None:
        self.values = values
        self.at = at
        self.problems: list[FieldProblem] = []

    def wrong(self, name: str | tuple[str, ...], msg: str, type_: str) -> None:
        """Note a problem with a field, or with one inside it (a tuple of names)."""
        path = (name,) if isinstance(name, str) else name
        self.problems.append(FieldProblem((*self.at, *path), msg, type_))

    def join(self, inner: BodyFields) -> None:
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
