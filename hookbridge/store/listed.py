"""How far a page of a list looks, what its filters mean, and where the next one goes on, the same in every engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby, product
from operator import itemgetter
from typing import Any, TypeVar, cast

from hookbridge.model import SOURCES, Outcome, SourceName
from hookbridge.store.values import DeadGroup, DeadGroups, DeadOfTable, EventFilter, RecordFilter

LOOKED_AT = 20_000
"""A page looks at so many rows, says where the next one goes on, and ends."""

WORDS_MAX = 8
"""More words than this narrow no further."""

GROUPS_MAX = 100
"""So many groups of dead letters are shown, the largest ones."""

TABLES_MAX = 20
"""So many tables of each of them are."""

DEAD_GROUPS = """
WITH
by_table AS ({by_table}),
placed AS (
    SELECT *, sum(number) OVER of_kind AS total, max(newest) OVER of_kind AS last_one,
           row_number() OVER (PARTITION BY kind ORDER BY number DESC, newest DESC) AS place
    FROM by_table WINDOW of_kind AS (PARTITION BY kind)
),
ranked AS (
    SELECT *, dense_rank() OVER (ORDER BY total DESC, last_one DESC) AS standing,
           min(first_at) OVER of_kind AS first_of_all, max(last_at) OVER of_kind AS last_of_all
    FROM placed WINDOW of_kind AS (PARTITION BY kind)
)
SELECT kind, total, last_one, ({reason}), first_of_all, last_of_all, of_table, number, first_at, last_at
FROM ranked WHERE standing <= ? AND place <= ? ORDER BY standing, place
"""
"""Groups and their tables, the largest first.

``by_table`` gives them as kind, of_table (``source:table``), number, newest, first_at and last_at; ``reason`` that of
the event ``last_one``.
"""

EVERYTHING = EventFilter()
DEAD = EventFilter(outcome=Outcome.DEAD)

Row = TypeVar("Row", bound=Sequence[Any])


def cut(found: list[Row], limit: int, end: int | None) -> tuple[list[Row], int | None]:
    """Give a page of rows that begin with an event's id, of which one more was looked for, and its cursor.

    ``end`` is the last event that was looked at; None when that is the oldest one there is.
    """
    return (found[:limit], found[limit - 1][0]) if len(found) > limit else (found, end)


def dead_groups(rows: Sequence[Sequence[Any]], *, whole: bool) -> DeadGroups:
    """Make groups of the rows of ``DEAD_GROUPS``.

    One more was looked for than are shown; ``whole`` says that all dead letters were looked at.
    """
    groups = tuple(_dead_group(tuple(some)) for _, some in groupby(rows, key=itemgetter(0)))
    return DeadGroups(groups[:GROUPS_MAX], complete=whole and len(groups) <= GROUPS_MAX)


def _dead_group(rows: Sequence[Sequence[Any]]) -> DeadGroup:
    kind, count, newest, reason, first_at, last_at, *_ = rows[0]
    tables = tuple(_of_table(*row[6:]) for row in rows)
    return DeadGroup(
        kind=kind, count=int(count), newest=newest, reason=reason, first_at=first_at, last_at=last_at, tables=tables
    )


def _of_table(name: str, count: int, first_at: float, last_at: float) -> DeadOfTable:
    source, _, table = name.partition(":")
    return DeadOfTable(source=cast("SourceName", source), table=table, count=count, first_at=first_at, last_at=last_at)


def beginnings(which: EventFilter | RecordFilter) -> list[tuple[str, ...]]:
    """Give what the names that are meant begin with: tables, a source, or nothing."""
    if which.tables:
        return sorted(product(SOURCES if which.source is None else (which.source,), which.tables))
    return [() if which.source is None else (which.source,)]


def names(which: EventFilter | RecordFilter) -> list[str]:
    """Give the names that are meant, where their tables and ids are given, in their order."""
    return sorted(":".join((*table, id_)) for table in beginnings(which) for id_ in which.record_ids)


def spellings(word: str) -> list[str]:
    """Give the forms in which a body may have a word: many senders write only ASCII."""
    escaped = json.dumps(word)[1:-1]
    return [word] if escaped == word else [word, escaped]
