"""Records for the user's API: the copy, read through on a miss.

A copy that a change settled is never older than that change: the settle wrote it, or a later read did.  What is read
here is written only where no later read was faster.  A fresh read (links to files in a copy expire) renews a copy with
the same content; what it finds changed takes the way of every change, so that handlers and caches hear of it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping

import msgspec

from hookbridge.api.records import Difference
from hookbridge.clock import Clock
from hookbridge.errors import TooSoon, TryLater
from hookbridge.model import Columns, Content, Copy, RecordKey, SourceName, Truth
from hookbridge.sources import kept
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.contents import content_of, given
from hookbridge.sources.source import Source
from hookbridge.store.contract import Copies

FRESH_SECONDS = 60.0
"""A record is read afresh at most once in this time."""

FRESH_MAX = 1_000
"""So many records are read afresh in that time, all together."""

NESTED_PATH = 2
"""So many names lead to a difference at most: a column, or a page's property."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A record's copy beside what its source has now."""

    copy: Copy | None
    """None when nothing is known of the record, and when it is known to be gone."""
    truth: Truth
    differences: tuple[Difference, ...]
    title: str | None
    """What people call it: as its copy has it, or its source where there is none."""

    @property
    def agrees(self) -> bool:
        """Whether both have the same content, or neither has any; what was not read whole is not known to have it."""
        return not self.differences and not self.truth.cut


class Records:
    """The way to a record."""

    def __init__(
        self,
        store: Copies,
        sources: Mapping[SourceName, Source],
        clock: Clock,
        announce: Callable[[RecordKey], Awaitable[object]],
        answered: Callable[[SourceName, float], None],
    ) -> None:
        """``announce`` has a record that is not as its copy read through its lane; it may raise TryLater.

        ``answered`` is told when a source answered, and when it was asked.
        """
        self._store = store
        self._sources = sources
        self._clock = clock
        self._announce = announce
        self._answered = answered
        self._being_read: set[tuple[str, ...]] = set()
        self._refreshed: dict[tuple[str, ...], float] = {}
        """When each record was last read afresh, the earliest first; those that may be again are forgotten."""

    async def get(self, record: RecordKey) -> Copy | None:
        """Give the record; None when its source has none (or, without credentials, when no event brought one).

        Raises SourceError when the copy is missing and the source cannot be read.
        """
        source = self._sources[record.source]
        name = await self._name(source, record)
        copy = await self._store.copy(name)
        known = copy is not None and (copy.data is not None or copy.verified)
        if not known and source.has_credentials:
            copy = await self._read_through(source, name)
        return None if copy is None else _answer(source, record, copy)

    async def compare(self, record: RecordKey) -> Comparison:
        """Put the copy beside the truth, read now.  Nothing is written.  Raises SourceError."""
        source = self._sources[record.source]
        record = await self._name(source, record)
        # The copy first: a change that is settled in between shows as a difference, never as an agreement.
        copy = await self._store.copy(record)
        truth = await self._read(source, source.read, record)
        if truth.record != record:  # another spelling, under which there is no copy
            copy = await self._store.copy(truth.record)
        known = copy if copy is not None and copy.data is not None else None
        if known is not None and truth.data is not None and truth.matches(known.fingerprint):
            return Comparison(copy=known, truth=truth, differences=(), title=known.title)
        before = None if known is None or known.data is None else decode_columns(known.data)
        columns = source.truth_columns(truth)
        found = differences(before, columns)
        if known is not None and truth.data is not None:
            found = (*found, *_differing_content(given(content_of(known)), given(truth.content)))
        title = kept.title_of(source, truth.record, columns) if known is None else known.title
        return Comparison(copy=known, truth=truth, differences=found, title=title)

    async def refresh(self, record: RecordKey) -> Copy | None:
        """Give the record as its source has it now, read when nothing else wants to ask; None when it has none.

        Raises TooSoon for what was read afresh a moment ago, and SourceError.
        """
        source = self._sources[record.source]
        truth = await self._read_afresh(source, record)
        known = await self._store.copy(await self._name(source, truth.record))
        read = await kept.kept_aside(source, truth, self._clock())
        same = known is not None and known.data is not None and known.record == truth.record
        if known is None or (same and truth.data is not None and truth.matches(known.fingerprint)):
            await self._keep(read)
        elif truth.data is not None or known.data is not None:
            # Where no event can be taken the next sweep finds it: the copy is as it was.
            with contextlib.suppress(TryLater):
                await self._announce(known.record if truth.data is None else truth.record)
        return _answer(source, record, read.copy)

    async def _read_afresh(self, source: Source, record: RecordKey) -> Truth:
        """Read a record in its turn, which a read that fails does not use up.  Raises TooSoon, SourceError."""
        # Where ids are global, another table's name is another name of the same record.
        name = (record.source, record.id) if source.ids_are_global else (record.source, record.table, record.id)
        self._refuse_too_soon(name)
        self._being_read.add(name)
        try:
            truth = await self._read(source, source.refresh, await self._name(source, record))
        finally:
            self._being_read.discard(name)
        self._refreshed[name] = self._clock()
        return truth

    def _refuse_too_soon(self, name: tuple[str, ...]) -> None:
        now = self._clock()
        while self._refreshed and (oldest := next(iter(self._refreshed.items())))[1] <= now - FRESH_SECONDS:
            del self._refreshed[oldest[0]]
        last = now if name in self._being_read else self._refreshed.get(name)
        if last is None and len(self._refreshed) + len(self._being_read) >= FRESH_MAX:
            last = next(iter(self._refreshed.values()), now)
        if last is not None:
            raise TooSoon(
                f"A record is read afresh once in {FRESH_SECONDS:g} s, and {FRESH_MAX} of them",
                retry_after_seconds=max(1, math.ceil(last + FRESH_SECONDS - now)),
                hint="without fresh=1 the copy answers",
            )

    async def _name(self, source: Source, record: RecordKey) -> RecordKey:
        """Give the name under which the copy has a record: where ids are global, any table's name may be asked for."""
        return (await self._store.home(record) or record) if source.ids_are_global else record

    async def _read(self, source: Source, read: Callable[[RecordKey], Awaitable[Truth]], record: RecordKey) -> Truth:
        asked_at = self._clock()
        truth = await read(record)
        self._answered(source.name, asked_at)
        return truth

    async def _read_through(self, source: Source, record: RecordKey) -> Copy:
        truth = await self._read(source, source.read, record)
        read = await kept.kept_aside(source, truth, self._clock())
        await self._keep(read)
        return read.copy

    async def _keep(self, read: kept.Kept) -> None:
        # A stale answer is harmless, a stale copy is not: the ticket decides whether this read may be kept.
        await self._store.put(read.copy, read.document, exclusive=read.exclusive)


