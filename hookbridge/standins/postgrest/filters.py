"""Filters: PostgREST's horizontal filters and logic trees, parsed into predicates over stored values.

A parsed filter can be asked whether it matches a row, which keys could match at all (`points`), what the least value of
a column is in any match (`least`), and what is asked of each column by itself (`ranges`).  All but the first are for an
index: they only narrow the rows that are looked at, never the answer.  As in PostgreSQL, an `or` gives points alone.

Source: PostgREST documentation, "Tables and Views": horizontal filtering, logical operators, reserved characters.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.columns import Value
from hookbridge.standins.postgrest.tables import Row, Table

Match = Callable[[Row], bool]
Point = dict[str, Value]
_POINT_LIMIT = 10_000

_ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "neq": lambda left, right: bool(left != right),
    "gt": lambda left, right: bool(left > right),
    "gte": lambda left, right: bool(left >= right),
    "lt": lambda left, right: bool(left < right),
    "lte": lambda left, right: bool(left <= right),
}
_IS: Mapping[str, Callable[[Value], bool]] = {
    "null": lambda value: value is None,
    "not_null": lambda value: value is not None,
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "unknown": lambda value: value is None,
}


class Filter:
    """A predicate on rows, with what an index could use of it."""

    def __init__(
        self,
        matches: Match,
        *,
        points: list[Point] | None = None,
        least: Mapping[str, Value] | None = None,
        ranges: Mapping[str, Match] | None = None,
    ) -> None:
        self.matches = matches
        self.points = points
        self.least = least or {}
        self.ranges = ranges or {}


def all_of(parts: list[Filter]) -> Filter:
    """`and`."""
    if len(parts) == 1:
        return parts[0]
    tests = [part.matches for part in parts]
    points = _joined([part.points for part in parts if part.points is not None])
    least: dict[str, Value] = {}
    for part in parts:
        for column, value in part.least.items():
            least[column] = max(value, least.get(column, value))
    columns = {column for part in parts for column in part.ranges}
    ranges = {column: _each([part.ranges[column] for part in parts if column in part.ranges]) for column in columns}
    return Filter(_each(tests), points=points, least=least, ranges=ranges)


def _each(tests: list[Match]) -> Match:
    return lambda row: all(test(row) for test in tests)


def any_of(parts: list[Filter]) -> Filter:
    """`or`."""
    if len(parts) == 1:
        return parts[0]
    tests = [part.matches for part in parts]
    points: list[Point] | None = []
    for part in parts:
        points = None if points is None or part.points is None else points + part.points
    return Filter(lambda row: any(test(row) for test in tests), points=points)


def _joined(choices: list[list[Point]]) -> list[Point] | None:
    """Points that satisfy every part: the product of their choices, unless that grows too large to be of use."""
    if not choices:
        return None
    size = 1
    for choice in choices:
        size *= len(choice)
    if size > _POINT_LIMIT:
        return None
    joined = []
    for combination in product(*choices):
        point: Point = {}
        for each in combination:
            point |= each
        joined.append(point)
    return joined


def condition(table: Table, column: str, text: str) -> Filter:
    """One `column=[not.]operator.value`, top-level or inside a logic tree."""
    kind = table.type_of(column)
    operator, dot, operand = text.partition(".")
    if operator == "not" and dot:
        positive = condition(table, column, operand)
        # SQL: `not (null = 1)` is null, so a null never matches a negated comparison either.
        null_counts = operand.startswith("is.")

        def negated(row: Row) -> bool:
            return (null_counts or row.values[column] is not None) and not positive.matches(row)

        return Filter(negated, ranges={column: negated} if operand.lower() == "is.null" else None)
    if not dot:
        raise errors.unparsable("filter", text)
    if operator == "is":
        return _is(column, operand, text)
    if operator == "in":
        return _in(table, column, operand, text)
    if operator not in _ORDERINGS:
        raise errors.unparsable("filter", text)
    value = kind.parse(operand)
    return _comparison(table, column, operator, value)


def _comparison(table: Table, column: str, operator: str, value: Value) -> Filter:
    ordered, compare = table.type_of(column).ordered, _ORDERINGS[operator]
    right = ordered(value)
    points = [{column: value}] if operator == "eq" else None
    least = {column: right} if operator in {"eq", "gt", "gte"} else None

    def matches(row: Row) -> bool:
        left = row.values[column]
        return left is not None and compare(ordered(left), right)

    return Filter(matches, points=points, least=least, ranges=None if operator == "neq" else {column: matches})


def _is(column: str, operand: str, text: str) -> Filter:
    test = _IS.get(operand.lower())
    if test is None:
        raise errors.unparsable("filter", text)
    return Filter(lambda row: test(row.values[column]))


def _in(table: Table, column: str, operand: str, text: str) -> Filter:
    if not (operand.startswith("(") and operand.endswith(")")):
        raise errors.unparsable("filter", text)
    kind = table.type_of(column)
    # PostgREST 14.13 takes ("") for an empty list, whatever the column's type is (measured).
    items = [] if operand == '("")' else list_items(operand[1:-1])
    values = [kind.parse(item) for item in items]
    wanted = {kind.ordered(value) for value in values}

    def matches(row: Row) -> bool:
        left = row.values[column]
        return left is not None and kind.ordered(left) in wanted

    return Filter(matches, points=[{column: value} for value in values])


def list_items(text: str) -> list[str]:
    r"""The values of an `in` list: separated by commas, those in double quotes with `\` escapes."""
    if '"' not in text:
        return text.split(",") if text else []
    items, position = [], 0
    while position <= len(text):
        value, position = item(text, position, ",")
        items.append(value)
        position += 1
    return items


def item(text: str, position: int, stops: str) -> tuple[str, int]:
    """One value or name from `position` up to one of `stops`, without its double quotes, and where it ends."""
    if not text.startswith('"', position):
        end = position
        while end < len(text) and text[end] not in stops:
            end += 1
        return text[position:end], end
    characters, position = [], position + 1
    while position < len(text) and text[position] != '"':
        position += text[position] == "\\"
        characters.append(text[position : position + 1])
        position += 1
    if position >= len(text):
        raise errors.unparsable("filter", text)
    return "".join(characters), position + 1


class LogicTree:
    """Parser of `(a.gt.1,and(b.eq.2,not.or(…)))`."""

    def __init__(self, table: Table, text: str) -> None:
        self._table = table
        self._text = text
        self._position = 0

    def parse(self, operator: str) -> Filter:
        """The whole text as the members of `operator`: `and`, `or`, `not.and`, `not.or`."""
        tree = self._members(operator)
        if self._position != len(self._text):
            raise self._refused()
        return tree

    def _members(self, operator: str) -> Filter:
        self._expect("(")
        members = [self._member()]
        while self._text.startswith(",", self._position):
            self._position += 1
            members.append(self._member())
        self._expect(")")
        tree = all_of(members) if operator.endswith("and") else any_of(members)
        return Filter(lambda row: not tree.matches(row)) if operator.startswith("not.") else tree

    def _member(self) -> Filter:
        for operator in ("and", "or", "not.and", "not.or"):
            if self._text.startswith(operator + "(", self._position):
                self._position += len(operator)
                return self._members(operator)
        column, self._position = item(self._text, self._position, ".,()")
        self._expect(".")
        return condition(self._table, column, self._operand())

    def _operand(self) -> str:
        """`operator.value` of a member; a quoted value loses its quotes, an `in` list keeps its brackets."""
        start = self._position
        while self._text.startswith(("not.", "in."), self._position):
            self._position = self._text.index(".", self._position) + 1
        if self._text.startswith("(", self._position) and self._text[start : self._position].endswith("in."):
            return self._text[start : self._list_end()]
        self._position = self._text.find(".", self._position) + 1 or len(self._text)
        prefix = self._text[start : self._position]
        value, self._position = item(self._text, self._position, ",)")
        return prefix + value

    def _list_end(self) -> int:
        position = self._position
        while not self._text.startswith(")", position):
            _, position = item(self._text, position + 1, ",)")
            if position >= len(self._text):
                raise self._refused()
        self._position = position + 1
        return self._position

    def _expect(self, character: str) -> None:
        if not self._text.startswith(character, self._position):
            raise self._refused()
        self._position += 1

    def _refused(self) -> errors.WireError:
        return errors.unparsable("logic tree", self._text)
