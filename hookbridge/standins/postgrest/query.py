"""A read: the query string of one GET or HEAD, and the rows it finds.

Rows are found through the key when a filter names keys, else through a sorted list that is kept until the table changes
(a keyset page starts in it by bisection), else by looking at all of them.

Sources: PostgREST documentation, "Tables and Views" (select, order), "Pagination and Count"; order of null values as in
PostgreSQL: last when ascending, first when descending.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.filters import (
    OPERATORS,
    Filter,
    all_of,
    any_of,
    being,
    comparison,
    distinct,
    member,
    negation,
)
from hookbridge.standins.postgrest.kinds import Text, Value
from hookbridge.standins.postgrest.parsing import (
    LOGIC,
    Condition,
    OrderTerm,
    Reader,
    Tree,
    parse_condition,
    parse_order,
    parse_tree,
)
from hookbridge.standins.postgrest.selecting import Render, renderer
from hookbridge.standins.postgrest.tables import Row, Table

_RANGE = re.compile(r"(\d+)-(\d*)", re.ASCII)
_NOT_FILTERS = frozenset({"select", "order", "limit", "offset", "columns", "on_conflict"})

Sorted = dict[tuple[str, str, str], tuple[int, list[Row]]]
"""Sorted lists by (schema, table, order), each with the table version it is of."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed query string."""

    render: Render
    filter: Filter | None
    order: tuple[OrderTerm, ...]
    order_text: str
    limit: int | None
    offset: int


def parse_query(table: Table, query_string: str) -> Query:
    """Parse a raw query string against a table; raises what PostgREST answers to a bad one."""
    parameters = parse_qsl(query_string, keep_blank_values=True)
    plain = dict(parameters)
    parts = [_filter(table, name, text) for name, text in parameters if name not in _NOT_FILTERS]
    order = tuple(parse_order(plain["order"])) if "order" in plain else ()
    for term in order:
        table.type_of(term.column).allow("order")
    return Query(
        render=renderer(table, plain.get("select", "*")),
        filter=all_of(parts) if parts else None,
        order=order,
        order_text=plain.get("order", ""),
        limit=_limit(plain.get("limit")),
        offset=_whole(plain.get("offset")) or 0,
    )


def narrowed(query: Query, header: str) -> Query:
    """What a `Range: <first>-<last>` header leaves of the query's own window; one of another form is none."""
    asked = _RANGE.fullmatch(header)
    if asked is None:
        return query
    first, last = int(asked[1]), int(asked[2]) if asked[2] else None
    if last is not None and first > last:
        details = "The lower boundary must be lower than or equal to the upper boundary in the Range header."
        raise errors.unsatisfiable_range(details)
    ends = [query.offset + query.limit] if query.limit is not None else []
    ends += [last + 1] if last is not None else []
    offset = max(query.offset, first)
    return msgspec.structs.replace(query, offset=offset, limit=max(min(ends) - offset, 0) if ends else None)


def _limit(text: str | None) -> int | None:
    if text is not None and text.startswith("-") and _whole(text[1:]):
        raise errors.unsatisfiable_range("Limit should be greater than or equal to zero.")
    return _whole(text)


def _whole(text: str | None) -> int | None:
    """A number of rows; like PostgREST, what is none counts as not given."""
    return int(text) if text is not None and text.isdecimal() else None


def _filter(table: Table, name: str, text: str) -> Filter:
    if name in LOGIC:
        return _of_tree(table, parse_tree(name, text))
    reader = Reader("tree path", name)
    column = reader.name()
    if reader.takes("."):
        raise errors.not_embedded(column)
    return _of_tree(table, parse_condition(column, text))


def _of_tree(table: Table, tree: Condition | Tree) -> Filter:
    if isinstance(tree, Condition):
        positive = _of_condition(table, tree)
        if not tree.is_negated:
            return positive
        is_null = tree.operator == "is" and tree.value == "null"
        return negation(tree.column, positive, null_counts=tree.operator in {"is", "isdistinct"}, is_null=is_null)
    members = [_of_tree(table, member) for member in tree.members]
    whole = all_of(members) if tree.operator == "and" else any_of(members)
    return Filter(lambda row: not whole.matches(row)) if tree.is_negated else whole


def _of_condition(table: Table, asked: Condition) -> Filter:
    kind = table.type_of(asked.column)
    if isinstance(asked.value, list):
        kind.allow("in")
        return member(table, asked.column, [_parsed(kind, each) for each in asked.value])
    if asked.operator == "is":
        return being(asked.column, asked.value)
    if asked.operator == "isdistinct":
        kind.allow("=")
        return distinct(table, asked.column, _parsed(kind, asked.value))
    kind.allow(OPERATORS[asked.operator])
    return comparison(table, asked.column, asked.operator, _parsed(kind, asked.value))


def _parsed(kind: Text, text: str) -> Value:
    """A value of the column's type; PostgREST hands its text over as C does, so that it ends at a NUL (measured)."""
    return kind.parse(text.partition("\0")[0])


def find(table: Table, query: Query, kept: Sorted, most: int | None = None) -> list[Row]:
    """The rows that the query matches, in its order, before limit and offset; `most` ends the search early."""
    matches = query.filter.matches if query.filter else None
    rows = _by_key(table, query.filter)
    if rows is not None:
        found = [row for row in rows if matches is None or matches(row)]
        return sort(table, table.visible(found), query.order)
    ordered = _kept(table, query, kept)
    start = _start(table, query, ordered)
    visible = table.visible(islice(ordered, start, None))
    found_in_order = filter(matches, visible) if matches else visible
    return list(islice(found_in_order, most))


def _by_key(table: Table, wanted: Filter | None) -> list[Row] | None:
    """The rows of the keys that the filter names, in key order; None when it does not name whole keys."""
    if wanted is None or wanted.points is None:
        return None
    keys = set()
    for point in wanted.points:
        if any(column not in point for column in table.key):
            return None
        keys.add(tuple(point[column] for column in table.key))
    return [table.rows[key] for key in sorted(keys) if key in table.rows]


def _kept(table: Table, query: Query, kept: Sorted) -> list[Row]:
    name = (table.schema, table.name, query.order_text)
    version, rows = kept.get(name, (-1, []))
    if version != table.version:
        rows = sort(table, table.rows.values(), query.order)
        kept[name] = (table.version, rows)
    return rows


def sort(table: Table, rows: Iterable[Row], order: tuple[OrderTerm, ...]) -> list[Row]:
    """Sort by several columns; stable, so that ties stay in heap order."""
    ordered = list(rows)
    for term in reversed(order):
        ordered.sort(key=_sort_key(table, term), reverse=term.descending)
    return ordered


def _sort_key(table: Table, term: OrderTerm) -> Callable[[Row], tuple[int, Any]]:
    column, rank = term.column, table.types[term.column].ordered
    # In a reversed sort the greater tuple comes first.
    null = (int(term.nulls_first == term.descending) * 2 - 1, 0)

    def key(row: Row) -> tuple[int, Any]:
        value = row.values[column]
        return null if value is None else (0, rank(value))

    return key


def _start(table: Table, query: Query, ordered: list[Row]) -> int:
    """Where in the sorted rows the first match can be."""
    if not query.order or query.order[0].descending or query.filter is None:
        return 0
    first = query.order[0]
    least = query.filter.least.get(first.column)
    if least is None:
        return 0
    return bisect_left(ordered, (0, least), key=_sort_key(table, first))
