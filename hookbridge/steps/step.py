"""The contract of a step: one thing done to a change.

A step says what should be written and writes nothing itself; ``pipeline/settle.py`` writes.  What a step does outside
(deletes keys, calls a handler) happens at least once and before the settle, so it must be idempotent.
"""

from __future__ import annotations

from typing import Protocol

from hookbridge.model import Change, Effects


def bytes_of(change: Change, *others: bytes | None) -> int:
    """Give how much text a change has: its events' bodies, the copy, and what else there is of the record."""
    size = change.copy.size if change.copy is not None else 0
    for one in change.events:
        size += len(one.event.body)
    for other in others:
        size += len(other or b"")
    return size


class Step(Protocol):
    """One async callable in the worker's pipe."""

    name: str
    """What logs and stats call it."""

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Give ``so_far`` with this step's effects added.

        Raises a SourceError, PermanentFailure, or anything else: ``pipeline/retry.py`` decides what follows.
        """
        ...
