"""In which order a table's records are listed: keys that are numbers by their value, all others as texts.

Pure.  A record's place in its table is its ordinal and then its id, both compared as texts, character by character; so
any engine's index over the two is that order.  ``ordinal_1`` of Postgres' first schema is the same rule.
"""

from __future__ import annotations

import re

from hookbridge.model import RecordKey

_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]{0,37})(\.[0-9]+)?", re.ASCII)
_NINES = str.maketrans("0123456789", "9876543210")

Place = tuple[str, str, str, str]
"""Where a record stands in a list by name: source, table, ordinal, id."""


def ordinal(id_: str) -> str:
    """Give the text by which an id sorts before its own: ``~`` where no part of it is a number, behind all numbers."""
    parts = id_.split(",")
    if not any(map(_NUMBER.fullmatch, parts)):
        return "~"
    return ",".join(map(_sorting, parts))


def _sorting(part: str) -> str:
    """Write a number so that such texts sort as the numbers do: the longer is the larger one, of negatives the smaller.

    What is no number stays as it is.
    """
    number = _NUMBER.fullmatch(part)
    if number is None:
        return part
    minus, digits, fraction = number.groups(default="")
    if not minus:
        return f"{len(digits):02}{digits}{fraction}"
    return f"-{99 - len(digits):02}{(digits + fraction).translate(_NINES)}~"


def place(record: RecordKey) -> Place:
    """Give a record's place in a list by name."""
    return record.source, record.table, ordinal(record.id), record.id
