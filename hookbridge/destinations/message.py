"""What one POST to a destination says: some changes, in their order, and where a snapshot begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from hookbridge import feed
from hookbridge.api.changes import DeleteEntry, SnapshotEnd, UpsertEntry
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
    draft = Draft(to.batch_bytes)
    is_whole, reached = True, place
    if place.begins_snapshot:
        draft.begin_snapshot(place)
    for change, behind in zip(part.entries, part.places(), strict=False):
        if type_of(change) in to.types:
            entry = await telling.entry(change, data=True, content=True)
            if not draft.takes(entry):
                is_whole = False
                break
        reached = behind
    if is_whole:
        reached = part.next
        if part.ends_snapshot:
            draft.end_snapshot(SnapshotEnd(seq=part.next.seq))
    body, id_ = draft.body(str(reached)), draft.id(series)
    return Message(body, id_, draft.number, reached, draft.is_empty, is_whole and part.is_last)


class Draft:
    """A message that is being put together, entry by entry in their order."""

    def __init__(self, bytes_max: int) -> None:
        self.number = 0
        """How many changes it tells."""
        self._bytes_max = bytes_max
        self._size = 0
        self._entries: list[bytes] = []
        self._told: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing to tell."""
        return not self._entries

    def begin_snapshot(self, place: feed.Place) -> SnapshotBegin:
        """Tell that everything is told from this place on."""
        entry = SnapshotBegin(seq=place.began_at or 0)
        self._add(_encode(entry), "begin")
        return entry

    def end_snapshot(self, entry: SnapshotEnd) -> None:
        """Tell that everything was told."""
        self._add(_encode(entry), "end")

    def takes(self, entry: UpsertEntry | DeleteEntry) -> bool:
        """Tell a change too, unless it would make the message too large: one alone never does."""
        text = _encode(entry)
        if self.number and self._size + len(text) > self._bytes_max:
            return False
        self._size += len(text)
        self.number += 1
        self._add(text, str(entry.seq))
        return True

    def body(self, place: str) -> bytes:
        """Write it, with the place behind it."""
        return body_of(self._entries, place)

    def id(self, series: str) -> str:
        """Name it: the same whenever the same is told again in this series."""
        return "msg_" + sha256(" ".join((series, *self._told)).encode()).hexdigest()[:32]

    def _add(self, entry: bytes, told: str) -> None:
        self._entries.append(entry)
        self._told.append(told)


def type_of(change: FeedEntry) -> str:
    """Say what a change is told as."""
    return "delete" if change.copy.data is None else "upsert"


def body_of(entries: Sequence[bytes], place: str) -> bytes:
    """Write a message: entries that are JSON already, and the place behind them."""
    return b'{"changes":[%s],"next":"%s"}' % (b",".join(entries), place.encode())
