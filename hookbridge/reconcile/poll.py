"""Changes since a watermark: one pass lists them, compares them, raises what differs.

The watermark is the latest time of change that a complete pass has seen; each pass looks a while before it, because
times are rounded and transactions commit late.  A pass that was interrupted goes on behind its last slice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from hookbridge.api.reconcile import PassResult
from hookbridge.model import SourceName
from hookbridge.reconcile import state
from hookbridge.reconcile.findings import Findings
from hookbridge.reconcile.state import PollState, later
from hookbridge.sources.source import Changes
from hookbridge.store.contract import Notes

EARLIEST = "2000-01-01T00:00:00+00:00"
"""Where polls can begin, and those of a table do that was empty at first: before the services themselves."""


class Poll:
    """The polls of one table."""

    def __init__(
        self,
        source: SourceName,
        table: str,
        changes: Changes,
        findings: Findings,
        notes: Notes,
        overlap_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._table = table
        self._changes = changes
        self._findings = findings
        self._notes = notes
        self._overlap_seconds = overlap_seconds
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self.state = PollState()

    async def open(self) -> None:
        """Read where the polls stand."""
        self.state = await state.load(
            self._notes,
            PollState,
            self._source,
            self._table,
            now=self._clock(),
            overlap_seconds=self._overlap_seconds,
        )

    async def begin_at(self, watermark: str | None) -> None:
        """Set the first watermark, after the first complete sweep; one that is known stays."""
        if self.state.watermark is None and watermark is not None:
            await self._save(msgspec.structs.replace(self.state, watermark=watermark))

    async def run(self, since: str | None = None) -> PassResult:
        """Run one pass, or the rest of one; ``since`` begins anew at another time.  Raises SourceError.

        A time behind which the polls have not come yet moves nothing: what lies before it is still to be listed.
        """
        async with self._one_at_a_time:
            stands = self.state.watermark
            if since is not None and stands is not None and later(stands, since) != stands:
                return await self._beside(since)
            if since is not None:
                return await self._from(since)
            if self.state.watermark is None:
                # An empty table had no time to begin at.
                if await self._changes.newest(self._table) is None:
                    await self._save(msgspec.structs.replace(self.state, completed_at=self._clock()))
                    return PassResult(listed=0, found=0)
                return await self._from(EARLIEST)
            return await self._go_on(self.state)

    async def _from(self, watermark: str) -> PassResult:
        """Begin a pass at another time; until it has listed something, the polls stand where they stood."""
        return await self._go_on(msgspec.structs.replace(self.state, watermark=watermark, cursor=None, reached=None))

    async def _beside(self, watermark: str) -> PassResult:
        """Run a pass at a later time, and leave the polls where they stand."""
        listed = found = 0
        cursor: str | None = None
        while True:
            slice_ = await self._changes.since(self._table, watermark, self._overlap_seconds, cursor)
            found += await self._findings.take(self._table, slice_.truths, "poll")
            self._findings.leave_out(self._table, slice_.unread)
            listed += len(slice_.truths)
            if (cursor := slice_.next_cursor) is None:
                return PassResult(listed=listed, found=found)

    async def _go_on(self, now: PollState) -> PassResult:
        listed = found = 0
        if now.cursor is None:
            now = msgspec.structs.replace(now, began_at=self._clock())
        while True:
            slice_ = await self._changes.since(
                self._table, now.watermark or EARLIEST, self._overlap_seconds, now.cursor
            )
            found += await self._findings.take(self._table, slice_.truths, "poll")
            self._findings.leave_out(self._table, slice_.unread)
            listed += len(slice_.truths)
            now = msgspec.structs.replace(now, cursor=slice_.next_cursor, reached=later(slice_.watermark, now.reached))
            if now.cursor is None:
                break
            await self._save(now)
        await self._save(PollState(watermark=now.reached or now.watermark, completed_at=now.began_at or self._clock()))
        return PassResult(listed=listed, found=found)

    async def _save(self, new: PollState) -> None:
        await state.save(self._notes, new, self._source, self._table)
        self.state = new
