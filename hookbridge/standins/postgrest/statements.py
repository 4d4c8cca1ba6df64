"""What a statement costs: how many rows PostgreSQL looks at for it, given the indexes of its table.

A btree serves an order from where the conditions on its leading columns begin: equalities, then a least value, or that
there is a value.  What else the filter says is looked at row by row.  An `or` of several conditions begins nowhere.
Counting exactly, and sorting, look at all that these conditions leave.  Sources: PostgreSQL documentation, "Multicolumn
Indexes", "Indexes and ORDER BY".
"""

from itertools import takewhile

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.filters import Filter
from hookbridge.standins.postgrest.parsing import OrderTerm
from hookbridge.standins.postgrest.query import Query, sort
from hookbridge.standins.postgrest.tables import Row, Table

_EVERY_ROW = Filter(lambda _: True)


def refuse_slow(table: Table, query: Query, most: int, *, counted: bool) -> None:
    """Raise 57014 for a statement that looks at more rows than the table's `looked_at_max`; `most` are wanted."""
    if table.looked_at_max is None:
        return
    points = (query.filter or _EVERY_ROW).points
    if points is not None and all(column in point for point in points for column in table.key):
        return
    cost = min(_cost(table, index, query, most, counted=counted) for index in (table.key, *table.indexes))
    if cost > table.looked_at_max:
        raise errors.statement_timeout()


def _cost(table: Table, index: tuple[str, ...], query: Query, most: int, *, counted: bool) -> int:
    wanted = query.filter or _EVERY_ROW
    fixed = wanted.points[0] if wanted.points is not None and len(wanted.points) == 1 else {}
    rest = index[len(list(takewhile(fixed.__contains__, index))) :]
    left = [row for row in table.rows.values() if _is_within(row, index, len(index) - len(rest), wanted)]
    order = tuple(term for term in query.order if term.column not in fixed)
    if counted or not _serves(rest, order):
        return len(left)
    found = looked = 0
    last = None
    for row in sort(table, left, order):
        value = row.values[order[0].column] if order else None
        # Columns that the index lacks are sorted among rows of one value, all of which are looked at.
        if found >= most and (len(order) <= len(rest) or value != last):
            break
        last = value
        looked += 1
        found += wanted.matches(row)
    return looked


def _is_within(row: Row, index: tuple[str, ...], fixed: int, wanted: Filter) -> bool:
    """Whether the conditions on the index's leading columns leave this row: `fixed` equalities and one range."""
    return all(wanted.ranges[column](row) for column in index[: fixed + 1] if column in wanted.ranges)


def _serves(index: tuple[str, ...], order: tuple[OrderTerm, ...]) -> bool:
    """Whether the index, read in either direction, begins with this order."""
    if not order:
        return True
    forwards = all(not term.descending and not term.nulls_first for term in order)
    backwards = all(term.descending and term.nulls_first for term in order)
    return index[:1] == (order[0].column,) and (forwards or backwards)
