"""Times of change as the reconciler asks for them.  Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def earlier(at: datetime, seconds: float) -> datetime:
    """Give the time so many seconds before, but none before the calendar begins: a row may say the year 1."""
    try:
        return at - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def instant_of(text: str) -> datetime | None:
    """Give the instant of an ISO 8601 text, without a zone in UTC; None for any other text."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
