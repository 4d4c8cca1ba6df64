"""The nodes that share a store: who is there, who does what alone, how much may be asked of a source."""

from __future__ import annotations

from typing import Protocol

from hookbridge.model import SourceName
from hookbridge.store.nodes import Cluster, Permit, Report


class Nodes(Protocol):
    """The nodes of one store.  Where one process has it, that one is all there is, and does everything."""

    @property
    def node(self) -> str:
        """The name of this node: the same after a restart, and no other node's."""
        ...

    def now(self) -> float:
        """Give the engine's time in epoch seconds, as far as this node knows it: never ahead of it, never back.

        As of the last beat, and by this machine's monotonic clock since then.
        """
        ...

    async def beat(self, report: Report) -> Cluster:
        """Say that this node is there, keep or take the duties that it wants, and learn how the others are.

        A duty is taken where nobody does it, its lease has ended, or an earlier life of this node had it.  Raises
        StoreUnavailable, also where a later process uses this node's name, and the first one StartupError while
        somebody carries another store's content in.
        """
        ...

    async def leave(self) -> None:
        """Say that this node stops: what it does others can do at once, and nobody waits for its leases."""
        ...

    async def permit(self, source: SourceName, number: int, *, per_second: float) -> Permit:
        """Reserve so many requests to a source, for all nodes at this rate on average, at once one second's worth."""
        ...

    async def ask(self, duty: str, words: str) -> int:
        """Ask something of whoever does a duty, now or later; gives the number of the question."""
        ...

    async def answer(self, ask: int, words: str) -> None:
        """Answer what another node asked; what nobody waits for any more is left alone."""
        ...

    async def answered(self, ask: int) -> str | None:
        """Take the answer, once; None while there is none."""
        ...
