"""Search for the user's API: the store finds candidates, the text decides which are hits, in which order, and is shown.

The text of a candidate is made anew from its copy, so a hit is what its record says, not what the index remembers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from hookbridge.model import Copy, RecordKey, SourceName
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.large import aside
from hookbridge.sources.source import Source
from hookbridge.store.contract import Copies
from hookbridge.text import Fields, Query, Rank, parse, rank, snippet, titled

RANK_SECONDS = 0.05
"""Of processor time, in which candidates are ranked: 1,000 short records of plain letters, 30 long ones of others."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One search result."""

    record: RecordKey
    title: str | None
    snippet: str
    """The text around the words, each match in ``[`` and ``]``."""
    score: float
    """Larger is better."""
    data: bytes


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, the best first."""

    hits: tuple[Hit, ...]
    complete: bool
    """Whether all records that have the words were looked at."""
    indexing: float | None
    """How much of the index has been made anew, from 0 to 1; None when it is whole."""


class Search:
    """The way to a record by its words."""

    def __init__(
        self,
        store: Copies,
        sources: Mapping[SourceName, Source],
        indexing: Callable[[], float | None],
        *,
        rank_seconds: float = RANK_SECONDS,
    ) -> None:
        """``indexing`` says how much of the index has been made anew; None when it is whole."""
        self._rank_seconds = rank_seconds
        self._store = store
        self._sources = sources
        self._indexing = indexing

    async def find(self, text: str, *, source: SourceName | None, table: str | None, limit: int) -> Hits:
        """Find records; any text is a query, and one without a word finds nothing."""
        query = parse(text)
        indexing = self._indexing()
        if not query.terms:
            return Hits(hits=(), complete=True, indexing=indexing)
        found = await self._store.candidates(query, source=source, table=table)
        size = sum(len(copy.data or b"") for copy in found.copies)
        hits, all_ranked = await aside(size, self._best, query, found.copies, limit)
        return Hits(hits=hits, complete=found.complete and all_ranked, indexing=indexing)

    def _best(self, query: Query, copies: Sequence[Copy], limit: int) -> tuple[tuple[Hit, ...], bool]:
        """Rank the candidates, and say whether there was time for all of them.

        Of equals the first one stays first; names decide where engines know no order.  Those whose title has the words
        would come first, so they are looked at first.
        """
        until = time.thread_time() + self._rank_seconds
        ranked: list[tuple[Rank, int, Copy, Fields]] = []
        likely = sorted(enumerate(copies), key=lambda placed: -titled(query, placed[1].title or ""))
        looked_at = 0
        for place, copy in likely:
            if looked_at and time.thread_time() > until:
                break
            looked_at += 1
            fields = self._fields(copy)
            if (ranking := rank(query, fields)) is not None:
                ranked.append((ranking, place, copy, fields))
        ranked.sort(key=lambda one: one[:2])
        hits = tuple(
            Hit(
                record=copy.record,
                title=copy.title,
                snippet=snippet(query, fields),
                score=ranking.score,
                data=copy.data or b"",
            )
            for ranking, _, copy, fields in ranked[:limit]
        )
        return hits, looked_at == len(copies)

    def _fields(self, copy: Copy) -> Fields:
        columns = None if copy.data is None else decode_columns(copy.data)
        return Fields() if columns is None else self._sources[copy.record.source].fields(copy.record, columns)
