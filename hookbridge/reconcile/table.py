"""One followed table: its polls, its sweeps, their gaps, and how they are doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from hookbridge.api.reconcile import PassResult, State, TableStatus
from hookbridge.clock import epoch_time
from hookbridge.errors import HookbridgeError, asked_seconds, describe
from hookbridge.model import SourceName
from hookbridge.observe.redaction import without_secrets
from hookbridge.reconcile.content import ContentLoad
from hookbridge.reconcile.passes import Subject
from hookbridge.reconcile.poll import Poll
from hookbridge.reconcile.sweep import Sweep
from hookbridge.sources.times import instant_in

GROWTH = 1.5
FIRST_GAP_SECONDS = 1.0
"""After the first failure; it doubles with each further one."""

Pass = Literal["poll", "sweep", "content"]


class FollowedTable:
    """What the reconciler knows of one table."""

    def __init__(self, subject: Subject, is_taken: Callable[[], bool] = lambda: False) -> None:
        """``is_taken`` says whether changes of pulled tables come from their outbox just now."""
        self.source: SourceName = subject.of.name
        self.name = subject.followed.table
        self.polled = subject.followed.polled
        self.of = subject.of
        self.changes = subject.changes
        self.poll = Poll(subject)
        self.sweep = Sweep(subject)
        self.content = ContentLoad(subject) if subject.followed.content else None
        self._clock = subject.clock
        self._config = subject.config
        self._pulled, self._is_taken = subject.followed.pulled, is_taken
        self._least = subject.followed.poll_seconds or subject.config.poll_seconds
        self._longest = max(subject.config.poll_seconds_max, self._least)
        self._quiet = self._least
        self._failures: dict[Pass, int] = {"poll": 0, "sweep": 0, "content": 0}
        self._errors: dict[Pass, Exception | None] = {"poll": None, "sweep": None, "content": None}
        self._asked_error: Exception | None = None
        self.lag_seconds: float | None = None
        self.applied_at: float | None = None
        """When a change that has a lag was applied here last."""

    async def open(self) -> None:
        """Read where polls and sweeps stand."""
        await self.poll.open()
        await self.sweep.open()

    def succeeded(self, kind: Pass, result: PassResult) -> None:
        """Take note of a complete pass."""
        self._failures[kind], self._errors[kind] = 0, None
        if kind != "content" or result.listed:  # nothing was asked for texts that all are there
            self._asked_error = None
        if kind == "poll":
            # A quiet table costs ever fewer requests; the first change may be the first of many.
            self._quiet = self._least if result.found else min(self._quiet * GROWTH, self._longest)

    def failed(self, kind: Pass, error: Exception) -> None:
        """Take note of a pass that failed."""
        self._failures[kind] += 1
        self._errors[kind] = error

    def failed_for_operator(self, error: Exception) -> None:
        """Take note that a pass that an operator asked for failed.

        It moves no gap, and any pass that succeeds ends it: the next one of its own kind may be hours away.
        """
        self._asked_error = error

    def applied(self, changed_at: str, before: str | None) -> None:
        """Take note that a change of this time was applied just now; ``before`` is the copy's time of change.

        What moved no time (a formula) was changed at a time that nobody knows.  Nor does the time of a record that the
        copy did not have say when it came, where a sweep that began later had not found it: then it was shared since.
        """
        if (when := instant_in(changed_at)) is None:
            return  # the change column holds no time
        at = when.timestamp()
        if before is None:
            looked = self.sweep.state.completed_at
            moved = looked is not None and at >= looked - self._config.overlap_seconds
        else:
            moved = changed_at != before
        if moved:
            self.applied_at = self._clock()
            self.lag_seconds = max(0.0, self.applied_at - at)

    def fails(self, kind: Pass) -> bool:
        """Whether the last pass of a kind failed."""
        return self._failures[kind] > 0

    def gap(self, kind: Pass) -> float:
        """Give the seconds until the next pass."""
        if not (failures := self._failures[kind]):
            # Copies that come to wait wake what reads their texts.
            # While its outbox tells of every change, polls find none; while it does not, they are all there is.
            poll = self._longest if self._pulled and self._is_taken() else self._quiet
            gaps = {"poll": poll, "sweep": self._config.sweep_seconds, "content": self._config.poll_seconds_max}
            return gaps[kind]
        wait: float = min(FIRST_GAP_SECONDS * 2 ** min(failures, 30), self._config.poll_seconds_max)
        return max(wait, asked_seconds(self._errors[kind]))

    def until_sweep(self) -> float:
        """Give the seconds until the next sweep is due, after a start; one that was interrupted goes on at once.

        So does one that was asked for.
        """
        last = self.sweep.state.completed_at
        if self.sweep.state.sweep is not None or last is None or self.sweep.is_asked:
            return 0.0
        return max(0.0, last + self._config.sweep_seconds - self._clock())

    def status(self) -> TableStatus:
        """Say how it is doing."""
        sweep, poll = self.sweep.state, self.poll.state
        state, reason = self._state()
        return TableStatus(
            source=self.source,
            table=self.name,
            state=state,
            reason=reason,
            listed=sweep.listed,
            total=sweep.total,
            watermark=poll.watermark,
            last_poll_at=epoch_time(poll.completed_at),
            last_sweep_at=epoch_time(sweep.completed_at),
            poll_gap_seconds=self.gap("poll") if self.polled else None,
            lag_seconds=self.lag_seconds,
            content=None if self.content is None else self.content.progress(),
        )

    def _state(self) -> tuple[State, str | None]:
        if vanished := self.sweep.state.vanished:
            return "unconfirmed", f"{vanished} records are gone at once: confirm that they are really deleted"
        if error := next(filter(None, (*self._errors.values(), self._asked_error)), None):
            return "failing", error.message if isinstance(error, HookbridgeError) else describe(error, without_secrets)
        return ("following" if self.sweep.state.loaded else "backfilling"), None
