"""What one POST to a destination says: some changes, in their order, and where a snapshot begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from hookbridge import feed
from hookbridge.api.changes import DeleteEntry, SnapshotEnd, UpsertEntry
from hookbridge.api.destinations import SnapshotBegin
from hookbridge.config import Destination
from hookbridge.model import RecordKey
from hookbridge.store.contract import Feed
from hookbridge.store.values import LAST_PLACE, FeedEntry, FeedFilter
from hookbridge.telling import Telling

_encode = msgspec.json.Encoder().encode

_BEGIN, _END = _MARKS = ("begin", "end")
"""What names that a snapshot begins, or has ended, in the id of a message; a change is named by its place."""

END = LAST_PLACE
"""Where ``snapshot_end`` is told: behind every change.  ``snapshot_begin`` is told at 0."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next for a destination."""

    body: bytes
    id: str
    """The same whenever the same changes are sent again, also by another process."""
    told: tuple[tuple[int, RecordKey], ...]
    """The changes, by their places in the feed."""
    begins: bool
    """Whether it says that a snapshot begins."""
    ends: bool
    """Whether it says that one has ended."""
    next: feed.Place
    """The place of whoever has taken it."""
    is_last: bool
    """Whether there was nothing behind it."""

    @property
    def places(self) -> tuple[int, ...]:
        """Where each part of it stands; empty where there is nothing to tell, though there may have been changes."""
        return (*(0,) * self.begins, *(seq for seq, _ in self.told), *(END,) * self.ends)


async def message(
    telling: Telling,
    to: Destination,
    series: str,
    place: feed.Place,
    part: feed.Part,
    *,
    until: int = END,
    has_begun: bool = False,
) -> Message:
    """Make a message of what lies behind a place, up to ``until``; it ends early where it would be too large.

    ``series`` is what tells what is sent anew from what is sent again.  ``has_begun``: it was told already that the
    snapshot begins.  Raises StoreUnavailable.
    """
    draft, told = Draft(to.batch_bytes), list[tuple[int, RecordKey]]()
    if begins := place.begins_snapshot and not has_begun:
        draft.begin_snapshot(place)
    reached, ends_early = place, False
    for change, behind in zip(part.entries, part.places(), strict=False):
        if ends_early := change.seq > until:
            reached = place.at(until)
            break
        if type_of(change) in to.types:
            entry = await telling.entry(change, data=True, content=True)
            if ends_early := not draft.takes(entry):
                break
            told.append((change.seq, change.copy.record))
        reached = behind
    if part.ends_snapshot and not ends_early and until < END:
        reached, ends_early = place.at(min(until, part.next.seq)), True
    if ends := part.ends_snapshot and not ends_early:
        draft.end_snapshot(SnapshotEnd(seq=part.next.seq))
    reached = reached if ends_early else part.next
    return Message(
        body=draft.body(str(reached)),
        id=draft.id(series),
        told=tuple(told),
        begins=begins,
        ends=ends,
        next=reached,
        is_last=part.is_last and not ends_early,
    )


async def alone(telling: Telling, to: Destination, series: str, place: feed.Place, change: FeedEntry) -> Message:
    """Make a message of one change, whose reader stays at his place.  Raises StoreUnavailable."""
    draft = Draft(to.batch_bytes)
    draft.takes(await telling.entry(change, data=True, content=True))
    return Message(
        body=draft.body(str(place)),
        id=draft.id(series),
        told=((change.seq, change.copy.record),),
        begins=False,
        ends=False,
        next=place,
        is_last=False,
    )


async def is_left(store: Feed, to: Destination, what: Message) -> bool:
    """Whether one of a message's records is still to be told, as it is by now, or a mark.

    What has changed since is sent as it was, so that a record that changes all the time is not begun with for ever; but
    not what nobody is to be told of any more.  Raises StoreUnavailable.
    """
    if what.begins or what.ends:
        return True
    for _, record in what.told:
        last = await store.last_change(record)
        if last is not None and type_of(last) in to.types:
            return True
    return False


async def until_told(store: Feed, which: FeedFilter, to: Destination, place: feed.Place) -> None:
    """Wait for a change behind a place of which the destination is told.  Raises PlaceGone, StoreUnavailable."""
    while True:
        part = await feed.read(store, place, which, limit=1, contents=False)
        if any(type_of(one) in to.types for one in part.entries):
            return
        place = part.next
        if part.is_last:
            await store.beyond(part.ends)


class Draft:
    """A message that is being put together, entry by entry in their order."""

    def __init__(self, bytes_max: int, told: Sequence[tuple[str, bytes]] = ()) -> None:
        self._bytes_max = bytes_max
        self._told = [*told]
        """Each entry behind what names it in the message's id."""
        changes = [text for name, text in told if name not in _MARKS]
        self.number = len(changes)
        """How many changes it tells."""
        self._size = sum(map(len, changes))

    def begin_snapshot(self, place: feed.Place) -> SnapshotBegin:
        """Tell that everything is told from this place on."""
        entry = SnapshotBegin(seq=place.began_at or 0)
        self._told.append((_BEGIN, _encode(entry)))
        return entry

    def end_snapshot(self, entry: SnapshotEnd) -> None:
        """Tell that everything was told."""
        self._told.append((_END, _encode(entry)))

    def takes(self, entry: UpsertEntry | DeleteEntry) -> bool:
        """Tell a change too, unless it would make the message too large: one alone never does."""
        text = _encode(entry)
        if self.number and self._size + len(text) > self._bytes_max:
            return False
        self._size += len(text)
        self.number += 1
        self._told.append((str(entry.seq), text))
        return True

    def cut(self, number: int) -> tuple[Draft, Draft]:
        """Give its first entries, so many, and the others, as messages of their own."""
        return Draft(self._bytes_max, self._told[:number]), Draft(self._bytes_max, self._told[number:])

    def body(self, place: str) -> bytes:
        """Write it, with the place behind it."""
        return body_of([text for _, text in self._told], place)

    def id(self, series: str) -> str:
        """Name it: the same whenever the same is told again in this series."""
        names = [name for name, _ in self._told]
        return "msg_" + sha256(" ".join((series, *names)).encode()).hexdigest()[:32]


def type_of(change: FeedEntry) -> str:
    """Say what a change is told as."""
    return "delete" if change.copy.data is None else "upsert"


def body_of(entries: Sequence[bytes], place: str) -> bytes:
    """Write a message: entries that are JSON already, and the place behind them."""
    return b'{"changes":[%s],"next":"%s"}' % (b",".join(entries), place.encode())
