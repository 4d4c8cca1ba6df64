"""What a text says of when something happened or changed, whoever wrote it.  Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def earlier(at: datetime, seconds: float) -> datetime:
    """Give the time so many seconds before, but none before the calendar begins: a row may say the year 1."""
    try:
        return at - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def instant_of(text: str | None) -> datetime | None:
    """Give the instant of an ISO 8601 text, in UTC, where it is without a zone, too; None for what is no time.

    Nor is what lies before the year 1 or after 9999 in UTC.
    """
    try:
        when = datetime.fromisoformat(text or "")
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
