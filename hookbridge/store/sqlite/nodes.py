"""The nodes of a SQLite file: the one process that has it.

It is asked nothing by others and waits for nobody; a duty that it wants is its own until it leaves.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

import msgspec

from hookbridge.model import SOURCES, SourceName
from hookbridge.store.nodes import Ask, Cluster, Leader, Node, Permit, Report
from hookbridge.store.sqlite.claims import next_due_at
from hookbridge.store.sqlite.engine import Role

NAME = "this process"


class Nodes(Role):
    """One process has the file."""

    @property
    def node(self) -> str:
        """The process has no other name."""
        return NAME

    def now(self) -> float:
        """Give the time by the clock that the store was opened with."""
        return self._engine.now()

    async def beat(self, report: Report) -> Cluster:
        """Take what it wants; the rest is as it is."""
        due, notes = await self._engine.read(lambda connection: _heard(connection, report.hears))
        now, duties = self._engine.now(), self._engine.duties
        duties.take(report.wants)
        own = Node(name=NAME, version=report.version, roles=report.roles, figures=report.figures, seen_seconds=0.0)
        return Cluster(
            nodes=(own,),
            leaders={
                duty: Leader(node=NAME, epoch=lead.epoch, left_seconds=math.inf, mine=True)
                for duty, lead in duties.held.items()
            },
            due={source: max(at - now, 0.0) for source, at in due.items()},
            notes=notes,
            halts=dict(report.halts),
            asks=tuple(ask for ask in duties.asks.values() if ask.duty in duties.held),
        )

    async def leave(self) -> None:
        """Do nothing any more."""
        self._engine.duties.take(())

    async def permit(self, source: SourceName, number: int, *, per_second: float) -> Permit:  # noqa: ARG002  contract
        """Whoever asks is the only one who does, and keeps the rate by itself."""
        return Permit(0.0, 0.0)

    async def ask(self, duty: str, words: str) -> int:
        """Keep a question for whoever does this, which can be nobody but the process itself."""
        duties = self._engine.duties
        number = next(duties.numbers)
        duties.asks[number] = Ask(id=number, duty=duty, words=words)
        return number

    async def answer(self, ask: int, words: str) -> None:
        """Keep the answer."""
        if self._engine.duties.asks.pop(ask, None) is not None:
            self._engine.duties.answers[ask] = words

    async def answered(self, ask: int) -> str | None:
        """Take the answer."""
        return self._engine.duties.answers.pop(ask, None)


def _heard(connection: sqlite3.Connection, names: Sequence[str]) -> tuple[dict[SourceName, float], dict[str, str]]:
    due = {source: at for source in SOURCES if (at := next_due_at(connection, source)) is not None}
    wanted = msgspec.json.encode(names).decode()
    notes = connection.execute(
        "SELECT name, notes.value FROM json_each(?) AS wanted JOIN notes ON name = wanted.value", (wanted,)
    )
    return due, dict(notes.fetchall())
