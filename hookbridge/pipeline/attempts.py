"""THE retry decision: which failure is tried again, when, and which one stops a lane.

===========================  ==========================  =============================================
failure                      tried again                 afterwards
===========================  ==========================  =============================================
SourceUnavailable            yes, obeying Retry-After    the lane stops; the record stays dirty
CacheUnavailable             yes                         the lane stops; the record stays dirty
SourceRefused                no                          the lane stops; the record stays dirty
TableUnreadable              no                          its records wait, others go on (``waits``)
RecordImpossible             no                          dead letter
HandlerFailed                unless it is permanent      dead letter
anything else                yes                         dead letter
===========================  ==========================  =============================================

The times are the guide's: at once, after 2 s, after 4 s (``delay * multiplier ** (attempt - 1)``).  It does not settle,
release or pause: it gives the result or raises the last failure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
import tenacity

from hookbridge.config import ProcessingConfig
from hookbridge.errors import (
    CacheUnavailable,
    HandlerFailed,
    RecordImpossible,
    SourceRefused,
    SourceUnavailable,
    TableUnreadable,
    describe,
)
from hookbridge.observe.redaction import without_secrets

Result = TypeVar("Result")
Sleep = Callable[[float], Awaitable[None]]

LANE_STOPPERS = (SourceUnavailable, SourceRefused, CacheUnavailable)
"""Failures that concern every record of the lane, not this one."""

FOR_THE_LANE = (*LANE_STOPPERS, TableUnreadable)
"""Failures that are not this record's own: the lane decides what becomes of it."""

HELD_SECONDS_MAX = 10.0
"""A longer Retry-After is not waited for in a worker: the lane stops until then."""

TOLD_SECONDS = 60.0
"""What concerns every record of the lane is told once in this time, whichever of them met it."""

_log = structlog.get_logger(__name__)


def is_final(error: BaseException) -> bool:
    """Whether trying again cannot help, or is not for this worker to wait for."""
    if isinstance(error, SourceUnavailable) and (error.retry_after_seconds or 0) > HELD_SECONDS_MAX:
        return True
    if isinstance(error, HandlerFailed):
        return error.is_permanent
    return isinstance(error, SourceRefused | RecordImpossible) or not isinstance(error, Exception)


class Attempts:
    """Runs one change's attempts on the configured timeline."""

    def __init__(
        self,
        config: ProcessingConfig,
        *,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.maximum = config.max_attempts
        self._delay = config.retry_delay_seconds
        self._multiplier = config.retry_multiplier
        self._sleep = sleep
        self._clock = clock
        self._told: dict[type[BaseException], float] = {}

    def wait_seconds(self, failed: int, error: BaseException | None) -> float:
        """Give the wait after the attempt number ``failed`` (from 1), at least what the source asked for."""
        own = self._delay * self._multiplier ** (failed - 1)
        asked = getattr(error, "retry_after_seconds", None) or 0.0
        return float(max(own, asked))

    async def run(self, attempt: Callable[[int], Awaitable[Result]], **about: object) -> Result:
        """Call ``attempt(number)`` until it returns.  Raises its last failure when none is left.

        ``about`` is what the log says of a failure that is tried again.
        """
        # The first attempt goes without tenacity: its call costs 31 µs (measured), about as much as a whole change.
        try:
            return await attempt(1)
        except Exception as error:
            if is_final(error) or self.maximum == 1:
                raise
            return await self._again(attempt, error, about)

    async def _again(
        self, attempt: Callable[[int], Awaitable[Result]], first: Exception, about: dict[str, object]
    ) -> Result:
        number = 0

        async def one() -> Result:
            nonlocal number
            number += 1
            if number == 1:
                raise first
            return await attempt(number)

        def wait(state: tenacity.RetryCallState) -> float:
            outcome = state.outcome
            return self.wait_seconds(state.attempt_number, outcome.exception() if outcome else None)

        def tell(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            log = _log.debug if self._was_told(error) else _log.warning
            log(
                f"Attempt {state.attempt_number}/{self.maximum} failed",
                error=describe(error, without_secrets),
                retry_in_seconds=round(state.next_action.sleep, 3) if state.next_action else None,
                **about,
            )

        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self.maximum),
            wait=wait,
            retry=tenacity.retry_if_exception(lambda error: not is_final(error)),
            sleep=self._sleep,
            before_sleep=tell,
            reraise=True,
        )
        return await retrying(one)

    def _was_told(self, error: BaseException | None) -> bool:
        """Whether the log has this a moment ago: an outage meets every record, and the lane tells when it stops."""
        if not isinstance(error, LANE_STOPPERS):
            return False
        now = self._clock()
        told = now - self._told.get(type(error), -TOLD_SECONDS) < TOLD_SECONDS
        if not told:
            self._told[type(error)] = now
        return told
