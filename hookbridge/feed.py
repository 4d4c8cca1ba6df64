"""The feed of changes as its readers go through it: places that outlive the connection, and snapshots that end.

Invariant: whoever goes on at the place that he was given last has missed nothing, or is told that his place is gone;
and when a snapshot ends, every record that there was at that moment has been told since it began.
"""

from __future__ import annotations

import re

import msgspec

from hookbridge.errors import PlaceGone
from hookbridge.store.contract import Feed
from hookbridge.store.values import EVERY_CHANGE, FEED_BYTES_MAX, FeedEnds, FeedEntry, FeedFilter

AGAIN = "begin a snapshot, with since=0: when it has ended, what it did not tell is gone"

SEQ = "[0-9]{1,18}"
"""How the number of a change is written: it fits the store's 64 bits."""
_FORM = re.compile(rf"([0-9a-f]{{32}})-({SEQ})(?:-({SEQ}))?")


class Place(msgspec.Struct, frozen=True):
    """Up to where somebody has read the feed; as a text it is nobody's to take apart."""

    feed: str
    """The feed's id."""
    seq: int
    """The last change that he has read, or knows not to be meant."""
    began_at: int | None = None
    """In a snapshot, the newest change when it began."""

    def __str__(self) -> str:
        began = "" if self.began_at is None else f"-{self.began_at}"
        return f"{self.feed}-{self.seq}{began}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read what was written by ``str``.  Raises ValueError."""
        if (found := _FORM.fullmatch(text)) is None:
            raise ValueError(text)
        feed, seq, began = found.groups()
        return cls(feed, int(seq), None if began is None else int(began))

    @property
    def needs(self) -> int:
        """Behind which change every deletion has to be there: who began a snapshot has nothing of before."""
        return self.seq if self.began_at is None else self.began_at

    def beginning(self) -> Place:
        """Give the place at which a snapshot begins, when this one is behind everything that there is."""
        return Place(self.feed, 0, self.seq)

    @property
    def begins_snapshot(self) -> bool:
        """Whether nothing of a snapshot was told yet."""
        return self.seq == 0 and self.began_at is not None

    def at(self, seq: int) -> Place:
        """Give the place of a change that is told from here on."""
        return msgspec.structs.replace(self, seq=seq)


class Part(msgspec.Struct, frozen=True):
    """What comes behind a place; nothing where that is the end of the feed."""

    place: Place
    entries: tuple[FeedEntry, ...]
    ends_snapshot: bool
    """Whether a snapshot ends behind these."""
    next: Place
    ends: FeedEnds
    """The feed's, when this was read."""

    @property
    def is_last(self) -> bool:
        """Whether there was nothing behind it."""
        return self.next.seq == self.ends.newest

    def nothing_behind(self) -> Part:
        """Give what comes behind the last one, as long as nothing does."""
        return Part(self.next, (), ends_snapshot=False, next=self.next, ends=self.ends)

    def places(self) -> tuple[Place, ...]:
        """Give the place behind each entry, and behind the end of a snapshot."""
        within = tuple(self.place.at(entry.seq) for entry in self.entries)
        # Behind the last one there may be more that is not meant.
        return (*within, self.next) if self.ends_snapshot else (*within[:-1], self.next)[: len(within)]


async def newest(store: Feed) -> Place:
    """Give the place behind everything that there is."""
    ends = await store.feed_ends()
    return Place(ends.id, ends.newest)


async def snapshot(store: Feed) -> Place:
    """Give the place at which a snapshot begins."""
    return (await newest(store)).beginning()


async def read(
    store: Feed,
    place: Place,
    which: FeedFilter = EVERY_CHANGE,
    *,
    limit: int,
    bytes_max: int = FEED_BYTES_MAX,
    contents: bool = True,
) -> Part:
    """Give the next changes that are meant, at most so many, and none behind so many bytes.  Raises PlaceGone.

    A snapshot leaves out what was gone before it began.
    """
    while True:
        meant = msgspec.structs.replace(which, present_until=place.began_at or 0)
        page = await store.feed(meant, after=place.seq, limit=limit, bytes_max=bytes_max, contents=contents)
        if (why := why_gone(place, page.ends)) is not None:
            raise PlaceGone(why, hint=AGAIN)
        at_end = page.reached == page.ends.newest
        further = Place(place.feed, page.reached, None if at_end else place.began_at)
        if page.entries or at_end:
            ends_snapshot = at_end and place.began_at is not None
            return Part(place, page.entries, ends_snapshot=ends_snapshot, next=further, ends=page.ends)
        place = further  # there was much that is not meant


def why_gone(place: Place, ends: FeedEnds) -> str | None:
    """Say why a place is gone; None where everything behind it is there."""
    if place.feed != ends.id:
        return "The place is one of another feed: the store was restored from a backup"
    if max(place.seq, place.began_at or 0) > ends.newest:
        return "The feed does not go as far as this place"
    if place.needs < ends.oldest:
        return "The place is older than the deletions that are remembered (tombstone_days)"
    return None
