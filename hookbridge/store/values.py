"""What goes into a store and comes out of it, beside the words of ``model``: filters, pages, totals, comparisons.

Frozen values.  They know no engine, and nothing of how it finds them.
"""

from __future__ import annotations

import msgspec

from hookbridge.model import Books, Copy, Document, Origin, Outcome, RecordKey, RecordState, SourceName, StoredEvent


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are meant; a field that is None or empty does not narrow."""

    ids: tuple[int, ...] | None = None
    """These events, as far as there are such."""
    source: SourceName | None = None
    tables: tuple[str, ...] = ()
    """The names that the table may have: a source of its own may write it otherwise."""
    record_ids: tuple[str, ...] = ()
    """The ids that the record may have, likewise."""
    type: str | None = None
    origin: Origin | None = None
    outcome: Outcome | None = None
    open: bool | None = None
    """Whether no outcome is set."""
    text: str | None = None
    """Words that all have to stand in the record's name, the type, the reason or the body, in any case."""
    reason: str | None = None
    """Those that ended for a reason of this one's kind (``reasons.kind``)."""
    since: float | None = None
    """Those that came at this time or later, in epoch seconds."""
    until: float | None = None
    """Those that came before this time."""


class EventPage(msgspec.Struct, frozen=True):
    """Events, newest first, and the cursor of the next page (None on the last one).

    A page ends where it has looked far enough, and may then be short or empty though there are more that match.
    """

    events: tuple[StoredEvent, ...]
    next_cursor: int | None
    horizon: int
    """Up to this id no event can come to be there any more.  Above it one may still appear behind a newer one, where
    several nodes write: whoever follows the newest events looks again at those above it.
    """


class EventIds(msgspec.Struct, frozen=True):
    """Ids in pages like ``EventPage``'s."""

    ids: tuple[int, ...]
    next_cursor: int | None


class DeadOfTable(msgspec.Struct, frozen=True, kw_only=True):
    """Those of a group that are of one table."""

    source: SourceName
    table: str
    count: int
    first_at: float
    last_at: float


class DeadGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters with reasons of one kind."""

    kind: str
    count: int
    newest: int
    """The id of the event that came last."""
    reason: str
    """That event's."""
    first_at: float
    """When the first of them died, in epoch seconds."""
    last_at: float
    tables: tuple[DeadOfTable, ...]
    """The largest first; so many of them are shown."""


class DeadGroups(msgspec.Struct, frozen=True):
    """Dead letters by the kinds of their reasons, the largest group first."""

    groups: tuple[DeadGroup, ...]
    complete: bool
    """Whether that are all: it looks at so many, and shows so many groups."""


class Portion(msgspec.Struct, frozen=True):
    """What one transaction did with the first of some events."""

    count: int
    """To how many it did it."""
    looked_at: int
    """How many it was about; at least one."""


class Done(msgspec.Struct, frozen=True):
    """What was done with the events of a filter: with how many, and before which one it goes on (None at the end)."""

    count: int
    next_cursor: int | None = None


SAMPLES_MAX = 24 * 60 + 1
"""A day of samples, one a minute, and the one with which it begins."""

STALE_KEYS_CHARACTERS_MAX = 1024 * 1024
"""Whoever reads stale keys is given no further one behind these: a template may name a column of any length."""


class StaleKeys(msgspec.Struct, frozen=True):
    """Some of the keys that have to be deleted from the user's cache once more."""

    keys: tuple[str, ...]
    rows: tuple[int, ...]
    """In which they were read; of one key there may be others, which came later."""


FEED_BYTES_MAX = 1024 * 1024
"""A page of the feed ends behind so many bytes of data and contents: each reader that is slow holds one."""


class FeedFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes are meant: those of these sources and those of these tables; of all where neither is given."""

    sources: tuple[SourceName, ...] = ()
    tables: tuple[tuple[SourceName, str], ...] = ()
    present_until: int = 0
    """Up to this place absences are left out: whoever began a snapshot there has nothing that they could take away."""

    def means(self, record: RecordKey) -> bool:
        """Say whether changes of a record are meant."""
        if not (self.sources or self.tables):
            return True
        return record.source in self.sources or (record.source, record.table) in self.tables

    @property
    def is_narrow(self) -> bool:
        """Whether there may be changes that are not meant."""
        return bool(self.sources or self.tables or self.present_until)


EVERY_CHANGE = FeedFilter()


class FeedEntry(msgspec.Struct, frozen=True):
    """The last change of a record."""

    seq: int
    """Its place: larger than that of every change before it, in the whole store."""
    since: float
    """When the read was that found it so, in epoch seconds; a copy that was read again has a later one."""
    copy: Copy


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a destination does not take, though it takes others."""

    record: RecordKey
    seq: int
    reason: str


class Rejection(Rejected, frozen=True, kw_only=True):
    """One that is kept."""

    rejected_at: float


class FeedEnds(msgspec.Struct, frozen=True):
    """Where the feed begins and ends, at one moment."""

    id: str
    """Of this history of changes: a store that was restored from a backup goes on with another one."""
    oldest: int
    """Behind this place, and behind every later one, nothing is missing: no absence that was forgotten had a later
    one.  At 0 begins whoever has nothing, and needs no absences.
    """
    newest: int
    """The place of the last change; 0 before the first one."""


