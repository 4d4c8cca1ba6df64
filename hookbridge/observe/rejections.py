"""The last webhooks that were refused, and why: senders show their users little of it.

Bounded: so many of the latest, and short texts.  Nothing of a request is kept but its path, size and peer: no body, no
header.  It lives as long as the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import msgspec

KEPT_MAX = 500
TEXT_MAX = 300
"""Characters of a message."""


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """One refused request."""

    id: int
    """Counted from 1 since the start of the process."""
    at: float
    endpoint: str
    status: int
    reason: str
    """The code of the answer."""
    message: str
    """What the sender was told; for a signature that was refused, what was wrong with it."""
    peer: str | None
    """The address it came from: that of a proxy, where there is one that is not trusted."""
    bytes: int | None
    """The size that it announced for its body."""


class Rejections:
    """The latest ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: deque[Rejection] = deque(maxlen=KEPT_MAX)
        self._count = 0

    def note(
        self, endpoint: str, status: int, reason: str, message: str, *, peer: str | None, length: int | None
    ) -> None:
        """Keep one; the oldest goes."""
        self._count += 1
        self._kept.append(
            Rejection(
                id=self._count,
                at=self._clock(),
                endpoint=endpoint,
                status=status,
                reason=reason,
                message=message[:TEXT_MAX],
                peer=peer,
                bytes=length,
            )
        )

    def latest(self, *, before: int | None = None) -> Iterator[Rejection]:
        """Give them, the latest first, from behind the cursor ``before`` on."""
        return (one for one in reversed(self._kept) if before is None or one.id < before)
