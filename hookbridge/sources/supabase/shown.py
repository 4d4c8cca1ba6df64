"""What a person reads of a row's columns.

Pure.
"""

from __future__ import annotations

import msgspec

from hookbridge.model import Columns

_encode = msgspec.json.Encoder(decimal_format="number").encode


def shown(values: Columns) -> dict[str, str | None]:
    """Give a text for each column, in the row's order: texts as they are, others as JSON has them; None for null."""
    return {name: _text(value) for name, value in values.items()}


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _encode(value).decode()
