"""What a text says of when something happened or changed, whoever wrote it.  Pure.

Two questions: which instant a text tells that is said to be a time (a sender's timestamp, a page's time of its edit),
and whether a text that may say anything tells one (a column's value, a property).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

# As PostgreSQL writes dates and times, and senders do; what datetime.fromisoformat takes besides (weeks, any letter in
# the middle, digits alone) is as likely a telephone number.
TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?P<time>[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?P<zone>Z|[+-]\d\d(?::?\d\d(?::\d\d)?)?)?)?",
    re.ASCII,
)


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
        return None if (when := _read(text)) is None else when.astimezone(UTC)
    except OverflowError:
        return None


def instant_in(text: str | None) -> datetime | None:
    """Give the instant of a text that may say anything, where it is written as times are; None for any other."""
    return instant_of(text) if text is not None and TIME.fullmatch(text) else None


def latest(texts: Iterable[str | None], now: datetime) -> str | None:
    """Give the latest of some times, as it is written, but at most ``now``; None where none of them is one."""
    known = [(at, text) for text in texts if (at := instant_in(text)) is not None and at <= now]
    return max(known)[1] if known else None


def same_instant(one: str, other: str) -> bool:
    """Whether two texts that may say anything tell the same instant; a day is another one than its midnight."""
    days = [(found := TIME.fullmatch(text)) is not None and found["time"] is None for text in (one, other)]
    return days[0] is days[1] and (when := instant_in(one)) is not None and when == instant_in(other)


def micros_of(text: str | None) -> int | None:
    """Give microseconds since the epoch of an ISO 8601 text, as ``instant_of``; None for what is no time.

    The ends of time have some, too, where no clock shows them in UTC.
    """
    return None if (when := _read(text)) is None else int(when.timestamp() * 1_000_000)


def _read(text: str | None) -> datetime | None:
    try:
        when = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
