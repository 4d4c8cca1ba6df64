"""What people call a row.

Pure.  What its table's configured column says; else, of the columns that commonly name something, the first that does.
"""

from __future__ import annotations

from decimal import Decimal

from hookbridge.model import Columns
from hookbridge.names import is_uuid
from hookbridge.sources.times import instant_in

TITLES = ("name", "title", "full_name", "display_name", "label", "subject", "username", "email")
"""The first of these columns that holds prose names a row for people."""


def title(values: Columns, configured: str | None) -> str:
    """Give what people call a row; the empty text where no column says it."""
    named = title_column(values, configured)
    return "" if named is None else str(values[named])


def title_column(values: Columns, configured: str | None) -> str | None:
    """Say which column names a row for people: the configured one where it holds a text or a number.

    None where no column does.
    """
    if configured is not None and _says_something(values.get(configured)):
        return configured
    return next((name for name in TITLES if isinstance(text := values.get(name), str) and is_prose(text)), None)


def _says_something(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_prose(text: str) -> bool:
    """Whether a text is more than an id, a time, a link or bytes (as PostgreSQL writes them)."""
    return bool(text) and not (is_uuid(text) or text.startswith(("http://", "https://", "\\x")) or instant_in(text))
