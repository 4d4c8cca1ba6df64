"""`select`: which columns of a row are answered, under which names, as which text.

Known are `*`, `column`, `alias:column`, `column::text` and a path into JSON (`column->key->0`, `column->>key`).

Source: PostgREST documentation, "Tables and Views": vertical filtering, JSON columns.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.jsonb import Json, jsonb_text, quoted, read_json
from hookbridge.standins.postgrest.kinds import Text
from hookbridge.standins.postgrest.parsing import Reader
from hookbridge.standins.postgrest.tables import Row, Table

Render = Callable[[Row], str]
_STEP = re.compile(r"(->>?)(-?\w+)")
_AGGREGATE = re.compile(r"(?:count|(?:[^,()]*\.)?(?:count|sum|avg|max|min))\(\)")
_CAST = re.compile(r"::(\w+)")
_WHAT = "select parameter"


class _Selected(msgspec.Struct, frozen=True):
    label: str
    column: str
    show: Callable[[Any], str]


def renderer(table: Table, select: str) -> Render:
    """How a row is written for this selection."""
    if select in {"", "*"}:
        return lambda row: row.compact(table.types)
    members = _selection(table, Reader(_WHAT, select))
    return lambda row: (
        "{" + ",".join(f"{quoted(each.label)}:{each.show(row.values[each.column])}" for each in members) + "}"
    )


def _selection(table: Table, reader: Reader) -> list[_Selected]:
    members: list[_Selected] = []
    while True:
        reader.skip_spaces()
        if reader.match(_AGGREGATE):
            raise errors.error(400, "PGRST123", "Use of aggregate functions is not allowed")
        if reader.takes("*"):
            members += [_Selected(name, name, kind.compact) for name, kind in table.types.items()]
        else:
            members.append(_selected(table, reader))
        if reader.takes_lexeme(","):
            continue
        reader.skip_spaces()
        if reader.is_at_end():
            return members
        reader.refuse('"," or end of input')


def _selected(table: Table, reader: Reader) -> _Selected:
    label = column = reader.name()
    if not reader.text.startswith("::", reader.position) and reader.takes(":"):
        column = reader.name()
    kind = table.type_of(column)
    show: Callable[[Any], str] = kind.compact
    steps: list[tuple[str, str]] = []
    while step := reader.match(_STEP):
        steps.append((step[1], step[2]))
    if steps:
        label = steps[-1][1] if label == column else label
        return _Selected(label, column, _inside(kind, steps))
    if cast := reader.match(_CAST):
        if cast[1] != "text":
            reader.refuse("a cast to text, the only one that this stand-in knows")
        show = _as_text(kind)
    return _Selected(label, column, show)


def _as_text(kind: Text) -> Callable[[Any], str]:
    return lambda value: "null" if value is None else quoted(kind.text(value))


def _inside(kind: Text, steps: list[tuple[str, str]]) -> Callable[[Any], str]:
    """What lies at the end of a path; `->>` gives its text."""

    def show(value: Any) -> str:  # noqa: ANN401 - the type belongs to the column
        found = read_json(value) if isinstance(value, bytes) else kind.out(value)
        for _, key in steps:
            found = _member(found, key)
        if found is None or steps[-1][0] == "->":
            return jsonb_text(found)
        return quoted(found if isinstance(found, str) else jsonb_text(found))

    return show


def _member(value: Json, key: str) -> Json:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and re.fullmatch(r"-?\d+", key) and -len(value) <= int(key) < len(value):
        return value[int(key)]
    return None