LAST_PLACE = 2**63 - 1
"""Behind every change that there can be."""

TOMBSTONES_LOOKED_AT = 5_000
"""Of old absences so many are looked at for those that may be forgotten."""


class FeedPage(msgspec.Struct, frozen=True):
    """Changes in the order of their places, each record once.

    A page ends where it has looked far enough, and may then be short or empty though there are more that match.
    """

    entries: tuple[FeedEntry, ...]
    reached: int
    """Where the next one goes on: there is nothing up to here that these do not have."""
    ends: FeedEnds
    """Of the moment at which the page was read: at the end of the feed, ``reached`` is its newest place."""


class RecordFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records are meant; a field that is None or empty does not narrow."""

    source: SourceName | None = None
    tables: tuple[str, ...] = ()
    """The names that the table may have."""
    record_ids: tuple[str, ...] = ()
    """The ids that the record may have."""
    state: RecordState | None = None
    text: str | None = None
    """Words of the index, the last one may be a beginning; or the beginning of an id."""


class RecordEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A record in a listing: what is known of it, without its data."""

    record: RecordKey
    present: bool | None
    """Whether the copy has data; None when there is no copy of it yet."""
    changed_at: str | None = None
    read_at: float | None = None
    verified: bool | None = None
    waiting_since: float | None = None
    """Since when it has open events; None while it has none."""


class RecordPage(msgspec.Struct, frozen=True):
    """Records by name (``store.ordinals``), and the cursor of the next page: the last name looked at.

    A page ends where it has looked far enough, and may then be short or empty though there are more that match.
    """

    records: tuple[RecordEntry, ...]
    next_cursor: RecordKey | None


class RecentPage(msgspec.Struct, frozen=True):
    """Records by their last change, the last one first, and the cursor of the next page; it ends as ``RecordPage``."""

    records: tuple[RecordEntry, ...]
    next_cursor: int | None


class Candidates(msgspec.Struct, frozen=True):
    """What a search looks at: copies whose words match, the newest change of their words first."""

    copies: tuple[Copy, ...]
    complete: bool
    """Whether there are no others: a search has an end, however common its words are."""
    indexed: tuple[Document, ...] = ()
    """What the index has of each: to make that anew of its copy takes twenty times as long as to read it."""


class CopyPage(msgspec.Struct, frozen=True):
    """Some copies with data, in an order of the store's."""

    copies: tuple[Copy, ...]
    next_cursor: str | None
    """Where it goes on; None on the last one.  It outlives the process."""
    done: float
    """About which part of all copies these and those before them are."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The durable counters behind ``/stats``.  They only grow, but for ``open`` and ``dead``."""

    books: Books
    duplicates: int = 0
    processed: int = 0
    failed: int = 0
    retries: int = 0
    changes: int = 0
    processing_seconds: float = 0.0
    by_type: dict[str, int] = {}
    by_source: dict[str, int] = {}
    by_verification: dict[str, int] = {}
    by_origin: dict[str, int] = {}
    """Events received, by ``source:origin``."""
    by_outcome: dict[str, int] = {}
    """Events settled, by ``source:outcome``; a dead letter that was opened again counts each time it ends."""
    announced: dict[str, int] = {}
    """By ``source:table``, for followed tables: changes that a webhook announced."""
    missed: dict[str, int] = {}
    """By ``source:table``: changes that only the reconciler found."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the store has of one record when the reconciler compares it."""

    known: bool
    """Whether there is a copy at all, be it of an absence."""
    present: bool
    """Whether the copy has data."""
    fingerprint: bytes
    changed_at: str | None
    """The source's own time of the last change that the copy has."""
    ticket: int
    verified: bool
    dirty: bool
    """Whether events of it are open."""
    claimed: bool
    """Whether a worker has it now, and may have read it already."""


class Standings(msgspec.Struct, frozen=True):
    """How the records of one page of a listing stand."""

    by_id: dict[str, Standing]
    moment: str
    """Which events were there, in the engine's own words: what announces a difference came later than those.

    Not the id of one: where several nodes write, an event with a smaller id may come to be there later.
    """
    ticket: int
    """A read of the source that began later has a larger ticket."""


class Unmet(msgspec.Struct, frozen=True):
    """Copies that a complete listing did not show."""

    records: tuple[RecordKey, ...]
    """The first of them, in the order of their ids."""
    count: int
    copied: int
    """How many copies with data the table has."""


class ContentCounts(msgspec.Struct, frozen=True):
    """Of the copies of a table."""

    wanting: int
    """How many have data, and their content was not read yet."""
    copied: int
    """How many have data."""


class Span(msgspec.Struct, frozen=True):
    """Stored times from ``start`` on and before ``end``, in epoch seconds."""

    start: float
    end: float


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """Of what the reconciler found in a table: how much a webhook announced as well, and how much none did."""

    source: SourceName
    table: str
    announced: int
    missed: int
