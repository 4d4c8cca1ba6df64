"""Where a page of records by name begins, the same in every engine: behind the last name of the page before.

Pure.  Records with a copy stand in the order of ``ordinals``, those with open events in that of their names as texts.
"""

from __future__ import annotations

from collections.abc import Iterator

from hookbridge.model import RecordKey
from hookbridge.store.listed import beginnings
from hookbridge.store.ordinals import place
from hookbridge.store.values import RecordFilter
from hookbridge.store.where import Where

PLACE = ("source", "table_name", "ordinal", "record_id")
"""The columns of a copy that say where it stands."""


def behind(beginning: tuple[str, ...], after: RecordKey | None) -> Where | None:
    """Narrow copies to the names with this beginning and behind the cursor; None where all of them lie before it."""
    where = Where()
    for column, value in zip(PLACE, beginning, strict=False):
        where.add(f"{column} = ?", value)
    if after is not None:
        reached, rest = place(after)[: len(beginning)], place(after)[len(beginning) :]
        if reached > beginning:
            return None
        if reached == beginning:
            # A row value of what the index has behind the equal columns, so that it begins to look there.
            where.add(f"({', '.join(PLACE[len(beginning) :])}) > ({', '.join('?' * len(rest))})", *rest)
    return where


def waiting(which: RecordFilter, after: RecordKey | None) -> Iterator[tuple[str, Where]]:
    """Give what the names that are meant begin with, in their order, each with the dirty rows behind the cursor."""
    for beginning in sorted("".join(f"{part}:" for part in table) for table in beginnings(which)):
        where = Where()
        if after is None or str(after) < beginning:
            where.add("record >= ?", beginning)  # a record whose id is the empty text has just that name
        else:
            where.add("record > ?", str(after))
        if beginning:
            where.add("record < ?", f"{beginning[:-1]};")  # the character after the colon
        yield beginning, where
