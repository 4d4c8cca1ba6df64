"""What the reconciler compares and remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hookbridge.model import Copy, Document, RecordKey, SourceName
from hookbridge.store.nodes import Lead
from hookbridge.store.values import Announcement, ContentCounts, Standings, Unmet


class Sweeps(Protocol):
    """What the reconciler compares and remembers.

    What is written with a lead that has ended raises LeadLost, and nothing of it is written.
    """

    async def standings(self, source: SourceName, table: str, ids: Sequence[str]) -> Standings:
        """Say how records of one table stand, all as of one moment."""
        ...

    async def load(
        self, read: Sequence[tuple[Copy, Document | None]], *, exclusive: bool, lead: Lead | None = None
    ) -> None:
        """Write many copies that were read outside a change, in one transaction; as ``put``."""
        ...

    async def met(self, sweep: int, ids: Sequence[str]) -> frozenset[str]:
        """Say which of these a sweep has met before."""
        ...

    async def meet(
        self, sweep: int, ids: Sequence[str], *, note: tuple[str, str] | None = None, lead: Lead | None = None
    ) -> None:
        """Note what a sweep (named by its ticket) has met, and in the same transaction a note on where it is."""
        ...

    async def unmet(self, source: SourceName, table: str, sweep: int, *, after: str | None = None, limit: int) -> Unmet:
        """Find copies with data that are older than the sweep and that it has not met, those behind ``after`` or all.

        An id may be the empty text, which is behind nothing.
        """
        ...

    async def wanting(
        self, source: SourceName, table: str, *, after: str | None = None, limit: int
    ) -> tuple[Copy, ...]:
        """Find copies with data and without content by their ids, those behind ``after`` or the first ones."""
        ...

    async def content_counts(self, source: SourceName, table: str) -> ContentCounts:
        """Count them, and all copies.  It looks at the whole table, a third of a second for a million."""
        ...

    async def forget_sweeps(
        self, *, only: int | None = None, before: int = 0, keep: Sequence[int] = (), limit: int
    ) -> int:
        """Remove what one sweep has met, or what those have that began before this ticket but those of ``keep``.

        At most ``limit`` rows; gives how many.
        """
        ...

    async def note_findings(
        self, records: Sequence[RecordKey], standings: Standings, *, lead: Lead | None = None
    ) -> None:
        """Remember differences until it is known whether a webhook announces them.

        Not those whose copy is younger than the comparison: a webhook was faster, and is counted by itself.  A webhook
        announces one when its event was not there yet when the record was compared.
        """
        ...

    async def settle_findings(self, grace_seconds: float) -> tuple[Announcement, ...]:
        """Count what was found longer ago than that as announced or missed, and forget it; also what lies ahead.

        What has open events waits for their end.
        """
        ...
