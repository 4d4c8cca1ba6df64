"""One record: its open events are one change; attempts run around the steps; the outcome is settled.

A failing record never leaves its worker: whatever the steps raise becomes an outcome, or a word to the lane that
nothing can be done for any record now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from hookbridge.errors import HandlerFailed, HookbridgeError, StoreError, describe
from hookbridge.model import (
    ANNOUNCING,
    FINGERPRINT_BYTES,
    Change,
    Claim,
    Effects,
    Failure,
    Outcome,
    RecordKey,
    Settled,
    Settlement,
)
from hookbridge.observe.places import traceback_of
from hookbridge.observe.redaction import without_secrets
from hookbridge.pipeline.attempts import Attempts
from hookbridge.pipeline.retry import Fate
from hookbridge.pipeline.settle import settle
from hookbridge.sources import carrying
from hookbridge.steps.step import Step
from hookbridge.store.contract import Claims

Judge = Callable[[Claim, Exception], Awaitable[Fate]]
"""Ask the lane what becomes of a change whose attempts have failed; what is not ``DEAD`` was given back."""


Observer = Callable[[Settlement, Settled], None]
"""Is told how each change ended."""


class Working(Protocol):
    """What a lane asks of its worker."""

    async def work(self, claim: Claim, judge: Judge) -> Settled | None:
        """Bring one claimed record to its outcome, unless ``judge`` gives it back."""
        ...


class _Trial:
    """The attempts at one change: each runs the steps, and what is known of those that failed is kept."""

    def __init__(
        self,
        claim: Claim,
        run: Callable[[Change, int], Awaitable[Effects]],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.claim = claim
        self._run = run
        self._clock = clock
        self._monotonic = monotonic
        self._change = Change(record=claim.record, events=claim.events, copy=claim.previous)
        self._started = monotonic()  # the clock may be set meanwhile, and the sum of all durations is kept
        self._attempts = 0
        self._failures: tuple[Failure, ...] = ()

    async def __call__(self, number: int) -> Effects:
        """Make the attempt of this number."""
        self._attempts = number
        began = self._clock()
        try:
            return await self._run(self._change, number)
        except Exception as error:
            failure = Failure(
                number=number,
                began_at=began,
                ended_at=self._clock(),
                error=describe(error, without_secrets),
                traceback=_traceback_of(error),
            )
            self._failures = (*self._failures, failure)
            raise

    def measured(self, settlement: Settlement) -> Settlement:
        """Add to the outcome what it took."""
        duration = self._monotonic() - self._started
        return msgspec.structs.replace(settlement, attempts=self._attempts, duration=duration, failures=self._failures)


class Worker:
    """What every worker coroutine of a lane does with a claim.  It has no state of its own."""

    def __init__(
        self,
        store: Claims,
        steps: Sequence[Step],
        attempts: Attempts,
        *,
        follows: Callable[[RecordKey], bool] = lambda record: False,
        observers: Sequence[Observer] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``follows`` says whether the reconciler follows a record's table, so that its announcements are counted."""
        self._store = store
        self._follows = follows
        self._observers = observers
        self._steps = tuple(steps)
        self._names = tuple(step.name for step in steps)
        self._attempts = attempts
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._log = structlog.get_logger(__name__).bind()  # once, for the lines of each change

    async def work(self, claim: Claim, judge: Judge) -> Settled | None:
        """Bring one claimed record to its outcome, unless ``judge`` gives it back.

        Gives what the settlement met in the store; None when there was none.
        """
        trial = _Trial(claim, self._run_whole, self._clock, self._monotonic)
        settlement = await self._tried(trial, judge)
        return None if settlement is None else await self._end(trial, settlement)

    async def _tried(self, trial: _Trial, judge: Judge) -> Settlement | None:
        """Try the change: it is applied, or dead, or still open and given back (None)."""
        claim = trial.claim
        try:
            return self._applied(claim, await self._attempts.run(trial, record=str(claim.record)))
        except Exception as error:  # noqa: BLE001  a record's failure, whatever it is, never leaves its worker
            if await judge(claim, error) is not Fate.DEAD:
                return None
            self._log.debug("Webhook processing failed", record=str(claim.record), exc_info=error)
            return _dead(claim, error)

    def _applied(self, claim: Claim, effects: Effects) -> Settlement:
        announced = is_announced(claim, effects) and self._follows((effects.copy or claim).record)
        return Settlement(claim=claim, outcome=Outcome.APPLIED, effects=effects, announced=announced)

    async def _end(self, trial: _Trial, settlement: Settlement) -> Settled:
        """Write the outcome, and tell of it."""
        settlement = trial.measured(settlement)
        try:
            settled = await settle(self._store, settlement, sleep=self._sleep)
        except StoreError as error:
            # The store cannot hold what the steps found: this record's own failure, by ``retry``'s table dead at once.
            settlement = trial.measured(_dead(trial.claim, error))
            settled = await settle(self._store, settlement, sleep=self._sleep)
        self._tell(settlement, settled)
        for observer in self._observers:
            observer(settlement, settled)
        return settled

    async def _run_whole(self, change: Change, number: int) -> Effects:
        """Run the steps.  Only who cancels this worker, or closes it, ends it: a step that awaits what somebody else
        cancelled, or in which an extension panics, has failed like any other.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  for the type checker: a coroutine that runs is in a task
        cancelled_before = task.cancelling()
        try:
            return await self._run_steps(change, number)
        except (Exception, GeneratorExit):  # what a step's own coroutine raised of the latter kind ended there
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and task.cancelling() > cancelled_before:
                raise
            message = f"a step ended with {describe(error, without_secrets)}"
            raise RuntimeError(message) from error

    async def _run_steps(self, change: Change, number: int) -> Effects:
        source, kind = change.record.source, change.type
        # Formatted only where they are shown.
        self._log.debug("Starting webhook processing: %s/%s for record %s", source, kind, change.record.id)
        self._log.debug("Processing %s %s event", source.capitalize(), kind, record=change.record, attempt=number)
        if number > 1:
            change = msgspec.structs.replace(change, attempt=number)
        effects, verified_at = Effects(), None
        for step in self._steps:
            effects = await step(change, effects)
            if verified_at is None and effects.truth is not None:  # without credentials nobody was asked
                verified_at = self._clock()
        self._log.debug("%s webhook processed: %s", source.capitalize(), list(self._names), record=change.record)
        return msgspec.structs.replace(effects, steps=self._names, verified_at=verified_at)

    def _tell(self, settlement: Settlement, settled: Settled) -> None:
        tries = f"(attempt {settlement.attempts}/{self._attempts.maximum})"
        verification = settlement.effects.verification
        about = {
            "record": str(settlement.claim.record),
            "outcome": settlement.outcome.value if settled is not Settled.FENCED else "fenced",
            "attempt": settlement.attempts,
            "duration": round(settlement.duration, 6),
            "events": settlement.claim.open_events,
            "steps": settlement.effects.steps,
            "verification": verification.value if verification else None,
        }
        if settlement.effects.stale_keys is not None and not shows_all(settlement.claim):
            about["keys_incomplete"] = True
        if settled is Settled.FENCED:
            self._log.warning("Webhook processing was overtaken by another worker", **about)
        elif settlement.outcome is Outcome.DEAD:
            self._log.error(f"Webhook processing failed {tries}", reason=settlement.reason, **about)
        else:
            self._log.info(f"Webhook processed successfully in {settlement.duration:.2f}s {tries}", **about)


def shows_all(claim: Claim) -> bool:
    """Whether each open event was loaded with its body, so that no version which one of them shows was missed."""
    # The reconciler's own events may have none: they say no more than that the record differed.
    bodies = all(one.event.body or one.event.format == carrying.FORMAT for one in claim.events)
    return bodies and len(claim.events) == claim.open_events


def is_announced(claim: Claim, effects: Effects) -> bool:
    """Whether webhooks, and no finding of the reconciler, brought a change of the copy."""
    origins = {one.event.origin for one in claim.events}
    if origins.isdisjoint(ANNOUNCING) or not origins.isdisjoint(("poll", "sweep")) or effects.copy is None:
        return False  # a finding counts what is announced later
    before, after = claim.previous, effects.copy
    if before is None or before.data is None or after.data is None:
        return (before is not None and before.data is not None) or after.data is not None
    # What stands behind it says what a listing showed, and when: of one content that may be two things.
    return before.fingerprint[:FINGERPRINT_BYTES] != after.fingerprint[:FINGERPRINT_BYTES]


def _traceback_of(error: Exception) -> str | None:
    """Give what is kept of an error beside its reason: our own errors say everything themselves."""
    if isinstance(error, HandlerFailed):
        return error.traceback
    return None if isinstance(error, HookbridgeError) else traceback_of(error, clean=without_secrets)


def _dead(claim: Claim, error: BaseException) -> Settlement:
    """Make the settlement of a change that nothing more is tried for."""
    return Settlement(claim=claim, outcome=Outcome.DEAD, reason=describe(error, without_secrets))
