"""The words by which search finds a row.

Pure.  All that the chosen columns hold are words; where none are chosen, only prose is, in whatever column.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hookbridge.model import Columns
from hookbridge.sources.supabase.titles import is_prose, title_column
from hookbridge.text import Fields


def fields(values: Columns, index: tuple[str, ...] | None, title: str | None) -> Fields:
    """Give the text that search finds: all that these columns hold, or the prose of all columns.

    ``title`` is the column that is configured to name rows; whatever names this one is a word, however it is written.
    """
    named = title_column(values, title)
    names = values if index is None else index
    texts = {name: _texts(values.get(name), prose=index is None) for name in names if name != named}
    called = str(values[named]) if named is not None and named in names else ""
    return Fields.within(called, (text for column in texts.values() for text in column))


def _texts(value: object, *, prose: bool) -> list[str]:
    if isinstance(value, str):  # most columns are no documents
        return [value] if value and (not prose or is_prose(value)) else []
    leaves = (leaf for leaf in _leaves(value) if isinstance(leaf, str if prose else str | int | Decimal))
    texts = (str(leaf) for leaf in leaves)
    return [text for text in texts if (is_prose(text) if prose else text)]


def _leaves(value: object) -> Iterable[object]:
    """Give what a value holds, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value