def _answer(source: Source, asked: RecordKey, copy: Copy) -> Copy | None:
    """Give a copy to who asked for it by one of its names; where it has moved to, it is another table's record."""
    if copy.data is None:
        return None
    is_called = copy.record.table == asked.table or source.is_called(asked.table, decode_columns(copy.data))
    return copy if is_called else None


def differences(copy: Columns | None, truth: Columns | None) -> tuple[Difference, ...]:
    """List the values that differ, by the names that lead to them; ``*`` is the record where one side has none."""
    if copy is None and truth is None:
        return ()
    if copy is None:
        return (Difference(path="*", truth=truth),)
    if truth is None:
        return (Difference(path="*", copy=copy),)
    return tuple(_differing(copy, truth, ()))


def _differing_content(copy: Content | None, truth: Content | None) -> Iterator[Difference]:
    mine, theirs = (msgspec.UNSET if one is None else one.markdown for one in (copy, truth))
    if mine != theirs:
        yield Difference(path="content", copy=mine, truth=theirs)


def _differing(copy: Columns, truth: Columns, above: tuple[str, ...]) -> Iterator[Difference]:
    for name in [*truth, *(name for name in copy if name not in truth)]:
        mine, theirs = copy.get(name, msgspec.UNSET), truth.get(name, msgspec.UNSET)
        path = (*above, name)
        if mine == theirs and type(mine) is type(theirs):
            continue
        if isinstance(mine, dict) and isinstance(theirs, dict) and len(path) < NESTED_PATH:
            yield from _differing(mine, theirs, path)
        else:
            yield Difference(path=".".join(path), copy=mine, truth=theirs)
