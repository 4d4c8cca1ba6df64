"""Changes since a watermark: one pass lists them, compares them, raises what differs.

The watermark is the latest time of change that a complete pass has seen; each pass looks a while before it, because
times are rounded and transactions commit late.  A pass that was interrupted goes on behind its last slice.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from hookbridge.api.reconcile import PassResult, ReconcileBody
from hookbridge.clock import time_of
from hookbridge.errors import FieldProblem, InvalidFields
from hookbridge.reconcile.passes import Passes, Subject
from hookbridge.reconcile.state import PollState, later
from hookbridge.sources.times import instant_of

EARLIEST = "2000-01-01T00:00:00+00:00"
"""Where polls can begin, and those of a table do that was empty at first: before the services themselves."""


def beginning(asked: ReconcileBody, now: float) -> str | None:
    """Give the time at which a poll begins that an operator asks for; None for the watermark.

    ``now`` is epoch seconds.  Raises InvalidFields, also for what belongs to the other kind of pass.
    """
    problems = []
    since = instant_of(asked.since)
    if asked.since is not None:
        # Behind what lies ahead, all that is edited until then would be hidden.
        if since is None or not datetime.fromisoformat(EARLIEST) <= since <= time_of(now):
            problems.append(("since", f"expected a time as in ISO 8601, from {EARLIEST[:10]} until now"))
        if asked.kind != "poll":
            problems.append(("since", "a sweep has no beginning in time"))
    if asked.confirm and asked.kind != "sweep":
        problems.append(("confirm", 'deletions are confirmed with {"kind": "sweep"}'))
    if problems:
        raise InvalidFields([FieldProblem(("body", name), expected, "value_error") for name, expected in problems])
    return None if since is None else since.isoformat()


class Poll(Passes[PollState]):
    """The polls of one table."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject, PollState)

    async def begin_at(self, watermark: str | None) -> None:
        """Set the first watermark, after the first complete sweep; one that is known stays."""
        if self.state.watermark is None and watermark is not None:
            await self._save(replace(self.state, watermark=watermark))

    async def run(self, since: str | None = None) -> PassResult:
        """Run one pass, or the rest of one; ``since`` begins anew at another time.  Raises SourceError.

        A time behind which the polls have not come yet moves nothing: what lies before it is still to be listed.
        """
        async with self._one_at_a_time:
            stands = self.state.watermark
            if since is not None and stands is not None and later(stands, since) != stands:
                _, result = await self._list(PollState(watermark=since), durably=False)
                return result  # beside the polls, which stand where they stood
            if since is not None:
                return await self._from(since)
            if self.state.watermark is None:
                # An empty table had no time to begin at.
                if await self._changes.newest(self._table) is None:
                    await self._save(replace(self.state, completed_at=self._clock()))
                    return PassResult(listed=0, found=0)
                return await self._from(EARLIEST)
            return await self._go_on(self.state)

    async def _from(self, watermark: str) -> PassResult:
        """Begin a pass at another time; until it has listed something, the polls stand where they stood."""
        return await self._go_on(replace(self.state, watermark=watermark, cursor=None, reached=None))

    async def _go_on(self, stands: PollState) -> PassResult:
        if stands.cursor is None:
            stands = replace(stands, began_at=self._clock())
        stands, result = await self._list(stands, durably=True)
        watermark, began_at = stands.reached or stands.watermark, stands.began_at or self._clock()
        await self._save(PollState(watermark=watermark, completed_at=began_at))
        return result

    async def _list(self, stands: PollState, *, durably: bool) -> tuple[PollState, PassResult]:
        """List what is left of a pass; ``durably``, a restart goes on behind the last slice."""
        listed = found = 0
        while True:
            slice_ = await self._changes.since(
                self._table, stands.watermark or EARLIEST, self._config.overlap_seconds, stands.cursor
            )
            found += await self._findings.take(self._table, slice_, "poll")
            listed += len(slice_.truths)
            stands = replace(stands, cursor=slice_.next_cursor, reached=later(slice_.watermark, stands.reached))
            if stands.cursor is None:
                return stands, PassResult(listed=listed, found=found)
            if durably:
                await self._save(stands)
