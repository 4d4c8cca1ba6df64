"""What the store keeps of one destination: how it stands, what operators have said, and how much it has rejected.

Invariants: how it stands is written with the lead of the node that drives it, in the transaction that keeps what was
rejected and forgets what was taken again or dismissed; what operators say is written by any node.  Whoever is cut short
while he keeps something ends when that is over: it does not land behind what is read or kept after him.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

import structlog

from hookbridge.destinations import standing
from hookbridge.destinations.standing import REJECTED_MAX, Standing, Word
from hookbridge.model import RecordKey
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Lead
from hookbridge.store.values import Rejected, Rejection

PASSED_SECONDS = 10.0
"""A place behind changes that are not told is kept after so long: it costs a write."""

_log = structlog.get_logger(__name__)


class Keeping:
    """One destination's, as its driver knows it."""

    def __init__(self, name: str, store: Store) -> None:
        self._name = name
        self._store = store
        self.lead: Lead | None = None
        self.standing = Standing()
        self.word = Word()
        self.due_at: float | None = None
        """When it is to be in the store as it stands here, in the loop's time; None where it is."""
        self._rejected = 0

    async def read(self) -> tuple[Standing, Word]:
        """Give how it stands, whichever node drives it, and what operators have said.  Raises StoreUnavailable."""
        word = standing.read_word(await self._store.note(note_names.word_on_destination(self._name)))
        return standing.read(await self._store.note(note_names.destination(self._name))), word

    async def say(self, next_: Callable[[Word], Word]) -> None:
        """Say a word more that whichever node drives it does, restarts included.  Raises StoreUnavailable."""
        name = note_names.word_on_destination(self._name)
        while True:
            before = await self._store.note(name)
            heard = standing.read(await self._store.note(note_names.destination(self._name))).heard
            after = standing.written(next_(standing.read_word(before).since(heard)))
            if before is None:
                said = await self._store.put_note(name, after, only_if_absent=True)
            else:
                said = await self._store.replace_note(name, after, instead_of=before)
            if said:
                return

    async def take_up(self) -> None:
        """Take up where it stands, and have it stand as operators want it.  Raises LeadLost, StoreUnavailable."""
        await self._count_rejected()
        kept, self.word = await self.read()
        self.standing, self.due_at = kept.obeying(self.word), None
        if self.standing != kept:
            await self._obey(self.word.since(kept.heard))

    async def _obey(self, word: Word) -> None:
        """Keep that it stands as operators want it, and forget what they have dismissed, in one transaction."""
        dismissed = word.dismissed(await self.rejections()) if word.dismissals else []
        await self.keep(self.standing, taken=[one.record for one in dismissed])
        if dismissed:
            _log.info("Rejected changes are dismissed", destination=self._name, changes=len(dismissed))

    async def rejections(self) -> Sequence[Rejection]:
        """Give all that it has rejected, the newest change first.  Raises StoreUnavailable."""
        return await self._store.rejections(self._name, limit=REJECTED_MAX)

    def has_room(self, more: int) -> bool:
        """Whether so many more rejected changes can be kept."""
        return self._rejected + more <= REJECTED_MAX

    async def passed(self, now: Standing) -> None:
        """Take note of a place behind what is not told, and keep it at times.  Raises LeadLost, StoreUnavailable."""
        self.standing = now
        time = asyncio.get_running_loop().time()
        if self.due_at is None:
            self.due_at = time + PASSED_SECONDS
        elif self.due_at <= time:
            await self.keep(now)

    async def keep(self, now: Standing, rejected: Sequence[Rejected] = (), taken: Collection[RecordKey] = ()) -> None:
        """Write how it stands, and what it has rejected and taken.  Raises LeadLost, StoreUnavailable."""
        note = note_names.destination(self._name), standing.written(now)
        over = taken if self._rejected else ()
        if rejected or over:
            await _to_its_end(self._store.reject(self._name, rejected, taken=over, note=note, lead=self.lead))
            await self._count_rejected()
        else:
            await _to_its_end(self._store.put_note(*note, lead=self.lead))
        self.standing, self.due_at = now, None

    async def _count_rejected(self) -> None:
        self._rejected = (await self._store.rejection_counts()).get(self._name, 0)


async def _to_its_end(write: Coroutine[Any, Any, object]) -> None:
    """Wait for a write also when that is cancelled: an engine goes on with it all the same."""
    task = asyncio.ensure_future(write)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)  # whether it failed is seen where that is read
        raise
    task.result()
