"""Search for the user's API: the store finds candidates, their words say which are the best, and their text is shown.

The text of a hit is made anew from its copy, so it is what its record says, not what the index remembers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from hookbridge.model import Copy, RecordKey, SourceName
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.contents import content_of
from hookbridge.sources.large import aside
from hookbridge.sources.source import Source
from hookbridge.store.contract import Copies
from hookbridge.store.values import Candidates
from hookbridge.text import TOKENS_MAX, Fields, Query, Rank, is_cut, parse, rank, rank_of, snippet, titled

RANK_SECONDS = 0.05
"""Of processor time, in which candidates are ranked: 1,000 short records of plain letters, 30 long ones of others."""

RANKED_MIN = 8
"""So many are ranked however long that takes: a virtual machine may charge for its host's pauses."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One search result."""

    record: RecordKey
    title: str | None
    snippet: str
    """The text around the words, each match in ``[`` and ``]``."""
    score: float
    """Larger is better."""
    data: bytes
    words_cut: bool
    """Whether the index has only the beginning of its text."""


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
        size = sum(copy.size for copy in found.copies)
        hits, all_ranked = await aside(size, self._best, query, found, limit)
        return Hits(hits=hits, complete=found.complete and all_ranked, indexing=indexing)

    def around(self, text: str, copy: Copy) -> str | None:
        """Show the words of a query in the text of a copy; None where it does not have them all."""
        query = parse(text)
        fields = self._fields(copy)
        return snippet(query, fields) if query.terms and rank(query, fields) is not None else None

    async def words_are_cut(self, copy: Copy) -> bool:
        """Say whether the index has only the beginning of a record's text."""
        if copy.size <= TOKENS_MAX:  # no token without a byte
            return False
        return await aside(copy.size, lambda: is_cut(self._fields(copy)))

    def _best(self, query: Query, found: Candidates, limit: int) -> tuple[tuple[Hit, ...], bool]:
        """Choose the best of the candidates, and say whether there was time for all of them."""
        ranked, all_ranked = self._ranked(query, found)
        hits: list[tuple[Rank, int, Hit]] = []
        for _, place in ranked:
            if len(hits) == limit:
                break
            copy = found.copies[place]
            fields = self._fields(copy)
            ranking = rank(query, fields)
            if ranking is not None:  # the index is made anew, and this entry is still of another way to read words
                hits.append((ranking, place, _hit(query, copy, fields, ranking)))
        hits.sort(key=lambda one: one[:2])
        return tuple(hit for _, _, hit in hits), all_ranked

    def _ranked(self, query: Query, found: Candidates) -> tuple[list[tuple[Rank, int]], bool]:
        """Rank by what the index has, and say whether there was time for all.

        Of equals the first one stays first; names decide where engines know no order.  Those whose title has the words
        would come first, so they are looked at first.
        """
        until = time.thread_time() + self._rank_seconds
        ranked: list[tuple[Rank, int]] = []
        likely = sorted(range(len(found.copies)), key=lambda place: -titled(query, found.copies[place].title or ""))
        for looked_at, place in enumerate(likely):
            if looked_at >= RANKED_MIN and time.thread_time() > until:
                return sorted(ranked), False
            by_field = [field.split() for field in found.indexed[place].fields]
            if (ranking := rank_of(query, by_field)) is not None:
                ranked.append((ranking, place))
        return sorted(ranked), True

    def _fields(self, copy: Copy) -> Fields:
        columns = None if copy.data is None else decode_columns(copy.data)
        if columns is None:
            return Fields()
        return self._sources[copy.record.source].fields(copy.record, columns, content_of(copy))


def _hit(query: Query, copy: Copy, fields: Fields, ranking: Rank) -> Hit:
    return Hit(
        record=copy.record,
        title=copy.title,
        snippet=snippet(query, fields),
        score=ranking.score,
        data=copy.data or b"",
        words_cut=is_cut(fields),
    )
