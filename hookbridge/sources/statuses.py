"""What an HTTP status means that comes without a known code of the source: the word of a gateway or a proxy.

Invariant: only a status that speaks of the request itself is taken as the record's own failure.  Whatever else is
answered (a project that was paused or has not paid, a redirection, a 200 without rows, a 502) holds for every record,
and an outage makes no dead letters.  It does not know the sources' own codes: their ``client`` modules have those
tables.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from hookbridge.errors import RecordUnreadable, SourceError, SourceRefused, SourceUnavailable

_REFUSED = frozenset((401, 403))

# Not 404: without a code it is the answer of a server that is not the source, while a source names what it has not.
_OWN = frozenset((400, 405, 406, 409, 410, 413, 414, 415, 416, 422, 431))

RETRY_AFTER_SECONDS_MAX = 3_600.0
"""Whatever a server says, it is asked again after an hour."""


def by_status(status: int) -> type[SourceError]:
    """Give the error."""
    if status in _REFUSED:
        return SourceRefused
    return RecordUnreadable if status in _OWN else SourceUnavailable


def retry_after_seconds(value: str, now: float) -> float | None:
    """Give the seconds of a ``Retry-After``, written as seconds or as a date (RFC 9110, 10.2.3), but an hour at most.

    None without a sane one.  ``now`` is epoch seconds.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), RETRY_AFTER_SECONDS_MAX)
    try:
        wait = parsedate_to_datetime(value).timestamp() - now if value else None
    except (ValueError, OverflowError):
        return None
    return None if wait is None else min(max(0.0, wait), RETRY_AFTER_SECONDS_MAX)
