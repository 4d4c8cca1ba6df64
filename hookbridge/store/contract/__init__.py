"""What is asked of a store, in roles: Inbox, Claims, Stale, Copies, Feed, Rejections, Sweeps, Notes, Counters, Samples,
Nodes.

The invariants that every engine keeps, and that ``tests/store`` holds against it:

- what an awaited call returned is on disk (fsynced); what raised is not there at all;
- ``received = open + applied + coalesced + ignored + dead`` after every transaction;
- a record has a dirty row exactly while it has open events;
- a settlement or a release of a superseded claim (an older generation) changes nothing;
- a copy is never overwritten by one with an earlier ticket;
- what is written with a lead (a duty that one node does alone) is written while that holds, or not at all;
- a read ends when the call is cancelled, and nothing waits behind it any more: neither another call nor a thread;
- searches and counts, however many, hold up no list, and neither holds up what finds a thing by its name.

The engine owns the clock: what a method is given are durations, and stored times are the engine's own (``received_at``
of an event is the request's).  So nodes whose clocks differ share one time, and no lease depends on theirs.

The methods speak of events, dirty records, copies and counters.  No SQL leaves the store, no HTTP enters it.
Every method raises StoreUnavailable when the disk or the server refuses, and StoreError when what it was given has no
form on disk (a text that is not Unicode), which trying again cannot change.  Either way its neighbours are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hookbridge.model import Fault
from hookbridge.store.contract.books import Counters, Notes, Samples
from hookbridge.store.contract.copies import Copies
from hookbridge.store.contract.events import Claims, Inbox, Stale
from hookbridge.store.contract.feed import Feed
from hookbridge.store.contract.nodes import Nodes
from hookbridge.store.contract.rejections import Rejections
from hookbridge.store.contract.sweeps import Sweeps
from hookbridge.store.nodes import Links


class Store(Inbox, Claims, Stale, Copies, Feed, Rejections, Sweeps, Notes, Counters, Samples, Nodes, Protocol):
    """One engine."""

    def describe(self) -> str:
        """Say where it is, for logs and for operators: no password."""
        ...

    def watch_commits(self, observer: Callable[[int, float], None]) -> None:
        """Tell the observer of each group that was written: how many jobs, and the seconds until they were on disk."""
        ...

    async def free_bytes(self) -> int | None:
        """How much of the disk is left; None where the disk is not this machine's.  Raises StoreUnavailable."""
        ...

    async def reusable_bytes(self) -> int:
        """How much can be stored in what was removed, before the store takes more of the disk."""
        ...

    @property
    def links(self) -> Links | None:
        """How the connections to a store that other nodes may share stand; None where it is this process's own."""
        ...

    async def check_writable(self) -> None:
        """Commit an empty transaction.  Raises StoreUnavailable."""
        ...

    @property
    def fault(self) -> Fault | None:
        """Why nothing is written until an operator acts, as of the last look; None while the store is sound."""
        ...

    async def look(self) -> Fault | None:
        """Look whether the store is sound, without writing."""
        ...

    async def close(self) -> None:
        """Finish what is submitted, then close.  Idempotent."""
        ...


__all__ = [
    "Claims",
    "Copies",
    "Counters",
    "Feed",
    "Inbox",
    "Nodes",
    "Notes",
    "Rejections",
    "Samples",
    "Stale",
    "Store",
    "Sweeps",
]
