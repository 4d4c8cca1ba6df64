"""What people call records and tables, beside the ids by which they are addressed.

Both are stored, so that showing them asks no source.  They are data: answers have them, and no log, metric or alert.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from hookbridge.api.reconcile import TableStatus
from hookbridge.errors import SourceError, StoreUnavailable
from hookbridge.model import Event, RecordKey, SourceName, StoredEvent
from hookbridge.names import one_line, short
from hookbridge.sources.kept import title_claimed
from hookbridge.sources.large import aside
from hookbridge.sources.source import Source
from hookbridge.store.contract import Copies

Labels = Mapping[tuple[SourceName, str], str]

LOOK_SECONDS = 60.0
"""A table that nobody lists has its label so long after its first change at the latest."""

CHANGED_SECONDS = 10.0
"""A table is looked at once in this time, however often it is said to have been changed."""

TABLES_MAX = 1_000

KNOWN_SECONDS = 10.0
"""How long labels are taken to be what they were: another node may have learnt one."""


class Called(msgspec.Struct, frozen=True):
    """What people call a record and its table, under the names that answers have for them."""

    title: str
    table_label: str


class Naming:
    """The way to titles and labels."""

    def __init__(
        self,
        store: Copies,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._met: set[tuple[SourceName, str]] = set()
        self._changed: set[tuple[SourceName, str]] = set()
        self._woken = asyncio.Event()
        self._labels: dict[tuple[SourceName, str], str] = {}
        self._known_until = float("-inf")

    async def learn(self, source: SourceName, table: str, title: str) -> None:
        """Take what a source calls a table for its label; a title without a character is none.

        A store that cannot be written now hears it when the source says it the next time.
        """
        label = one_line(title)
        with contextlib.suppress(StoreUnavailable):
            if label and (await self._known()).get((source, table)) != label:
                await self._store.put_label(source, table, label)
                self._labels[source, table] = label

    def met(self, record: RecordKey) -> None:
        """Take note that a record of this table was read."""
        if len(self._met) < TABLES_MAX:
            self._met.add((record.source, record.table))

    def changed(self, source: SourceName, tables: Iterable[str]) -> None:
        """Take note that somebody says that tables were changed themselves, and not only records of theirs."""
        for table in tables:
            if len(self._changed) < TABLES_MAX:
                self._changed.add((source, table))
                self._woken.set()

    async def run(self, sources: Mapping[SourceName, Source]) -> None:
        """Have sources look what tables are called, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_at_met(sources), name="labels-met")
            group.create_task(self._look_at_changed(sources), name="labels-changed")

    async def _look_at_met(self, sources: Mapping[SourceName, Source]) -> None:
        """Listed ones are looked at by their polls anyway, but those that only webhooks speak of by nobody else."""
        while True:
            await self._sleep(LOOK_SECONDS)
            met, self._met = self._met, set()
            for source, table in sorted(met):
                # What cannot be read now is read after the table's next change.
                with contextlib.suppress(SourceError):
                    await sources[source].look_at_table(table)

    async def _look_at_changed(self, sources: Mapping[SourceName, Source]) -> None:
        """Look at once at what nobody would look at for minutes.

        Only at what has a label: anybody may say that a table was changed of which nobody has seen a record.
        """
        while True:
            await self._woken.wait()
            self._woken.clear()
            changed, self._changed = self._changed, set()
            for source, table in sorted(changed & (await self._known_by_now()).keys()):
                # What cannot be read now is read when it would have been.
                with contextlib.suppress(SourceError):
                    await sources[source].look_at_table(table, anew=True)
            await self._sleep(CHANGED_SECONDS)

    async def of(self, record: RecordKey, title: str | None) -> Called:
        """Name a record whose copy has this title."""
        return _called(record, title, await self._known())

    async def label(self, source: SourceName, table: str) -> str:
        """Name a table."""
        return _label(await self._known(), source, table)

    async def of_each(self, records: Iterable[RecordKey]) -> dict[RecordKey, Called]:
        """Name records by what their copies are called."""
        wanted = frozenset(records)
        titles = await self._store.titles(wanted)
        labels = await self._known()
        return {record: _called(record, titles.get(record), labels) for record in wanted}

    async def of_events(
        self, stored: Sequence[StoredEvent], sources: Mapping[SourceName, Source]
    ) -> tuple[Called, ...]:
        """Name the records of events in their order: by their copies, or as an event itself says it.

        A record that is gone has no title any more, and a dead letter may be all that there is of one.
        """
        events = [one.event for one in stored]
        titles = await self._store.titles({event.record for event in events})
        unnamed = [event for event in events if event.record not in titles]
        size = sum(len(event.body) for event in unnamed)
        claimed = iter(await aside(size, _claimed, unnamed, sources))
        labels = await self._known()
        named = (titles[event.record] if event.record in titles else next(claimed) for event in events)
        return tuple(_called(event.record, title, labels) for event, title in zip(events, named, strict=True))

    async def labelled(self, tables: Iterable[TableStatus]) -> tuple[TableStatus, ...]:
        """Put their labels to tables, as far as they are known where the store cannot be asked."""
        labels = await self._known_by_now()
        return tuple(replace(one, table_label=_label(labels, one.source, one.table)) for one in tables)

    async def of_tables(self, tables: Iterable[tuple[SourceName, str]]) -> Labels:
        """Name tables."""
        known = await self._known()
        return {(source, table): _label(known, source, table) for source, table in tables}

    async def _known_by_now(self) -> Labels:
        """Give the labels, those of before where the store cannot be asked.  Raises nothing."""
        with contextlib.suppress(StoreUnavailable):
            return await self._known()
        return self._labels

    async def _known(self) -> Labels:
        if self._clock() >= self._known_until:
            self._labels = await self._store.labels()
            self._known_until = self._clock() + KNOWN_SECONDS
        return self._labels


def _called(record: RecordKey, title: str | None, labels: Labels) -> Called:
    return Called(title or record.id, _label(labels, record.source, record.table))


def _label(labels: Labels, source: SourceName, table: str) -> str:
    return labels.get((source, table)) or short(source, table)


def _claimed(events: Sequence[Event], sources: Mapping[SourceName, Source]) -> list[str | None]:
    return [title_claimed(sources[event.record.source], event) for event in events]
