"""Records for the user's API: the copy, read through on a miss.

A copy that a change settled is never older than that change: the settle wrote it, or a later read did.  What is read
here is written only where no later read was faster.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookbridge.clock import Clock
from hookbridge.model import Copy, Document, RecordKey, SourceName
from hookbridge.sources.source import Source
from hookbridge.store.contract import Copies


class Records:
    """The way to a record."""

    def __init__(self, store: Copies, sources: Mapping[SourceName, Source], clock: Clock) -> None:
        self._store = store
        self._sources = sources
        self._clock = clock

    async def get(self, record: RecordKey) -> Copy | None:
        """Give the record; None when its source has none (or, without credentials, when no event brought one).

        Raises SourceError when the copy is missing and the source cannot be read.
        """
        source = self._sources[record.source]
        copy = await self._store.copy(record)
        known = copy is not None and (copy.data is not None or copy.verified)
        if not known and source.has_credentials:
            copy = await self._read_through(source, record)
        return copy if copy is not None and copy.data is not None else None

    async def _read_through(self, source: Source, record: RecordKey) -> Copy:
        truth = await source.read(record)
        columns = source.truth_columns(truth)
        copy = Copy(
            record=record,
            data=truth.data,
            changed_at=truth.changed_at,
            fingerprint=truth.fingerprint,
            ticket=truth.ticket,
            read_at=self._clock(),
        )
        words = "" if columns is None else source.words(record, columns)
        # A stale answer is harmless, a stale copy is not: the ticket decides whether this read may be kept.
        exclusive = source.ids_are_global and not truth.elsewhere
        await self._store.put(copy, Document(record, words), exclusive=exclusive)
        return copy
