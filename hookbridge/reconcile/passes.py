"""What polls and sweeps of a table have in common: what they read, one at a time, and where they stand, durably."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic

import msgspec

from hookbridge.config import ReconcileConfig
from hookbridge.model import SourceName
from hookbridge.reconcile.findings import Findings
from hookbridge.reconcile.state import PollState, State, SweepState, encoded, loaded
from hookbridge.sources.source import Changes
from hookbridge.store import note_names
from hookbridge.store.contract import Store


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A table, how it is read, and where what differs goes."""

    source: SourceName
    table: str
    changes: Changes
    findings: Findings
    store: Store
    config: ReconcileConfig
    clock: Callable[[], float]


_NOTES = {PollState: note_names.poll, SweepState: note_names.sweep}


class Passes(Generic[State]):
    """The passes of one kind over one table."""

    def __init__(self, subject: Subject, kind: type[State]) -> None:
        self._source: SourceName = subject.source
        self._table = subject.table
        self._changes = subject.changes
        self._findings = subject.findings
        self._store = subject.store
        self._config = subject.config
        self._clock = subject.clock
        self._note = _NOTES[kind](subject.source, subject.table)
        self._one_at_a_time = asyncio.Lock()
        self.state: State = kind()

    async def open(self) -> None:
        """Read where they stand.  Raises StoreUnavailable."""
        note = await self._store.note(self._note)
        overlap = self._config.overlap_seconds
        self.state = loaded(note, type(self.state), now=self._clock(), overlap_seconds=overlap)

    async def _save(self, state: State) -> None:
        await self._store.put_note(self._note, encoded(state))
        self.state = state
