"""``data_verification``: read the record from its source and say how event and source agree.

========================  ===============================================================
``verified``              source and event agree, or the event claims nothing
``superseded``            the source differs: it is already newer, or there again
``absent``                the source has no such record: the copy goes
``contradicted``          the event says deleted, or later, than the source: the truth wins
``skipped``               no credentials: the event's own data is taken (the reconciler's was read with some)
========================  ===============================================================

Whatever the verdict, what goes on is the truth.  Without credentials nobody knows it: then the latest event counts, by
the senders' own times where they have some, and one that is older than the copy is ``superseded`` by it.  It reads; it
does not write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from hookbridge.model import Change, Columns, Effects, StoredEvent, Truth, Verification
from hookbridge.sources import carrying, times
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.large import aside
from hookbridge.sources.source import Source
from hookbridge.steps.step import bytes_of

Times = Iterable[str | None]
"""When it happened by the sender's word, and by the record's own column."""

AHEAD_SECONDS_MAX = 300.0
"""A sender's clock may be ahead by this much; a later time is no time."""


class Verify:
    """The step for one source."""

    name = "data_verification"

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Add truth, columns and verdict.  Raises what ``Source.read`` raises."""
        # What the reconciler has just read, and nobody else has spoken of since, is not read again.
        truth = carrying.truth_of(change, self._clock())
        if truth is None and not self._source.has_credentials:
            return await aside(bytes_of(change), self._skipped, change, so_far)
        truth = truth or await self._source.read(change.record)
        return await aside(bytes_of(change, truth.data), self._compared, change, so_far, truth)

    def _compared(self, change: Change, so_far: Effects, truth: Truth) -> Effects:
        columns = self._source.truth_columns(truth)
        verdict = self._judge(change, truth, columns)
        return msgspec.structs.replace(so_far, truth=truth, columns=columns, verification=verdict)

    def _skipped(self, change: Change, so_far: Effects) -> Effects:
        latest, previous = self._latest(change), change.copy
        if previous is not None and self._is_older(latest, (previous.occurred_at, previous.changed_at)):
            columns = None if previous.data is None else decode_columns(previous.data)
            return msgspec.structs.replace(so_far, columns=columns, verification=Verification.SUPERSEDED)
        return msgspec.structs.replace(
            so_far,
            columns=self._claimed(latest),
            occurred_at=latest.event.occurred_at,
            verification=Verification.SKIPPED,
        )

    def _latest(self, change: Change) -> StoredEvent:
        """Give the event that arrived last, or one before it that happened later."""
        latest = change.newest
        for earlier in reversed(change.events[:-1]):
            # Of large ones the older come without their bodies, and so without anything to take.
            if earlier.event.body and self._is_older(latest, self._times(earlier)):
                latest = earlier
        return latest

    def _claimed(self, event: StoredEvent) -> Columns | None:
        if event.event.type == "delete":
            return None
        carried = carrying.carried(event.event)  # read when there were credentials
        return self._source.columns_of(event.event) if carried is None else self._source.truth_columns(carried)

    def _is_older(self, event: StoredEvent, than: Times) -> bool:
        """Whether it happened before, by the first kind of time that both have; false where nothing tells."""
        for of_event, of_other in zip(self._times(event), than, strict=True):
            own, other = self._instant_of(of_event), self._instant_of(of_other)
            if own is not None and other is not None:
                if self._source.times_are_minutes and not (own.second and other.second):
                    own, other = (instant.replace(second=0, microsecond=0) for instant in (own, other))
                return own < other
        return False

    def _instant_of(self, text: str | None) -> datetime | None:
        when = times.instant_of(text)
        # Nothing could ever overwrite what claims to be of next year.
        return when if when is not None and when.timestamp() <= self._clock() + AHEAD_SECONDS_MAX else None

    def _times(self, event: StoredEvent) -> Iterator[str | None]:
        yield event.event.occurred_at
        columns = self._claimed(event)  # decoded only where the sender's word does not tell
        yield None if columns is None else self._source.changed_at(event.event.record, columns)

    def _judge(self, change: Change, truth: Truth, columns: Columns | None) -> Verification:
        newest = change.newest
        if columns is None:
            return Verification.ABSENT
        if newest.event.type == "delete":
            # The reconciler only says that a table's listing does not show the record any more: it may have moved.
            if newest.event.format == carrying.FORMAT and truth.record != newest.event.record:
                return Verification.VERIFIED
            came_back = self._came_back(change, truth, columns)
            return Verification.SUPERSEDED if came_back else Verification.CONTRADICTED
        claimed = self._source.columns_of(newest.event)
        if not claimed or self._source.agree(columns, claimed):
            return Verification.VERIFIED
        if self._source.newer_than_truth(newest, truth):
            return Verification.CONTRADICTED
        return Verification.SUPERSEDED

    def _came_back(self, change: Change, truth: Truth, columns: Columns) -> bool:
        """Whether the record that is there is a later one than the one that was deleted."""
        deleted = self._source.columns_of(change.newest.event)
        if deleted and not self._source.agree(columns, deleted):
            return True
        deletion, changed = self._instant_of(change.newest.event.occurred_at), self._instant_of(truth.changed_at)
        if deletion is not None and changed is not None and changed > deletion:
            return True
        # The insertion that followed may have overtaken the deletion.
        earlier = (stored.event for stored in change.events[:-1] if stored.event.type != "delete" and stored.event.body)
        claims = (self._source.columns_of(event) for event in earlier)
        return any(claimed and self._source.agree(columns, claimed) for claimed in claims)
