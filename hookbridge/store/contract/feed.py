"""The copies in the order of their last change, for whoever follows them."""

from __future__ import annotations

from typing import Protocol

from hookbridge.model import RecordKey
from hookbridge.store.values import EVERY_CHANGE, FEED_BYTES_MAX, FeedEnds, FeedEntry, FeedFilter, FeedPage


class Feed(Protocol):
    """The copies in the order of their last change, each record once.

    Every transaction that changes a copy's content or presence gives it the newest place: a settle, a read-through, a
    first load, and the removal of a copy under another table or spelling, which leaves the knowledge there that it is
    gone (an absence: a copy without data).  A record that is read again and is as it was keeps its place.  Places are
    never given twice, and no change becomes visible behind a later one.  Reading waits for no writer, and no writer
    waits for it.

    Whoever goes on behind each page's ``reached`` misses nothing, as long as the feed has the same id, and its oldest
    place is not behind his; where he began at 0, as long as it is not behind the newest place of when he began.  Then
    the first page that reaches the newest place says that every record there is was in one of the pages.
    """

    async def feed(
        self,
        which: FeedFilter = EVERY_CHANGE,
        *,
        after: int,
        limit: int,
        bytes_max: int = FEED_BYTES_MAX,
        contents: bool = True,
    ) -> FeedPage:
        """Give the changes behind a place; at most ``limit``, and none behind so many bytes.

        Without ``contents`` copies come without the text behind their records.
        """
        ...

    async def last_change(self, record: RecordKey) -> FeedEntry | None:
        """Give the last change of a record; None where it has no copy, or its absence was forgotten."""
        ...

    async def feed_ends(self) -> FeedEnds:
        """Say where the feed begins and ends now."""
        ...

    async def beyond(self, ends: FeedEnds) -> None:
        """Wait until the feed goes beyond this end, or is another one.  However many wait, one looks for them all.

        Raises StoreUnavailable when the store is closed; while it cannot be reached, this goes on waiting.
        """
        ...
