"""Which known name a wrong one may have meant: the hints of PostgreSQL (columns) and of PostgREST (tables).

Sources: PostgreSQL's `updateFuzzyAttrMatch` (parse_relation.c); PostgREST's fuzzy set with its least score of 0.75.
"""

from collections.abc import Iterable

_MOST_CHANGES = 3
_LEAST_SCORE = 0.75
_MOST_HINTS = 2


def changes(left: str, right: str) -> int:
    """How many letters have to be put in, taken out or replaced (Levenshtein's distance)."""
    row = list(range(len(right) + 1))
    for index, letter in enumerate(left, start=1):
        above, row = row, [index]
        for other_index, other in enumerate(right):
            row.append(min(above[other_index + 1] + 1, row[-1] + 1, above[other_index] + (letter != other)))
    return row[-1]


def similar_columns(wrong: str, known: Iterable[str]) -> list[str]:
    """The columns that are nearest; none if most of the name is wrong, or if many are as near."""
    most = min(_MOST_CHANGES, len(wrong) // 2)
    distances = {name: changes(name, wrong) for name in known}
    least = min(distances.values(), default=most + 1)
    nearest = [name for name, distance in distances.items() if distance == least]
    return nearest if least <= most and len(nearest) <= _MOST_HINTS else []


def similar_table(wrong: str, known: Iterable[str]) -> str | None:
    """The table that is written most alike, in any case of its letters."""
    scores = {name: _score(name.lower(), wrong.lower()) for name in known}
    best = max(scores, key=scores.__getitem__, default=None)
    return best if best is not None and scores[best] >= _LEAST_SCORE else None


def _score(left: str, right: str) -> float:
    return 1 - changes(left, right) / max(len(left), len(right), 1)
