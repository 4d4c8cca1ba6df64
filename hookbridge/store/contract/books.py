"""Small durable values, and what adds up."""

from __future__ import annotations

from typing import Protocol

from hookbridge.store.nodes import Lead
from hookbridge.store.values import Totals


class Notes(Protocol):
    """Small durable values by name: learnt tokens, cursors."""

    async def note(self, name: str) -> str | None:
        """Give the value."""
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
