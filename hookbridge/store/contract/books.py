"""Small durable values, and what adds up."""

from __future__ import annotations

from typing import Protocol

from hookbridge.model import Counts
from hookbridge.store.nodes import Lead
from hookbridge.store.values import Totals


class Notes(Protocol):
    """Small durable values by name: learnt tokens, cursors."""

    async def note(self, name: str) -> str | None:
        """Give the value."""
        ...

    async def notes(self, beginning: str = "") -> dict[str, str]:
        """Give all whose names begin so."""
        ...

    async def put_note(
        self, name: str, value: str | None, *, only_if_absent: bool = False, lead: Lead | None = None
    ) -> bool:
        """Set the value, or remove it with None; gives whether it was written.  Raises LeadLost."""
        ...

    async def replace_note(self, name: str, value: str, *, instead_of: str) -> bool:
        """Set the value where it is this one now, whoever else writes it; gives whether it was."""
        ...


class Counters(Protocol):
    """The books and the guide's statistics."""

    async def totals(self) -> Totals:
        """Give all counters as of the last commit."""
        ...

    @property
    def open_events(self) -> int:
        """How many events are open, without waiting: what admission compares to the cap.

        As of this node's last commit, so an estimate where others write as well.
        """
        ...


class Samples(Protocol):
    """What the counters said, once a minute, so that what happened between two of them outlives the process."""

    async def take_sample(self) -> None:
        """Write down what the counters say, for this minute: it has one sample, the last one that any node took.

        Those of the newest ``SAMPLES_MAX`` minutes that have one are kept.
        """
        ...

    async def samples(self, *, since: float) -> tuple[Counts, ...]:
        """Give the samples of the minute of ``since`` and of later ones, the oldest first.

        A minute in which nobody took one has none.  What was taken while the clock was ahead lies ahead.
        """
        ...
