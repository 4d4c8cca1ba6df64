"""Which changes destinations rejected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from hookbridge.model import RecordKey
from hookbridge.store.nodes import Lead
from hookbridge.store.values import Rejected, Rejection


class Rejections(Protocol):
    """Which changes destinations rejected and were passed over: of a record the last one, until it is taken."""

    async def reject(
        self,
        destination: str,
        rejected: Sequence[Rejected],
        *,
        taken: Collection[RecordKey] = (),
        note: tuple[str, str],
        lead: Lead | None = None,
    ) -> None:
        """Keep what it has rejected, forget what was rejected of the records ``taken``, and set a note.

        All of it in one transaction.  Raises LeadLost, and then nothing of it is written.
        """
        ...

    async def rejections(self, destination: str, *, before: int | None = None, limit: int) -> tuple[Rejection, ...]:
        """Give what one has rejected, the newest change first: those with a smaller ``seq``, or all."""
        ...

    async def rejection_counts(self) -> dict[str, int]:
        """Count what each has rejected; one that has rejected nothing is not there."""
        ...

    async def drop_destination(
        self, destination: str, notes: Sequence[str], *, value: str, lead: Lead | None = None
    ) -> bool:
        """Forget what one has rejected, and remove notes, where the first of these has this value now.

        Whoever else writes that note; gives whether it had the value.  All of it in one transaction.  Raises LeadLost,
        and then nothing of it is written.
        """
        ...
