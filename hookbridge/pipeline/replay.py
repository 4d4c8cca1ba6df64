"""Settled events processed again, and dead letters given up: chosen a page at a time, written a portion at a time.

A page, because a filter may have to look at every event; a portion, because appends wait for each transaction.  What
was done before a failure stays done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from hookbridge.model import Outcome
from hookbridge.store.contract import Inbox
from hookbridge.store.values import Done, EventFilter, Portion

COUNTED_AT_ONCE = 20_000
"""Ids of one page at the most, where they are only counted."""


async def replay(
    store: Inbox,
    which: EventFilter,
    *,
    limit: int,
    before: int | None = None,
    admit: Callable[[int], None] = lambda number: None,
) -> Done:
    """Process at most ``limit`` of these again, newest first, older than the cursor ``before``.

    Before each portion ``admit`` is asked with how many are still to come; what it raises ends the replay there.
    Raises StoreUnavailable.
    """

    async def open_again(ids: list[int]) -> Portion:
        admit(len(ids))
        return await store.open_again(ids)

    return await _each(store, which, open_again, limit=limit, before=before)


async def dismiss(
    store: Inbox, which: EventFilter, *, note: str | None = None, limit: int, before: int | None = None
) -> Done:
    """Give at most ``limit`` of the dead letters among these up, newest first, older than the cursor ``before``.

    They are ignored from then on, for the reason that they had, behind the operator's note.  Raises StoreUnavailable.
    """
    words = f"dismissed ({note})" if note else "dismissed"

    async def give_up(ids: list[int]) -> Portion:
        return await store.dismiss(ids, words)

    return await _each(store, dead(which), give_up, limit=limit, before=before)


def dead(which: EventFilter) -> EventFilter:
    """Narrow to dead letters."""
    return msgspec.structs.replace(which, outcome=Outcome.DEAD)


async def _each(
    store: Inbox,
    which: EventFilter,
    do: Callable[[list[int]], Awaitable[Portion]],
    *,
    limit: int,
    before: int | None,
) -> Done:
    chosen: list[int] = []
    cursor = before
    while len(chosen) < limit:
        page = await store.replayable(which, before=cursor, limit=limit - len(chosen))
        chosen += page.ids
        cursor = page.next_cursor
        if cursor is None:
            break
    chosen.sort()  # the order in which they came is the one in which they are worked on
    count = start = 0
    while start < len(chosen):
        done = await do(chosen[start:])
        count, start = count + done.count, start + done.looked_at
    return Done(count, cursor)


async def replayable(store: Inbox, which: EventFilter) -> int:
    """Count what a replay without a limit would process again.  Raises StoreUnavailable."""
    number, cursor = 0, None
    while True:
        page = await store.replayable(which, before=cursor, limit=COUNTED_AT_ONCE)
        number += len(page.ids)
        if (cursor := page.next_cursor) is None:
            return number
