"""How far a page of a list looks, what its filters mean, and where the next one goes on, the same in every engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from typing import Any, TypeVar

from hookbridge.model import SOURCES, Outcome
from hookbridge.store.values import DeadGroup, DeadGroups, EventFilter, RecordFilter

LOOKED_AT = 20_000
"""A page looks at so many rows, says where the next one goes on, and ends."""

WORDS_MAX = 8
"""More words than this narrow no further."""

GROUPS_MAX = 100
"""So many groups of dead letters are shown, the largest ones."""

EVERYTHING = EventFilter()
DEAD = EventFilter(outcome=Outcome.DEAD)

Row = TypeVar("Row", bound=Sequence[Any])


def cut(found: list[Row], limit: int, end: int | None) -> tuple[list[Row], int | None]:
    """Give a page of rows that begin with an event's id, of which one more was looked for, and its cursor.

    ``end`` is the last event that was looked at; None when that is the oldest one there is.
    """
    return (found[:limit], found[limit - 1][0]) if len(found) > limit else (found, end)


def dead_groups(rows: Sequence[Sequence[Any]], *, whole: bool) -> DeadGroups:
    """Make groups of rows of kind, number, newest event, its reason, and when the first and the last died.

    One more was looked for than are shown; ``whole`` says that all dead letters were looked at.
    """
    groups = tuple(
        DeadGroup(kind=kind, count=count, newest=newest, reason=reason, first_at=first_at, last_at=last_at)
        for kind, count, newest, reason, first_at, last_at in rows[:GROUPS_MAX]
    )
    return DeadGroups(groups, complete=whole and len(rows) <= GROUPS_MAX)


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
