"""What one POST to a destination says: some changes, in their order, and where a snapshot begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from hookbridge import feed
from hookbridge.api.changes import SnapshotEnd
from hookbridge.api.destinations import SnapshotBegin
from hookbridge.config import Destination
from hookbridge.store.values import FeedEntry
from hookbridge.telling import Telling

_encode = msgspec.json.Encoder().encode


class Message(msgspec.Struct, frozen=True):
    """What comes next for a destination."""

    body: bytes
    id: str
    """The same whenever the same changes are sent again, also by another process."""
    number: int
    """How many changes it tells."""
    next: feed.Place
    """The place of whoever has taken it."""
    is_empty: bool
    """Whether there is nothing to tell, though there may have been changes."""
    is_last: bool
    """Whether there was nothing behind it."""


async def message(telling: Telling, to: Destination, series: str, place: feed.Place, part: feed.Part) -> Message:
    """Make a message of what lies behind a place; it ends early with the entry that makes it too large.

    ``series`` is what tells what is sent anew from what is sent again.  Raises StoreUnavailable.
    """
    entries: list[bytes] = []
    told: list[str] = []
    size, is_whole, reached = 0, True, place
    if place.seq == 0 and place.began_at is not None:
        entries.append(_encode(SnapshotBegin(seq=place.began_at)))
        told.append("begin")
    number = -len(entries)
    for change, behind in zip(part.entries, part.places(), strict=False):
        if _type(change) in to.types:
            entry = _encode(await telling.entry(change, data=True, content=True))
            size += len(entry)
            if size > to.batch_bytes and number + len(entries):
                is_whole = False
                break
            entries.append(entry)
            told.append(str(change.seq))
        reached = behind
    number += len(entries)
    if is_whole:
        reached = part.next
        if part.ends_snapshot:
            entries.append(_encode(SnapshotEnd(seq=part.next.seq)))
            told.append("end")
    id_ = "msg_" + sha256(" ".join((series, *told)).encode()).hexdigest()[:32]
    return Message(body_of(entries, str(reached)), id_, number, reached, not entries, is_whole and part.is_last)


def _type(change: FeedEntry) -> str:
    return "delete" if change.copy.data is None else "upsert"


def body_of(entries: Sequence[bytes], place: str) -> bytes:
    """Write a message: entries that are JSON already, and the place behind them."""
    return b'{"changes":[%s],"next":"%s"}' % (b",".join(entries), place.encode())
