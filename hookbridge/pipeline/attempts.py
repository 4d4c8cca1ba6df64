"""A change's attempts, on the guide's timeline: at once, after 2 s, after 4 s.

Which failure is tried again, and when, ``retry`` decides.  It does not settle, release or pause: it gives the result
or raises the last failure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
import tenacity

from hookbridge.config import ProcessingConfig
from hookbridge.errors import describe
from hookbridge.observe.redaction import without_secrets
from hookbridge.pipeline.retry import Case, Fate, fate_of, retry_seconds, rule_of

Result = TypeVar("Result")
Sleep = Callable[[float], Awaitable[None]]

TOLD_SECONDS = 60.0
"""What concerns every record of the lane is told once in this time, whichever of them met it."""

_log = structlog.get_logger(__name__)


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

    async def run(self, attempt: Callable[[int], Awaitable[Result]], **about: object) -> Result:
        """Call ``attempt(number)`` until it returns.  Raises its last failure when none is left.

        ``about`` is what the log says of a failure that is tried again.
        """
        # The first attempt goes without tenacity: its call costs 31 µs (measured), about as much as a whole change.
        try:
            return await attempt(1)
        except Exception as error:
            if not self._goes_on(1, error):
                raise
            return await self._again(attempt, error, about)

    async def _again(
        self, attempt: Callable[[int], Awaitable[Result]], first: Exception, about: dict[str, object]
    ) -> Result:
        retrying = tenacity.AsyncRetrying(
            retry=lambda state: self._goes_on(state.attempt_number, _failure_of(state)),
            wait=self._wait_seconds,
            sleep=self._sleep,
            before_sleep=lambda state: self._tell(state, about),
        )
        async for trial in retrying:
            number = trial.retry_state.attempt_number
            with trial:
                if number == 1:
                    raise first
                return await attempt(number)
        raise AssertionError  # for the type checker: it ends with a result or a failure

    def _goes_on(self, number: int, error: BaseException | None) -> bool:
        return error is not None and fate_of(error, Case(tries_left=number < self.maximum)) is Fate.AGAIN

    def _wait_seconds(self, state: tenacity.RetryCallState) -> float:
        failure = _failure_of(state)
        assert failure is not None  # noqa: S101  for the type checker: nothing else is waited after
        return retry_seconds(state.attempt_number, failure, delay=self._delay, multiplier=self._multiplier)

    def _tell(self, state: tenacity.RetryCallState, about: dict[str, object]) -> None:
        failure = _failure_of(state)
        log = _log.debug if self._was_told(failure) else _log.warning
        log(
            f"Attempt {state.attempt_number}/{self.maximum} failed",
            error=describe(failure, without_secrets),
            retry_in_seconds=round(state.next_action.sleep, 3) if state.next_action else None,
            **about,
        )

    def _was_told(self, error: BaseException | None) -> bool:
        """Whether the log has this a moment ago: an outage meets every record, and the lane tells when it stops."""
        if error is None or not rule_of(error).kind.stops_lane:
            return False
        now = self._clock()
        told = now - self._told.get(type(error), -TOLD_SECONDS) < TOLD_SECONDS
        if not told:
            self._told[type(error)] = now
        return told


def _failure_of(state: tenacity.RetryCallState) -> BaseException | None:
    return None if state.outcome is None else state.outcome.exception()
