"""The records as last read, and their words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from hookbridge.model import Copy, Document, RecordKey, SourceName
from hookbridge.store.values import LAST_PLACE, Candidates, CopyPage, RecentPage, RecordFilter, RecordPage, Span
from hookbridge.text import Query


class Copies(Protocol):
    """The records as last read, and their words."""

    async def ticket(self) -> int:
        """Give the ticket for a read that begins afterwards: larger than every one given before this call.

        Restarts and other nodes included.  One for each request to a source.
        """
        ...

    async def copy(self, record: RecordKey) -> Copy | None:
        """Give the copy; one with ``data`` None says that the source has no such record."""
        ...

    async def home(self, record: RecordKey) -> RecordKey | None:
        """Give the name under which there is a copy with data of this id, whatever its table (ids are global)."""
        ...

    async def put(self, copy: Copy, document: Document | None, *, exclusive: bool) -> None:
        """Write a copy that was read outside a change (read-through), unless a later one is there.

        ``exclusive`` drops the copies of the same id in other tables (ids are global).
        """
        ...

    async def titles(self, records: Collection[RecordKey]) -> dict[RecordKey, str]:
        """Give what people call records, where their copies say it; of a global id, whatever its copy's table."""
        ...

    async def labels(self) -> dict[tuple[SourceName, str], str]:
        """Give what people call tables, of all whose label somebody said."""
        ...

    async def put_label(self, source: SourceName, table: str, label: str) -> None:
        """Say what people call a table."""
        ...

    async def candidates(self, query: Query, *, source: SourceName | None, table: str | None) -> Candidates:
        """Find the copies that have all that is asked, within a bound.

        Those that have the words themselves come before those with words that begin so; of both, the newest change of
        words first.
        Whoever ranks them looks again: of a query of very many words only some are looked for here.
        """
        ...

    async def copied(self, *, cursor: str | None, limit: int, bytes_max: int) -> CopyPage:
        """List copies with data, however they are named; at most ``limit``, and none behind so many bytes."""
        ...

    async def index(self, read: Sequence[tuple[Copy, Document]], *, note: tuple[str, str]) -> None:
        """Write titles and words of copies anew, and in the same transaction note how far that is.

        Those that are not as they were read are left alone.  It is no change: the others stay in their order.
        """
        ...

    async def records(self, which: RecordFilter, *, after: RecordKey | None, limit: int) -> RecordPage:
        """List records by source, table and key, behind the cursor ``after``; keys that are numbers by their value.

        Those of ``waiting`` are listed whether or not there is a copy of them, and by their names as texts; else those
        with a copy.
        """
        ...

    async def recent(self, which: RecordFilter, *, before: int | None, limit: int) -> RecentPage:
        """List records that have a copy in the order of their last change (the feed's), the last one first."""
        ...

    async def several(self, records: Sequence[RecordKey], *, bytes_max: int) -> dict[RecordKey, Copy]:
        """Give the copies with data of these names, one after the other until they have more than so many bytes."""
        ...

    async def remove_tombstones(self, when: Span, limit: int, *, passed: int = LAST_PLACE) -> int:
        """Forget at most ``limit`` absences noted then, up to the place ``passed`` of the feed; gives how many.

        It looks at the ``TOMBSTONES_LOOKED_AT`` that were noted first, so that those which stay cost no more than that.
        The feed says from where on nothing is missing (``FeedEnds.oldest``), in the same transaction.
        """
        ...

    async def too_many_tombstones(self, when: Span, most: int) -> int | None:
        """Give the place up to which absences noted then are more than ``most``; None where there are not more."""
        ...
