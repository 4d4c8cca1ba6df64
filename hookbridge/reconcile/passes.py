"""What polls and sweeps of a table have in common: what they read, one at a time, and where they stand, durably."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic

import msgspec

from hookbridge.config import ReconcileConfig
from hookbridge.model import SourceName
from hookbridge.reconcile.findings import Findings
from hookbridge.reconcile.state import PollState, State, SweepState, encoded
from hookbridge.reconcile.term import Term
from hookbridge.sources.source import Changes, Followed, Source
from hookbridge.store import note_names
from hookbridge.store.contract import Store, Sweeps

FORGET_BATCH = 2_000


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A table, how it is read, and where what differs goes."""

    of: Source
    followed: Followed
    changes: Changes
    findings: Findings
    store: Store
    config: ReconcileConfig
    clock: Callable[[], float]
    term: Term


_NOTES = {PollState: note_names.poll, SweepState: note_names.sweep}


class Passes(Generic[State]):
    """The passes of one kind over one table."""

    def __init__(self, subject: Subject, kind: type[State]) -> None:
        self._source: SourceName = subject.of.name
        self._table = subject.followed.table
        self._changes = subject.changes
        self._findings = subject.findings
        self._store = subject.store
        self._config = subject.config
        self._clock = subject.clock
        self._term = subject.term
        self._note = _NOTES[kind](self._source, self._table)
        self._one_at_a_time = asyncio.Lock()
        self.state: State = kind()

    async def open(self) -> None:
        """Read where they stand.  Raises StoreUnavailable."""
        note = await self._store.note(self._note)
        if note is not None:
            kept = msgspec.json.decode(note, type=type(self.state))
            self.state = kept.known_at(self._clock(), self._config.overlap_seconds)

    async def _save(self, state: State) -> None:
        await self._store.put_note(self._note, encoded(state), lead=self._term.lead)
        self.state = state


async def forget(store: Sweeps, *, only: int | None = None, before: int = 0, keep: Sequence[int] = ()) -> None:
    """Forget what sweeps have met, as the store does, in batches: appends and settles come in between."""
    forgotten = FORGET_BATCH
    while forgotten == FORGET_BATCH:
        forgotten = await store.forget_sweeps(only=only, before=before, keep=keep, limit=FORGET_BATCH)
