"""Filters: predicates over stored values, as SQL decides them.

A filter can be asked whether it matches a row, which keys could match at all (`points`), what the least value of
a column is in any match (`least`), and what is asked of each column by itself (`ranges`).  All but the first are for an
index: they only narrow the rows that are looked at, never the answer.  As in PostgreSQL, an `or` gives points alone.

Source: PostgreSQL documentation, "Comparison Functions and Operators".
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from hookbridge.standins.postgrest.kinds import Value
from hookbridge.standins.postgrest.tables import Row, Table

Match = Callable[[Row], bool]
Point = dict[str, Value]
_POINT_LIMIT = 10_000

OPERATORS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
"""What PostgREST's words for comparisons are in SQL."""
_ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "neq": lambda left, right: bool(left != right),
    "gt": lambda left, right: bool(left > right),
    "gte": lambda left, right: bool(left >= right),
    "lt": lambda left, right: bool(left < right),
    "lte": lambda left, right: bool(left <= right),
}
IS: Mapping[str, Callable[[Value], bool]] = {
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


def comparison(table: Table, column: str, operator: str, value: Value) -> Filter:
    """A column compared by one of `OPERATORS` with a value of its type; null compares with nothing."""
    ordered, compare = table.type_of(column).ordered, _ORDERINGS[operator]
    right = ordered(value)
    points = [{column: value}] if operator == "eq" else None
    least = {column: right} if operator in {"eq", "gt", "gte"} else None

    def matches(row: Row) -> bool:
        left = row.values[column]
        return left is not None and compare(ordered(left), right)

    return Filter(matches, points=points, least=least, ranges=None if operator == "neq" else {column: matches})


def distinct(table: Table, column: str, value: Value) -> Filter:
    """`is distinct from`: null differs from every value."""
    ordered = table.type_of(column).ordered
    right = ordered(value)
    return Filter(lambda row: row.values[column] is None or ordered(row.values[column]) != right)


def member(table: Table, column: str, values: list[Value]) -> Filter:
    """`in`."""
    ordered = table.type_of(column).ordered
    wanted = {ordered(value) for value in values}

    def matches(row: Row) -> bool:
        left = row.values[column]
        return left is not None and ordered(left) in wanted

    return Filter(matches, points=[{column: value} for value in values])


def being(column: str, word: str) -> Filter:
    """`is`, with one of the words of `IS`."""
    test = IS[word]
    return Filter(lambda row: test(row.values[column]))


def negation(column: str, positive: Filter, *, null_counts: bool, is_null: bool) -> Filter:
    """`not`.  SQL: `not (null = 1)` is null, so a null never matches a negated comparison either."""

    def negated(row: Row) -> bool:
        return (null_counts or row.values[column] is not None) and not positive.matches(row)

    return Filter(negated, ranges={column: negated} if is_null else None)
