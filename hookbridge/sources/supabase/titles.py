"""What people call a row.

Pure.  No table has a setting for it: of the columns that commonly name something, the first that does.
"""

from __future__ import annotations

from hookbridge.model import Columns
from hookbridge.names import is_uuid
from hookbridge.sources.times import instant_in

TITLES = ("title", "name", "full_name", "display_name", "label", "subject", "username", "email")
"""The first of these columns that holds prose names a row for people."""


def title(values: Columns) -> str:
    """Give what people call a row; the empty text where no column says it."""
    named = title_column(values)
    return "" if named is None else str(values[named])


def title_column(values: Columns) -> str | None:
    """Say which column names a row for people; None where none does."""
    return next((name for name in TITLES if isinstance(text := values.get(name), str) and is_prose(text)), None)


def is_prose(text: str) -> bool:
    """Whether a text is more than an id, a time, a link or bytes (as PostgreSQL writes them)."""
    return bool(text) and not (is_uuid(text) or text.startswith(("http://", "https://", "\\x")) or instant_in(text))
