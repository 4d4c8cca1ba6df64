"""Rejected changes that are sent again, each in a message of its own: the record as it is by then.

Invariant: no older state follows a newer one.  What is sent is the record's last change, and by the task that sends all
the others: nothing is on its way meanwhile.
"""

from __future__ import annotations

from hookbridge import feed
from hookbridge.config import Destination
from hookbridge.destinations.message import Message, alone, type_of
from hookbridge.model import Copy
from hookbridge.store.contract import Feed
from hookbridge.store.values import FeedEntry, FeedFilter, Rejection
from hookbridge.telling import Telling

MISSES_MAX = 3
"""After so many in a row that are answered with 5xx a replay ends: what is left stays rejected."""


async def again(
    store: Feed,
    telling: Telling,
    to: Destination,
    which: FeedFilter,
    rejection: Rejection,
    series: str,
    next_: feed.Place,
) -> Message | None:
    """Tell a rejected record as it is now; None where the destination is not to be told of it.

    ``next_`` is the destination's place, which stays.  Raises StoreUnavailable.
    """
    record = rejection.record
    if not which.means(record):
        return None
    last = await store.last_change(record)
    if last is None:  # it has long been gone
        at = rejection.rejected_at
        last = FeedEntry(rejection.seq, at, Copy(record=record, data=None, read_at=at, verified=False))
    return await alone(telling, to, series, next_, last) if type_of(last) in to.types else None
