"""The proof: copy and source of a table compared completely, as of the moment the comparison began.

What differs at first is read again, together with its copy, before it is called different: a record may have changed
meanwhile, and its webhook may be on the way.  What is there and cannot be read differs; what a listing shows only in
part is read by itself, and what even that does not give whole is ``cut``: not equal, and not different.  The texts
behind records are compared by the time of their edit, which listings show, or read one by one where that is asked for.
Healing raises ordinary events and looks again when they are settled.
Invariant: a comparison that could not be finished gives no result, but the error that ended it; the other tables are
compared all the same.  Only healing changes anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from hookbridge.api.reconcile import Line, Progress, TableProof, Unproven, Verdict
from hookbridge.clock import time_of
from hookbridge.errors import RecordImpossible, RecordUnreadable, SourceError
from hookbridge.model import RecordKey, Truth
from hookbridge.naming import Naming
from hookbridge.reconcile.comparing import differences, is_there, kind_now, named
from hookbridge.reconcile.estimate import left_seconds
from hookbridge.reconcile.findings import Difference, Sink, kind_of
from hookbridge.reconcile.passes import forget
from hookbridge.reconcile.table import FollowedTable
from hookbridge.reconcile.tally import Tally
from hookbridge.reconcile.waiting import waits
from hookbridge.sources.large import aside
from hookbridge.sources.source import Slice, Source
from hookbridge.store.contract import Store
from hookbridge.store.values import Standing

SUSPECTS_MAX = 5_000
"""So many records are remembered to be read again; then they are, before the listing goes on."""

READS_AT_ONCE = 200
TEXTS_AT_ONCE = 10
"""After so many it is told how far the comparison is: each costs a request."""
UNMET_BATCH = 1_000

LOOKS_AGAIN_SECONDS = (0.0, 0.5, 1.5)
"""A difference is one when it is there at each of these looks."""

PATIENCE_SECONDS = 15.0
"""Longest wait for records whose events are open, or which change from look to look, where somebody settles them."""

HEAL_SECONDS = 60.0


class Proof:
    """Compares tables.  One instance compares one table at a time."""

    def __init__(
        self,
        store: Store,
        sink: Sink,
        clock: Callable[[], float],
        naming: Naming,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._store = store
        self._sink = sink
        self._clock = clock
        self._naming = naming
        self._sleep = sleep

    async def tables(
        self, tables: Sequence[FollowedTable], *, heal: bool, content: bool = False
    ) -> AsyncGenerator[Line]:
        """Compare tables one after the other; the last line is the verdict.  Raises StoreUnavailable.

        ``content``: the texts behind their records, too, read one by one.
        """
        proofs: list[TableProof] = []
        for table in tables:
            try:
                async with aclosing(self.table(table, heal=heal, content=content)) as lines:
                    async for line in lines:
                        if isinstance(line, TableProof):
                            proofs.append(line)
                        yield line
            except SourceError as error:
                label = await self._naming.label(table.source, table.name)
                yield Unproven(
                    source=table.source,
                    table=table.name,
                    table_label=label,
                    message=error.message,
                    hint=error.hint,
                )
        yield Verdict(
            agrees=len(proofs) == len(tables) and all(proof.agrees for proof in proofs),
            as_of=min((proof.as_of for proof in proofs), default=None),
            cut=sum(proof.cut for proof in proofs),
            waiting=sum(proof.waiting for proof in proofs),
            tables=len(proofs),
            unproven=len(tables) - len(proofs),
        )

    async def table(
        self, table: FollowedTable, *, heal: bool, content: bool = False
    ) -> AsyncGenerator[Progress | TableProof]:
        """Compare one table: its progress, and at the end its proof.  Raises SourceError or StoreUnavailable."""
        began, sweep = self._clock(), await self._store.ticket()
        tally = Tally(content=content)
        if content:
            tally.total = (await self._store.content_counts(table.source, table.name)).copied
        try:
            cursor: str | None = None
            while True:
                slice_ = await table.changes.listing(table.name, cursor)
                tally.total = tally.total if slice_.total is None else slice_.total
                with_texts = await self._slice(table, sweep, slice_, tally)
                for start in range(0, len(with_texts), TEXTS_AT_ONCE):
                    yield await self._progress(table, tally, began)
                    await self._texts(table, with_texts[start : start + TEXTS_AT_ONCE], tally)
                # Not each at once: most of what differs is a change whose webhook is on its way, and is equal soon.
                if len(tally.suspects) + len(tally.partial) >= SUSPECTS_MAX:
                    await self._look_again(table, tally, heal=heal)
                yield await self._progress(table, tally, began)
                if (cursor := slice_.next_cursor) is None:
                    break
            await self._extra(table, sweep, tally, heal=heal)
        finally:
            await forget(self._store, only=sweep)
        label = await self._naming.label(table.source, table.name)
        titles = await self._store.titles(frozenset(tally.unequal()))
        yield tally.proof(table.source, table.name, time_of(began), label=label, titles=titles)

    async def _progress(self, table: FollowedTable, tally: Tally, began: float) -> Progress:
        left = None if tally.total is None else max(0, tally.total - tally.listed)
        rate = table.of.requests_per_second if tally.content else None
        return Progress(
            source=table.source,
            table=table.name,
            table_label=await self._naming.label(table.source, table.name),
            compared=tally.listed,
            total=tally.total,
            left_seconds=None if left is None else left_seconds(left, tally.listed, self._clock() - began, rate),
        )

    async def _slice(self, table: FollowedTable, sweep: int, slice_: Slice, tally: Tally) -> list[Truth]:
        """Compare what a listing shows; gives what is equal so far, and has texts that are to be compared as well."""
        unread = named(table, slice_.unread)
        ids = [record.id for record in (*(truth.record for truth in slice_.truths), *unread)]
        # A listing that was cut goes on with what it has shown last: each record counts once.
        counted = await self._store.met(sweep, ids)
        truths = [truth for truth in slice_.truths if truth.record.id not in counted]
        unread = [record for record in unread if record.id not in counted]
        standings = await self._standings(table, [*(truth.record for truth in truths), *unread])
        tally.partial += [truth.record for truth in truths if truth.partial and not truth.lacks_content]
        shown = [truth for truth in truths if truth.lacks_content or not truth.partial]
        suspects = [truth.record for truth in shown if kind_of(truth, standings[truth.record.id]) is not None]
        tally.suspects += suspects
        waiting = [truth.record for truth in shown if waits(truth, standings[truth.record.id])]
        for record in waiting:
            tally.add("waiting", record)
        # No copy can be compared with what cannot be read: looking again, or healing, does not help.
        tally.add_unreadable(unread, standings)
        await self._store.meet(sweep, ids)  # on disk, so that a proof needs no memory for each row
        told = {*suspects, *waiting}
        left = [truth for truth in shown if tally.content and truth.lacks_content and truth.record not in told]
        tally.listed += len(truths) + len(unread) - len(left)
        return left

    async def _texts(self, table: FollowedTable, truths: Sequence[Truth], tally: Tally) -> None:
        """Read the texts behind records, and suspect those that are not as their copies have them."""
        by_record = {truth.record: truth for truth in truths}
        ask = partial(_completed, table.of, by_record)
        read, unreadable = await self._read(list(by_record), ask)
        standings = await self._standings(table, list(by_record))
        tally.suspects += unreadable
        for record, truth in read.items():
            if truth.content is None:
                tally.add("waiting", record)  # it is not given: what the copy has may be right
            elif kind_of(truth, standings[record.id]) is not None or not await self._has_text(table, record, truth):
                tally.suspects.append(record)
        tally.listed += len(truths)

    async def _has_text(self, table: FollowedTable, record: RecordKey, truth: Truth) -> bool:
        """Whether the copy itself holds the text of a read, and not only the hash of it."""
        copy = await self._store.copy(record)
        if truth.content is None or copy is None:
            return truth.content is None
        return await aside(copy.size, table.of.same_content, copy, truth)

    async def _extra(self, table: FollowedTable, sweep: int, tally: Tally, *, heal: bool) -> None:
        after: str | None = None
        while True:
            unmet = await self._store.unmet(table.source, table.name, sweep, after=after, limit=UNMET_BATCH)
            tally.suspects += unmet.records
            tally.listed += len(unmet.records)
            await self._look_again(table, tally, heal=heal)
            if len(unmet.records) < UNMET_BATCH:
                return
            after = unmet.records[-1].id

    # A second look

    async def _look_again(self, table: FollowedTable, tally: Tally, *, heal: bool) -> None:
        cut: set[RecordKey] = set()
        suspects, tally.suspects = [*tally.suspects, *await self._whole(table, tally, cut)], []
        differences = await self._judge(table, suspects, cut, tally)
        if heal and differences:
            differences = await self._healed(table, differences, cut, tally)
        for difference in differences:
            tally.add(difference.kind, difference.record)
        for record in sorted(cut - {difference.record for difference in differences}):
            tally.add("cut", record)

    async def _healed(
        self, table: FollowedTable, differences: Sequence[Difference], cut: set[RecordKey], tally: Tally
    ) -> list[Difference]:
        """Hand over what differs, and give what still does when that is settled."""
        records = [difference.record for difference in differences]
        await self._sink(differences, "sweep")
        await self._until_settled(table, records)
        unreadable_before = tally.unreadable
        left = await self._judge(table, records, cut, tally)
        newly_cut = cut.intersection(records) - {difference.record for difference in left}
        newly_unreadable = tally.unreadable - unreadable_before
        tally.healed += len(records) - len(left) - newly_unreadable - len(newly_cut)
        return left

    async def _whole(self, table: FollowedTable, tally: Tally, cut: set[RecordKey]) -> list[RecordKey]:
        """Give those that differ of what listings show in part: many may, so whatever else is to be read goes first."""
        records, tally.partial = tally.partial, []
        truths, unreadable = await self._read(records, table.of.refresh)
        standings = await self._standings(table, records)
        tally.add_unreadable(unreadable, standings)
        cut.update(truth.record for truth in truths.values() if truth.cut)
        return [record for record, truth in truths.items() if kind_now(record, truth, standings[record.id]) is not None]

    async def _judge(
        self, table: FollowedTable, suspects: Sequence[RecordKey], cut: set[RecordKey], tally: Tally
    ) -> list[Difference]:
        """Look several times, and give what is different each time.

        What cannot be read whole goes to ``cut``; what is on neither side by now, and what cannot be read at all, is
        counted here: looking again, or healing, does not help.
        """
        until = self._clock() + self._patience_seconds
        looks = iter(LOOKS_AGAIN_SECONDS)
        suspected, left = list(suspects), list[Difference]()
        last_look: Mapping[RecordKey, bytes] = {}
        wait: float | None
        while suspected and (wait := next(looks, None if self._clock() >= until else 1.0)) is not None:
            await self._sleep(wait)
            truths, unreadable = await self._read(suspected, table.of.read)
            cut.difference_update(truths)
            cut.update(record for record, truth in truths.items() if truth.cut)
            standings = await self._standings(table, [*truths, *unreadable])
            tally.add_unreadable(unreadable, standings)
            tally.gone.update(
                record
                for record, truth in truths.items()
                if not (is_there(record, truth) or standings[record.id].present)
            )
            moving = any(
                standings[record.id].dirty or truth.fingerprint != last_look.get(record, truth.fingerprint)
                for record, truth in truths.items()
            )
            last_look = {record: truth.fingerprint for record, truth in truths.items()}
            left = await self._left(table, truths, standings, tally)
            suspected = [difference.record for difference in left]
            if wait == LOOKS_AGAIN_SECONDS[-1] and not moving:
                break
        return left

    async def _left(
        self,
        table: FollowedTable,
        truths: Mapping[RecordKey, Truth],
        standings: Mapping[str, Standing],
        tally: Tally,
    ) -> list[Difference]:
        """Give what differs now; where texts are compared, also what has the hash of its text and another text."""
        left = differences(truths, standings)
        if not tally.content:
            return left
        equal = truths.keys() - {difference.record for difference in left}
        others = [record for record in sorted(equal) if not await self._has_text(table, record, truths[record])]
        return left + [
            Difference(record=record, kind="differing", truth=truths[record], standing=standings[record.id])
            for record in others
        ]

    async def _read(
        self, records: Sequence[RecordKey], ask: Callable[[RecordKey], Awaitable[Truth]]
    ) -> tuple[dict[RecordKey, Truth], list[RecordKey]]:
        """Read records; gives also those that cannot be read for a reason of their own, which hide no other one."""
        truths: dict[RecordKey, Truth] = {}
        unreadable: list[RecordKey] = []

        async def read(record: RecordKey) -> None:
            try:
                truths[record] = await ask(record)
            except (RecordUnreadable, RecordImpossible):
                unreadable.append(record)

        for start in range(0, len(records), READS_AT_ONCE):
            await asyncio.gather(*map(read, records[start : start + READS_AT_ONCE]))
        return truths, unreadable

    async def _standings(self, table: FollowedTable, records: Sequence[RecordKey]) -> Mapping[str, Standing]:
        ids = [record.id for record in records]
        return (await self._store.standings(table.source, table.name, ids)).by_id

    async def _until_settled(self, table: FollowedTable, records: Sequence[RecordKey]) -> None:
        until = self._clock() + HEAL_SECONDS
        while self._clock() < until:
            standings = await self._standings(table, records)
            if not any(standing.dirty for standing in standings.values()):
                return
            await self._sleep(0.1)


async def _completed(source: Source, shown: Mapping[RecordKey, Truth], record: RecordKey) -> Truth:
    return await source.complete(shown[record], "sweep")
