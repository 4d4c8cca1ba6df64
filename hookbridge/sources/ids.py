"""A record's id: what can be one, and how it is made of a row's key columns and taken apart again.

One key column: its plain text.  Several: each percent-encoded, joined by commas in the configured order.  Invariant:
``values(text, n)`` gives the texts that ``text`` was made of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from urllib.parse import quote, unquote

import msgspec

from hookbridge.model import SourceName

KeyValue = str | int | bool | Decimal

PLAIN_DIGITS_MAX = 1000
"""A number with a larger exponent is written with it: its digits could fill the memory."""


class IdRule(msgspec.Struct, frozen=True):
    """What can be a record's id in one source: for webhooks, for what its listings show, and for requests.

    No path of the API has a place for the empty one.
    """

    pattern: re.Pattern[str]
    expected: str
    """For people."""

    def fits(self, text: str) -> bool:
        """Whether it can be a record's id."""
        return self.pattern.fullmatch(text) is not None


ID_RULES: Mapping[SourceName, IdRule] = {
    # An index of PostgreSQL takes 2704 bytes at the most, which are three times as many percent-encoded; where they can
    # be compressed it takes more, and nobody can ask for those.  No text of PostgreSQL has a zero.
    "supabase": IdRule(re.compile(r"[^\x00]{0,8192}"), "expected at most 8192 characters, none of them U+0000"),
    "notion": IdRule(
        re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,1024}"), "expected 1 to 1024 characters without control characters"
    ),
}


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
    return id_ if columns == 1 else record_id(values(id_, columns))
