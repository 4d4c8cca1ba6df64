"""Beats: a GET now and then while it is healthy, to a service elsewhere that raises the alarm when they end.

It is how people hear of a machine that is gone, and of a store that no node reaches.  What healthchecks.io, Uptime Kuma
and their like take is a GET without anything; what is answered with 2xx was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from hookbridge.api.alerts import BeatState
from hookbridge.clock import Clock, epoch_time
from hookbridge.outgoing import Caller, Unanswered, origin

TIMEOUT_SECONDS = 10.0

UNKNOWN = "(not found)"
"""healthchecks.io answers so, with 200, where the check is not there."""

_log = structlog.get_logger(__name__)


async def beat(caller: Caller, url: str) -> str | None:
    """Send one; gives why it was not taken, None where it was."""
    try:
        answer = await caller.get(url)
    except Unanswered as error:
        return error.message
    if not answer.is_success or answer.reason.endswith(UNKNOWN):
        return answer.reason
    return None


class Beats:
    """The beats of one node."""

    def __init__(
        self,
        url: str,
        every_seconds: float,
        is_healthy: Callable[[], bool],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``is_healthy`` says whether this node is the one that tells, and has nothing to tell."""
        self._url = url
        self._every_seconds = every_seconds
        self._is_healthy = is_healthy
        self._clock = clock
        self._sleep = sleep
        self._beat_at: float | None = None
        self._failures = 0
        self._reason: str | None = None

    async def run(self) -> None:
        """Beat until cancelled."""
        async with Caller(timeout_seconds=TIMEOUT_SECONDS, allow_private=True) as caller:
            while True:
                if self._is_healthy():
                    await self._beat(caller)
                    await self._sleep(self._every_seconds)
                else:
                    await self._sleep(min(1.0, self._every_seconds))

    async def _beat(self, caller: Caller) -> None:
        before, self._reason = self._reason, await beat(caller, self._url)
        if self._reason is None:
            self._beat_at, self._failures = self._clock(), 0
            if before is not None:
                _log.info("Beats are taken again")
            return
        self._failures += 1
        tell = _log.warning if before is None else _log.debug
        tell("A beat was not taken", url=origin(self._url), reason=self._reason, failures=self._failures)

    def state(self) -> BeatState:
        """Say how they go."""
        beat_at = epoch_time(self._beat_at)
        return BeatState(url=origin(self._url), beat_at=beat_at, failures=self._failures, reason=self._reason)
