"""What an HTTP status means that comes without a known code of the source: the word of a gateway or a proxy.

It does not know the sources' own codes: their ``client`` modules have those tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hookbridge.errors import RecordUnreadable, SourceError, SourceRefused, SourceUnavailable

_BY_STATUS: Mapping[int, type[SourceError]] = {
    401: SourceRefused,
    403: SourceRefused,
    404: SourceUnavailable,
    408: SourceUnavailable,
    425: SourceUnavailable,
    429: SourceUnavailable,
}
_REQUEST_ERRORS = range(400, 500)
_TLS = re.compile(r"certificate|\bssl\b|\btls\b", re.IGNORECASE)


def by_status(status: int) -> type[SourceError]:
    """Give the error.  Whatever is no request error (a redirection, a 200 without rows, a 502) is a source astray."""
    if status not in _REQUEST_ERRORS:
        return SourceUnavailable
    return _BY_STATUS.get(status, RecordUnreadable)


def is_tls(error: Exception) -> bool:
    """Whether a connection failed for its certificate or its encryption."""
    return _TLS.search(str(error)) is not None
