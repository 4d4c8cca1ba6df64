"""A read: the query string of one GET or HEAD, and the rows it finds.

Rows are found through the key when a filter names keys, else through a sorted list that is kept until the table changes
(a keyset page starts in it by bisection), else by looking at all of them.

Sources: PostgREST documentation, "Tables and Views" (select, order), "Pagination and Count"; order of null values as in
PostgreSQL: last when ascending, first when descending.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.columns import Text
from hookbridge.standins.postgrest.filters import Filter, LogicTree, all_of, condition, item
from hookbridge.standins.postgrest.jsonb import quoted
from hookbridge.standins.postgrest.tables import Row, Table

_LOGIC = frozenset({"and", "or", "not.and", "not.or"})
_NOT_FILTERS = frozenset({"select", "order", "limit", "offset", "columns", "on_conflict"})

Sorted = dict[tuple[str, str, str], tuple[int, list[Row]]]
"""Sorted lists by (schema, table, order), each with the table version it is of."""


class Order(msgspec.Struct, frozen=True):
    """One column of `order`."""

    column: str
    descending: bool
    nulls_first: bool


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed query string."""

    render: Callable[[Row], str]
    filter: Filter | None
    order: tuple[Order, ...]
    order_text: str
    limit: int | None
    offset: int


def parse_query(table: Table, query_string: str) -> Query:
    """Parse a raw query string against a table; raises what PostgREST answers to a bad one."""
    parameters = parse_qsl(query_string, keep_blank_values=True)
    plain = dict(parameters)
    parts = [_filter(table, name, text) for name, text in parameters if name not in _NOT_FILTERS]
    order_text = plain.get("order", "")
    return Query(
        render=_renderer(table, plain.get("select", "*")),
        filter=all_of(parts) if parts else None,
        order=tuple(_orders(table, order_text)),
        order_text=order_text,
        limit=_whole(plain.get("limit")),
        offset=_whole(plain.get("offset")) or 0,
    )


def _whole(text: str | None) -> int | None:
    """A number of rows; like PostgREST, what is none counts as not given."""
    return int(text) if text is not None and text.isdecimal() else None


def _filter(table: Table, name: str, text: str) -> Filter:
    if name in _LOGIC:
        return LogicTree(table, text).parse(name)
    column, end = item(name, 0, ".")
    if end < len(name):
        raise errors.not_embedded(column)
    return condition(table, column, text)


def _orders(table: Table, text: str) -> Iterable[Order]:
    position = 0
    while position < len(text):
        column, start = item(text, position, ".,")
        table.type_of(column)
        end = text.find(",", start) if "," in text[start:] else len(text)
        words = text[start:end].split(".")[1:]
        if not set(words) <= {"asc", "desc", "nullsfirst", "nullslast"}:
            raise errors.unparsable("order", text[position:end])
        descending = "desc" in words
        yield Order(column, descending, "nullsfirst" in words or (descending and "nullslast" not in words))
        position = end + 1


def _renderer(table: Table, select: str) -> Callable[[Row], str]:
    """How a row is written for this selection: `*`, columns, `alias:column`, `column::text`."""
    if select in {"", "*"}:
        return lambda row: row.compact(table.types)
    members: list[tuple[str, str, Callable[[Any], str]]] = []
    for selected in select.split(","):
        if selected == "*":
            members += [(quoted(name), name, kind.compact) for name, kind in table.types.items()]
        else:
            members.append(_selected(table, selected))
    return lambda row: "{" + ",".join(f"{label}:{show(row.values[name])}" for label, name, show in members) + "}"


def _selected(table: Table, text: str) -> tuple[str, str, Callable[[Any], str]]:
    source, _, cast = text.strip().partition("::")
    alias, colon, name = source.partition(":")
    column = name if colon else alias
    kind = table.type_of(column)
    if cast not in {"", "text"}:
        raise errors.unparsable("select parameter", text)
    return quoted(alias), column, _as_text(kind) if cast else kind.compact


def _as_text(kind: Text) -> Callable[[Any], str]:
    def show(value: Any) -> str:  # noqa: ANN401 - the type belongs to the column
        shown = kind.compact(value)
        return shown if value is None or shown.startswith('"') else quoted(shown)

    return show


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


def sort(table: Table, rows: Iterable[Row], order: tuple[Order, ...]) -> list[Row]:
    """Sort by several columns; stable, so that ties stay in heap order."""
    ordered = list(rows)
    for term in reversed(order):
        ordered.sort(key=_sort_key(table, term), reverse=term.descending)
    return ordered


def _sort_key(table: Table, term: Order) -> Callable[[Row], tuple[int, Any]]:
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
