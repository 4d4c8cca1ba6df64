"""A record's id as text, from its key columns and back.

One key column: its plain text.  Several: each percent-encoded, joined by commas in the configured order.  Invariant:
``values(text, n)`` gives the texts that ``text`` was made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import quote, unquote

KeyValue = str | int | bool | Decimal

PLAIN_DIGITS_MAX = 1000
"""A number with a larger exponent is written with it: its digits could fill the memory."""


def text(value: KeyValue) -> str:
    """Give a key column's value as text: integers by their digits, booleans as JSON has them, texts as they are.

    A UUID keeps its case: a column of type uuid always writes lower case, and in a text column another case is another
    key.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and abs(value.adjusted()) < PLAIN_DIGITS_MAX:
        return f"{value:f}"  # str() would write 0.0000001 as 1E-7
    return str(value)


def record_id(values: Sequence[KeyValue]) -> str:
    """Join the values of the key columns."""
    if len(values) == 1:
        return text(values[0])
    return ",".join(quote(text(value), safe="") for value in values)


def values(id_: str, columns: int) -> list[str]:
    """Split an id into the texts of that many key columns.  Raises ValueError when it has another number."""
    if columns == 1:
        return [id_]
    parts = id_.split(",")
    if len(parts) != columns:
        msg = f"expected {columns} values separated by commas, got {len(parts)}"
        raise ValueError(msg)
    return [unquote(part) for part in parts]


def normal(id_: str, columns: int) -> str:
    """Give an id as ``record_id`` writes it, for one that came as text.  Raises ValueError as ``values``."""
    return record_id(values(id_, columns))
