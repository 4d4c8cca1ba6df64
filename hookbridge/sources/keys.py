"""A record's id as text, from its key columns and back.

One key column: its plain text.  Several: each percent-encoded, joined by commas in the configured order.  Invariant:
``values(text, n)`` gives the texts that ``text`` was made of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import quote, unquote

KeyValue = str | int | bool | Decimal

_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def text(value: KeyValue) -> str:
    """Give a key column's value as text: integers by their digits, UUIDs in lower case, booleans as JSON has them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and len(value) == 36 and _UUID.fullmatch(value):  # noqa: PLR2004  a UUID with dashes
        return value.lower()
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


def dashed(id_: str) -> str:
    """Give a UUID in its one form, lower case with dashes; what is none stays as it is (Notion sends both forms)."""
    if not _UUID.fullmatch(id_):
        return id_
    digits = id_.replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
