"""``data_verification``: read the record from its source and say how event and source agree.

========================  ===============================================================
``verified``              source and event agree, or the event claims nothing
``superseded``            the source differs: it is already newer
``absent``                the source has no such record: the copy goes
``contradicted``          the event says deleted, or later, than the source: the truth wins
``skipped``               no credentials: the event's own data is taken (the reconciler's was read with some)
========================  ===============================================================

Whatever the verdict, what goes on is the truth.  It reads; it does not write.
"""

from __future__ import annotations

import msgspec

from hookbridge.model import Change, Columns, Effects, StoredEvent, Truth, Verification
from hookbridge.sources import listed
from hookbridge.sources.source import Source


class Verify:
    """The step for one source."""

    name = "data_verification"

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Add truth, columns and verdict.  Raises what ``Source.read`` raises."""
        # What the reconciler has just read, and nobody else has spoken of since, is not read again.
        truth = listed.truth_of(change.record, change.events)
        if truth is None and not self._source.has_credentials:
            return self._skipped(change, so_far)
        truth = truth or await self._source.read(change.record)
        columns = self._source.truth_columns(truth)
        verdict = self._judge(change.newest, truth, columns)
        return msgspec.structs.replace(so_far, truth=truth, columns=columns, verification=verdict)

    def _skipped(self, change: Change, so_far: Effects) -> Effects:
        newest = change.newest.event
        carried = listed.truth_of(change.record, (change.newest,))
        if carried is not None:
            columns = self._source.truth_columns(carried)
        else:
            columns = None if newest.type == "delete" else self._source.columns_of(newest)
        return msgspec.structs.replace(so_far, columns=columns, verification=Verification.SKIPPED)

    def _judge(self, newest: StoredEvent, truth: Truth, columns: Columns | None) -> Verification:
        if columns is None:
            return Verification.ABSENT
        if newest.event.type == "delete":
            return Verification.CONTRADICTED
        claimed = self._source.columns_of(newest.event)
        if not claimed or self._source.agree(columns, claimed):
            return Verification.VERIFIED
        if self._source.newer_than_truth(newest, truth):
            return Verification.CONTRADICTED
        return Verification.SUPERSEDED
