"""What sweeps and proofs have met that nobody goes on with: it is forgotten a day later.

Not at once, because another node may have begun one a moment ago of which nobody else knows yet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

import msgspec

from hookbridge.clock import happened
from hookbridge.model import SourceName
from hookbridge.reconcile.passes import forget
from hookbridge.reconcile.state import SweepState
from hookbridge.store import note_names
from hookbridge.store.contract import Store

AGE_SECONDS = 86_400.0


class _Mark(msgspec.Struct, frozen=True):
    """Up to which ticket it is looked next, and when that was given."""

    ticket: int
    at: float


async def forget_leftovers(store: Store, tables: Iterable[tuple[SourceName, str]], clock: Callable[[], float]) -> None:
    """Do so for what began before the last mark, if that is old; ``tables`` are all that are followed.

    Raises StoreUnavailable.
    """
    note, now = await store.note(note_names.LEFTOVERS), clock()
    mark = None if note is None else msgspec.json.decode(note, type=_Mark)
    if mark is not None and happened(mark.at, now) is not None and now - mark.at < AGE_SECONDS:
        return
    new = _Mark(await store.ticket(), now)
    if mark is not None:
        await forget(store, before=mark.ticket, keep=[sweep async for sweep in _going_on(store, tables)])
    await store.put_note(note_names.LEFTOVERS, msgspec.json.encode(new).decode())


async def _going_on(store: Store, tables: Iterable[tuple[SourceName, str]]) -> AsyncIterator[int]:
    for source, table in tables:
        note = await store.note(note_names.sweep(source, table))
        if note is not None and (sweep := msgspec.json.decode(note, type=SweepState).sweep) is not None:
            yield sweep
