"""A worker and steps that leave spans; without traces the plain ones are used, and nothing of this is in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookbridge.model import Change, Claim, Effects, Settled
from hookbridge.pipeline.worker import Judge, Working
from hookbridge.steps.step import Step

if TYPE_CHECKING:
    from hookbridge.observe.spans import Traces  # imports the SDK


class TracedStep:
    """A step and its span."""

    def __init__(self, step: Step, traces: Traces) -> None:
        self.name = step.name
        self._step = step
        self._traces = traces

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Do what the step does."""
        with self._traces.step(self.name, change.attempt):
            return await self._step(change, so_far)


class TracedWorker:
    """A worker whose changes are spans; they are current while steps and handlers run."""

    def __init__(self, worker: Working, traces: Traces) -> None:
        self._worker = worker
        self._traces = traces

    async def work(self, claim: Claim, judge: Judge) -> Settled | None:
        """Do what the worker does."""
        with self._traces.change(claim):
            return await self._worker.work(claim, judge)
