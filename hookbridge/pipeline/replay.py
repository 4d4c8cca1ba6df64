"""Replays: settled events are processed again, chosen a page at a time and opened a portion at a time.

A page, because a filter may have to look at every event; a portion, because appends wait for each transaction.  What
was opened before a failure stays open.
"""

from __future__ import annotations

from collections.abc import Callable

from hookbridge.store.contract import Inbox
from hookbridge.store.values import EventFilter, Replay

COUNTED_AT_ONCE = 20_000
"""Ids of one page at the most, where they are only counted."""


async def replay(
    store: Inbox,
    which: EventFilter,
    *,
    limit: int,
    before: int | None = None,
    admit: Callable[[int], None] = lambda number: None,
) -> Replay:
    """Process at most ``limit`` of these again, newest first, older than the cursor ``before``.

    Before each portion ``admit`` is asked with how many are still to come; what it raises ends the replay there.
    Raises StoreUnavailable.
    """
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
        admit(len(chosen) - start)
        opened = await store.open_again(chosen[start:])
        count, start = count + opened.count, start + opened.looked_at
    return Replay(count, cursor)


async def replayable(store: Inbox, which: EventFilter) -> int:
    """Count what a replay without a limit would process again.  Raises StoreUnavailable."""
    number, cursor = 0, None
    while True:
        page = await store.replayable(which, before=cursor, limit=COUNTED_AT_ONCE)
        number += len(page.ids)
        if (cursor := page.next_cursor) is None:
            return number
