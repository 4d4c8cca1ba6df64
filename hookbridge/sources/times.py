"""Times of change as the reconciler asks for them.  Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def earlier(at: datetime, seconds: float) -> datetime:
    """Give the time so many seconds before, but none before the calendar begins: a row may say the year 1."""
    try:
        return at - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
