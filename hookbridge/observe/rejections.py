"""The last webhooks that were refused, and why: senders show their users little of it.

Bounded: so many of the latest, and short texts.  Nothing of a request is kept but its path, size and peer: no body, no
header.  It lives as long as the process.  Each is a line of the log too, but no flood of them is a flood of lines.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator

import structlog

from hookbridge.api.stats import RejectedRequest
from hookbridge.clock import time_of

KEPT_MAX = 500
TEXT_MAX = 300
"""Characters of a message."""
LINES_MAX = 5
"""Lines of one endpoint and reason in ``LINES_SECONDS``; the others are counted, and one line says how many."""
LINES_SECONDS = 10.0

log = structlog.get_logger("hookbridge.webhooks")


class Rejections:
    """The latest ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: deque[RejectedRequest] = deque(maxlen=KEPT_MAX)
        self._count = 0
        self._lately: Counter[tuple[str, str]] = Counter()

    def note(
        self,
        endpoint: str,
        status: int,
        reason: str,
        message: str,
        *,
        peer: str | None,
        length: int | None,
        hint: str | None = None,
    ) -> None:
        """Keep one, the oldest goes, and log it; ``hint`` is for the operator.  Runs in the event loop."""
        self._count += 1
        rejection = RejectedRequest(
            id=self._count,
            at=time_of(self._clock()),
            endpoint=endpoint,
            status=status,
            reason=reason,
            message=message[:TEXT_MAX],
            peer=peer,
            bytes=length,
        )
        self._kept.append(rejection)
        self._log(rejection, hint)

    def _log(self, rejection: RejectedRequest, hint: str | None) -> None:
        kind = (rejection.endpoint, rejection.reason)
        if kind not in self._lately:
            asyncio.get_running_loop().call_later(LINES_SECONDS, self._sum_up, kind)
        self._lately[kind] += 1
        if self._lately[kind] <= LINES_MAX:
            write = log.error if rejection.status >= 500 else log.warning  # noqa: PLR2004  a fault of ours, or of the sender
            about = {"remote": rejection.peer, "bytes": rejection.bytes, "hint": hint}
            write(
                "Webhook refused",
                path=rejection.endpoint,
                status=rejection.status,
                reason=rejection.reason,
                error=rejection.message,
                **{name: value for name, value in about.items() if value is not None},
            )

    def _sum_up(self, kind: tuple[str, str]) -> None:
        path, reason = kind
        if (more := self._lately.pop(kind) - LINES_MAX) > 0:
            log.warning("More webhooks were refused", path=path, reason=reason, requests=more)

    def latest(self, *, before: int | None = None) -> Iterator[RejectedRequest]:
        """Give them, the latest first, from behind the cursor ``before`` on."""
        return (one for one in reversed(self._kept) if before is None or one.id < before)
