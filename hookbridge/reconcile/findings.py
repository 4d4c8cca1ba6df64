"""What a listing shows against the copies: differences, and how they are handed over.

A difference becomes an event in the inbox and takes the way of every other one; it carries what the listing showed.
Invariants: what equals its copy raises nothing; what an open event will read anyway raises nothing; a listing older
than the copy proves nothing against it; what no webhook could announce, or something else has, is not noted as a loss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

import msgspec
import structlog

from hookbridge.errors import RecordImpossible, RecordUnreadable, TryLater
from hookbridge.model import Event, Origin, RecordKey, SourceName, Truth
from hookbridge.reconcile.term import Term
from hookbridge.reconcile.waiting import waits, was_refused
from hookbridge.sources import carrying
from hookbridge.sources.kept import kept_aside
from hookbridge.sources.source import Slice, Source, Unread
from hookbridge.store.contract import Sweeps
from hookbridge.store.values import Standing, Standings

EVENTS_PER_APPEND = 200
TEXTS_AT_ONCE = 10
UNREAD_SHOWN = 10

_log = structlog.get_logger(__name__)

Kind = Literal["missing", "differing", "extra"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One record that is not in the copy as it is in the source."""

    record: RecordKey
    kind: Kind
    """``missing``: the copy has no such record; ``extra``: only the copy has it."""
    truth: Truth | None = None
    """What the listing showed; None for what it did not show."""
    standing: Standing
    """Of the copy that it differs from."""


class Sink(Protocol):
    """Where differences go: the own inbox, or a hookbridge elsewhere."""

    async def __call__(self, differences: Sequence[Difference], origin: Origin) -> None:
        """Return when they are handed over durably.  Raises StoreUnavailable, TryLater or SourceError."""
        ...


Accept = Callable[[tuple[Event, ...]], Awaitable[object]]

TYPES = {"missing": "insert", "differing": "update", "extra": "delete"}


