"""What is kept of a request's headers: all names, and the values of those that are known to hold no secret.

It is for an operator who asks how an event came.  Whatever is not known to be harmless is masked: a sender may put its
secret into a header of any name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

MASKED = "(masked)"

SHOWN = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-encoding",
        "content-length",
        "content-type",
        "idempotency-key",
        "traceparent",
        "transfer-encoding",
        "user-agent",
        "webhook-id",
        "webhook-timestamp",
        "x-webhook-timestamp",
    }
)

KEPT_MAX = 40
"""Of more headers than this the others are left out."""

VALUE_MAX = 200
"""Characters of a value."""

_encode = msgspec.json.Encoder().encode


def kept(headers: Mapping[str, str]) -> bytes:
    """Give the headers as a JSON object with names in lower case."""
    shown: dict[str, str] = {}
    for name, value in headers.items():
        if len(shown) == KEPT_MAX:
            break
        lower, harmless = _named(name)
        # A value that is not ASCII may not be Unicode either, and says nothing in any of these.
        shown[lower] = value[:VALUE_MAX] if harmless and value.isascii() else MASKED
    return _encode(shown)


@lru_cache(maxsize=512)  # senders use the same few names again and again
def _named(name: str) -> tuple[str, bool]:
    lower = name[:VALUE_MAX].lower()
    return lower, lower in SHOWN
