"""What is asked of a table, in filters and orders as PostgREST reads them (https://docs.postgrest.org/en/stable/references/api/tables_views.html).

Every filter goes inside ``or=(…)``: there a column may have any name, while at the top of the query ``offset`` would
be a parameter and a dot would lead into another table.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

import msgspec

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_-]+")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a table, in which order: so that an index on the columns of ``order`` gives them, and no others."""

    order: tuple[str, ...]
    descending: bool = False
    """From the end of the index, which has the rows without a value there: they are left out."""
    since: tuple[str, str] | None = None
    """A column and the least value of it."""
    after: tuple[str, ...] = ()
    """Values of the first columns of ``order`` behind which it begins (keyset paging: nothing that comes shifts it)."""
    within: int = 0
    """In how many of these columns only rows with the same value are asked for."""
    limit: int
    count: Literal["planned", "exact"] | None = None
    """Whether to ask how many rows match: an exact count scans all of them, the planner's guess none."""


def name(column: str) -> str:
    """Write a column's name."""
    return column if _PLAIN_NAME.fullmatch(column) else _quoted(column)


def named(key: Sequence[str], ids: Sequence[Sequence[str]]) -> str:
    """Give the condition of the rows that have one of these values in their key columns."""
    if len(key) > 1:
        return ",".join(_member(key, id_) for id_ in ids)
    column = name(key[0])
    # in.("") is an empty list to PostgREST (14.13, measured), whatever rows there are; eq."" is the empty text.
    members = ",".join(_value(value) for (value,) in ids if value)
    ways = [f"{column}.in.({members})"] if members else []
    return ",".join([*ways, f"{column}.eq.{_value('')}"] if any(not value for (value,) in ids) else ways)


def named_but(key: Sequence[str], id_: Sequence[str], but: Sequence[str]) -> str:
    """Give the condition of the rows that have the one value in their key columns, and not the other."""
    return f"and({_equal(key, id_)},not.and({_equal(key, but)}))"


def url_characters(key: Sequence[str], id_: Sequence[str]) -> int:
    """Give how much longer one id makes the URL."""
    return len(quote(_member(key, id_) + ",", safe=""))


def since(column: str, least: str) -> str:
    """Give the condition of the rows that have at least this value."""
    return f"{name(column)}.gte.{_value(least)}"


def filled(column: str) -> str:
    """Give the condition of the rows that have a value there."""
    return f"{name(column)}.not.is.null"


def behind(order: Sequence[str], after: Sequence[str], within: int) -> str:
    """Give the condition of the rows behind a place, of those that are like it in the first ``within`` columns.

    ``after`` has values of the first columns of ``order``.  Each level names its least value by itself (``a >= 1 and (a
    > 1 or b > 2)``): that is where an index begins, and ``a > 1 or (a = 1 and b > 2)`` names none.
    """
    behind_it = _behind(order[within:], after[within:])
    return f"and({_equal(order[:within], after[:within])},{behind_it})" if within else f"and({behind_it})"


def _behind(order: Sequence[str], after: Sequence[str]) -> str:
    column, value = name(order[0]), _value(after[0])
    if len(after) == 1:
        return f"{column}.gt.{value}"
    return f"{column}.gte.{value},or({column}.gt.{value},and({_behind(order[1:], after[1:])}))"


def _member(key: Sequence[str], id_: Sequence[str]) -> str:
    return _value(id_[0]) if len(key) == 1 else f"and({_equal(key, id_)})"


def _equal(columns: Sequence[str], values: Sequence[str]) -> str:
    return ",".join(f"{name(column)}.eq.{_value(value)}" for column, value in zip(columns, values, strict=True))


def _value(text: str) -> str:
    return text if _PLAIN_VALUE.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