class InboxSink:
    """The own inbox."""

    def __init__(self, accept: Accept, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._accept = accept
        self._sleep = sleep

    async def __call__(self, differences: Sequence[Difference], origin: Origin) -> None:
        """Raise an event for each, waiting where the inbox is full."""
        for start in range(0, len(differences), EVENTS_PER_APPEND):
            portion = differences[start : start + EVENTS_PER_APPEND]
            await self._raise(tuple(event_of(difference, origin) for difference in portion))

    async def _raise(self, events: tuple[Event, ...]) -> None:
        while True:
            try:
                await self._accept(events)
                return
            except TryLater as error:
                await self._sleep(error.retry_after_seconds)


def event_of(difference: Difference, origin: Origin) -> Event:
    """Make the event that a difference raises."""
    return Event(
        record=difference.record,
        type=TYPES[difference.kind],
        format=carrying.FORMAT,
        body=carrying.body_of(difference.truth),
        origin=origin,
        occurred_at=difference.truth.changed_at if difference.truth else None,
    )


def kind_of(truth: Truth, standing: Standing) -> Kind | None:
    """Say how a record that is there differs from its copy, both as they are; None when it does not."""
    if not standing.present:
        return "missing"
    return None if truth.matches(standing.fingerprint) or waits(truth, standing) else "differing"


def judge(truth: Truth, standing: Standing) -> Kind | None:
    """Do so for a listed record; None also when an open event will tell, or a later read has."""
    if standing.dirty and not standing.claimed:
        return None  # its webhook was faster, and whoever takes it reads what the listing showed, or something newer
    if standing.known and standing.ticket > truth.ticket:
        return None  # the copy was read after the listing
    return kind_of(truth, standing)


def _is_loaded(difference: Difference) -> bool:
    """Whether what a listing shows of a record is enough for its copy, and nobody is reading it."""
    truth = difference.truth
    return truth is not None and _has_all_but_text(truth) and not difference.standing.dirty


def _has_all_but_text(truth: Truth) -> bool:
    return truth.lacks_content or not truth.partial


def _is_same(difference: Difference) -> bool:
    """Whether a record is as its copy has it, now that its text was read, and nobody says anything else."""
    truth, standing = difference.truth, difference.standing
    if truth is None or truth.partial or standing.dirty or not standing.present:
        return False
    return truth.matches(standing.fingerprint)


class Findings:
    """Compares slices of one source with the store, and hands over what differs."""

    def __init__(
        self,
        source: Source,
        store: Sweeps,
        sink: Sink,
        clock: Callable[[], float],
        *,
        loads: Callable[[SourceName, str], bool],
        term: Term,
    ) -> None:
        """``loads`` says whether a table's first load may be written directly: nobody listens to its events."""
        self._source = source
        self._store = store
        self._sink = sink
        self._clock = clock
        self._loads = loads
        self._term = term

    async def take(self, table: str, slice_: Slice, origin: Origin, *, first: bool = False) -> int:
        """Hand over what differs from the copies; gives how many records that was.  What is unread is left out.

        ``first`` says that the copy of this table was never complete: what is missing is loaded then.
        """
        self._tell_unread(table, slice_.unread)
        if not slice_.truths:
            return 0
        standings = await self._standings(table, [truth.record for truth in slice_.truths])
        differences = [
            Difference(record=truth.record, kind=kind, truth=truth, standing=standing)
            for truth in slice_.truths
            if (kind := judge(truth, standing := standings.by_id[truth.record.id])) is not None
            # A refused text may be given by now.  Polls show the same records again and again: sweeps ask for it.
            and not (origin == "poll" and was_refused(truth, standing))
        ]
        if not first:
            return await self._whole(differences, origin, standings)
        missing = [one for one in differences if one.kind == "missing"]
        loads = self._loads(self._source.name, table)
        if loads:
            await self._load([one.truth for one in missing if one.truth and _is_loaded(one)])
            # What a listing shows only in part is read by itself, as a change of its own; it was missed by nobody.
            missing = [one for one in missing if one.truth is None or not _has_all_but_text(one.truth)]
        # Texts are not read here: the copies are of use before, and wait for them behind all other reads.
        await self._hand_over(missing, origin, None)
        known = [one for one in differences if one.kind != "missing"]
        await self._whole(known, origin, standings if loads else None)
        return len(differences)

    def _tell_unread(self, table: str, unread: Sequence[Unread]) -> None:
        if unread:
            _log.warning(
                "Records that cannot be read are left out",
                source=self._source.name,
                table=table,
                total=len(unread),
                records=[record.id for record in unread[:UNREAD_SHOWN]],
                reason=unread[0].reason,
            )

    async def gone(self, table: str, records: Sequence[RecordKey], origin: Origin, *, announced: bool) -> int:
        """Hand over records that only the copy has, which a read of their own confirms; gives how many.

        ``announced``: it was told already that they are gone, so that none counts as missed.
        """
        standings = await self._standings(table, records)
        differences = [
            Difference(record=record, kind="extra", standing=standing)
            for record in records
            if (standing := standings.by_id[record.id]).present and not (standing.dirty and not standing.claimed)
        ]
        await self._hand_over(differences, origin, None if announced else standings)
        return len(differences)

    async def completed(self, truth: Truth, standing: Standing) -> None:
        """Take a copy's record together with the text that the copy waited for: as an update, where somebody listens.

        Raises StoreUnavailable, TryLater or SourceError.
        """
        if self._loads(truth.record.source, truth.record.table):
            await self._load([truth])
        else:
            difference = Difference(record=truth.record, kind="differing", truth=truth, standing=standing)
            await self._hand_over([difference], "sweep", None)

    async def _whole(self, differences: Sequence[Difference], origin: Origin, standings: Standings | None) -> int:
        """Hand over differences together with the texts behind their records, in portions; gives how many that were.

        The texts are read here, and not by the workers: of many, nobody's webhook waits for a worker.
        """
        lacking = [one for one in differences if one.truth is not None and one.truth.lacks_content]
        others = [one for one in differences if one not in lacking]
        await self._hand_over(others, origin, standings)
        count = len(others)
        for start in range(0, len(lacking), TEXTS_AT_ONCE):
            portion = lacking[start : start + TEXTS_AT_ONCE]
            read = await asyncio.gather(*(self._with_text(one, origin) for one in portion), return_exceptions=True)
            came = [one for one in read if isinstance(one, Difference)]
            same = [one for one in came if _is_same(one)]
            # Only when it was read has changed: nothing that anybody would have to be told.
            await self._load([one.truth for one in same if one.truth is not None])
            await self._hand_over([one for one in came if one not in same], origin, standings)
            count += len(came) - len(same)
            for failure in read:
                if isinstance(failure, BaseException):
                    raise failure
        return count

    async def _with_text(self, difference: Difference, origin: Origin) -> Difference:
        """Read the text behind a record; where that fails for its own reason, a read of the record itself is to."""
        listed = difference.truth
        assert listed is not None  # noqa: S101  for the type checker: it lacks its text
        try:
            truth = await self._source.complete(listed, "poll" if origin == "poll" else "sweep")
        except (RecordUnreadable, RecordImpossible):
            truth = msgspec.structs.replace(listed, lacks_content=False)
        return msgspec.structs.replace(difference, truth=truth)

    async def _standings(self, table: str, records: Sequence[RecordKey]) -> Standings:
        ids = [record.id for record in records]
        return await self._store.standings(self._source.name, table, ids)

    async def _hand_over(self, differences: Sequence[Difference], origin: Origin, standings: Standings | None) -> None:
        if not differences:
            return
        if standings is not None:
            # Noted before the event is raised: once it is applied, nothing would show that a webhook was missing.
            # What a worker has at this moment was announced, and only may have been read too early.
            unannounced = [one.record for one in differences if not one.standing.dirty and self._could_be_told(one)]
            await self._store.note_findings(unannounced, standings, lead=self._term.lead)
        await self._sink(differences, origin)

    def _could_be_told(self, difference: Difference) -> bool:
        """Whether a webhook could have told of it: a formula or a rollup changes by itself, and moves no time."""
        truth = difference.truth
        if not self._source.edits_move_times or difference.kind != "differing" or truth is None:
            return True
        return truth.changed_at != difference.standing.changed_at

    async def _load(self, truths: Sequence[Truth]) -> None:
        if truths:
            read = [await kept_aside(self._source, truth, self._clock()) for truth in truths]
            written = [(one.copy, one.document) for one in read]
            await self._store.load(written, exclusive=self._source.ids_are_global, lead=self._term.lead)
