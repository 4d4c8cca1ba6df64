"""The texts behind the records of a table that no copy has yet: after the first load, and after they were asked for.

Copies are of use before: they wait for their texts here, behind all other reads of their source.  Which of them wait,
the store knows, so that whoever goes on after a restart reads no text that is stored.  A text is labelled with the time
of change that its copy has: an edit since then shows at the next poll.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

import structlog

from hookbridge.api.reconcile import ContentProgress, PassResult
from hookbridge.errors import RecordImpossible, RecordUnreadable, SourceError
from hookbridge.model import FINGERPRINT_BYTES, Copy, Truth
from hookbridge.reconcile.estimate import left_seconds
from hookbridge.reconcile.passes import Subject
from hookbridge.reconcile.waiting import lacking
from hookbridge.store.values import Standing

LISTED_AT_ONCE = 100
READ_AT_ONCE = 10
"""More would stand before others that begin to wait later."""

_log = structlog.get_logger(__name__)


class ContentLoad:
    """What reads the texts that the copies of one table wait for."""

    def __init__(self, subject: Subject) -> None:
        self._of = subject.of
        self._source, self._table = subject.of.name, subject.followed.table
        self._findings = subject.findings
        self._store = subject.store
        self._clock = subject.clock
        self._waiting: int | None = None
        self._copied = 0
        self._began_at = 0.0
        self._read = 0
        self._woken = asyncio.Event()

    async def run(self) -> PassResult:
        """Read what copies wait for, until none does, or it is not given.  Raises SourceError or StoreUnavailable."""
        self._woken.clear()
        self._began_at, self._read = self._clock(), 0
        waiting, stored, after = await self._count(), 0, None
        while waiting and (some := await self._wanting(after)):
            for start in range(0, len(some), READ_AT_ONCE):
                stored += await self._some(some[start : start + READ_AT_ONCE])
                self._waiting = max(waiting - stored, 0)
                if self._of.content_refused(self._table) is not None:
                    return PassResult(listed=self._read, found=stored)
            after = some[-1].record.id
        if stored:
            await self._count()  # others have read some meanwhile
        return PassResult(listed=self._read, found=stored)

    async def _count(self) -> int:
        """Count what waits and what is there: for a whole pass, because that looks at the whole table."""
        counts = await self._store.content_counts(self._source, self._table)
        self._waiting, self._copied = counts.wanting, counts.copied
        return counts.wanting

    async def _wanting(self, after: str | None) -> Sequence[Copy]:
        return await self._store.wanting(self._source, self._table, after=after, limit=LISTED_AT_ONCE)

    async def _some(self, copies: Sequence[Copy]) -> int:
        """Read some at once; gives how many are stored then.  What one failure ends, the others outlive."""
        found = await self._store.standings(self._source, self._table, [copy.record.id for copy in copies])
        reads = (self._one(copy, found.by_id) for copy in copies)
        results = await asyncio.gather(*reads, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return sum(result is True for result in results)

    async def _one(self, copy: Copy, standings: Mapping[str, Standing]) -> bool:
        """Read and store the text of one; gives whether it is stored."""
        standing = standings[copy.record.id]
        if standing.dirty or standing.ticket != copy.ticket:
            return False  # whoever has its events reads it whole
        try:
            truth = await self._whole(copy)
        except (RecordUnreadable, RecordImpossible) as error:
            self._tell(copy, error)
            return False
        if truth.data is None or truth.content is None:
            return False
        self._read += 1
        await self._findings.completed(truth, standing)
        return True

    async def _whole(self, copy: Copy) -> Truth:
        if len(copy.fingerprint) > FINGERPRINT_BYTES:
            # A listing shows it in part, and of what that would be the copy does not tell.
            return await self._of.refresh(copy.record)
        return await self._of.complete(lacking(copy), "load")

    def _tell(self, copy: Copy, error: SourceError) -> None:
        _log.warning("A text cannot be read: its copy is without", record=str(copy.record), error=error.message)

    def applied(self, truth: Truth, previous: Copy | None) -> None:
        """Take note that a change was applied in place of a copy: the new one may wait, or the one before has waited.

        Others wake nobody: each pass asks again for what could not be read.
        """
        waited = previous is not None and previous.data is not None and previous.content is None
        if truth.data is not None and (truth.content is None or waited):
            self._woken.set()

    async def until_woken(self, seconds: float) -> None:
        """Return after so long, or when there is something to look for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def progress(self) -> ContentProgress | None:
        """Say how many copies have their texts, and how long the others wait; None before that was counted."""
        if self._waiting is None:
            return None
        refused = self._of.content_refused(self._table)
        elapsed, rate = self._clock() - self._began_at, self._of.requests_per_second
        return ContentProgress(
            stored=self._copied - self._waiting,
            total=self._copied,
            left_seconds=None if refused else left_seconds(self._waiting, self._read, elapsed, rate),
            refused=refused,
        )
