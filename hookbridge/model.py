"""The words of hookbridge as frozen values: record, event, change, truth, copy, outcome.

Everything that travels between modules is one of these.  This module knows nothing else of hookbridge: no store,
no HTTP, no source.  Times are seconds since the epoch (float, UTC) unless a name says otherwise.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

SourceName = Literal["supabase", "notion"]
SOURCES: tuple[SourceName, ...] = ("supabase", "notion")

Role = Literal["receive", "process", "reconcile"]
"""What a node can do: take webhooks; work on changes; look for what no webhook announced."""
ROLES: tuple[Role, ...] = get_args(Role)

Origin = Literal["webhook", "pull", "poll", "sweep", "replay"]
"""How an event came: sent by its source; taken from an outbox there; found by the reconciler; an operator's word."""

ANNOUNCING: frozenset[Origin] = frozenset(("webhook", "pull"))
"""Those with which a source tells of a change by itself: what only the others brought was missed.

Engines count by the same two words: ``store/sqlite/sweeps.py``, ``store/postgres/schema/functions/sweeps.sql``.
"""

Columns = dict[str, Any]
"""A record's own columns (Supabase) or the page object (Notion), decoded.  The only untyped data there is."""

RecordState = Literal["present", "absent", "waiting"]
"""``present``: the copy has data; ``absent``: it knows that there is none; ``waiting``: it has open events."""


class Outcome(enum.StrEnum):
    """How an event ended.  An event without one is open."""

    APPLIED = "applied"
    COALESCED = "coalesced"
    IGNORED = "ignored"
    DEAD = "dead"


class Verification(enum.StrEnum):
    """What reading the source said about a change."""

    VERIFIED = "verified"
    SUPERSEDED = "superseded"
    ABSENT = "absent"
    CONTRADICTED = "contradicted"
    SKIPPED = "skipped"


class RecordKey(msgspec.Struct, frozen=True, order=True):
    """The name of one row or page, written ``source:table:id``.

    ``table`` is ``schema.table`` for Supabase and the database id for Notion.  ``id`` is the key's text; a composite
    key is the percent-encoded parts joined by commas, in the order of the configured key columns.
    """

    source: SourceName
    table: str
    id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.table}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> RecordKey:
        """The inverse of ``str()``.  A table has no colon, so an id may have some.

        Raises ValueError for a text that is not a record's name.
        """
        source, table, id_ = text.split(":", 2)
        if source not in SOURCES:
            msg = f"no such source: {source}"
            raise ValueError(msg)
        return cls(source, table, id_)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One hint about one record, as it arrived."""

    record: RecordKey
    type: str
    """``insert``, ``update`` or ``delete``; an event that carries no record keeps its source's own type name."""
    format: str
    """Which of the source's formats the body has; the source needs it to find the record's columns in the body."""
    origin: Origin = "webhook"
    body: bytes = b""
    """The raw body, byte for byte."""
    occurred_at: str | None = None
    """The sender's own timestamp, as it wrote it."""
    identity: bytes | None = None
    """What makes two deliveries the same event; None for a payload that cannot name itself."""
    ignored: str | None = None
    """Why it is stored but not processed; None for an event that makes its record dirty."""
    by_id: bool = False
    """Whether the id alone names the record (ids are global): where the copy has it in another table, the event is of
    that record; and then it is processed, whatever ``ignored`` says.
    """


class Receipt(msgspec.Struct, frozen=True):
    """What an append did with one event: its id in the inbox and whether it was known already."""

    event_id: int
    duplicate: bool = False


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the inbox, with how it ended."""

    id: int
    event: Event
    received_at: float
    outcome: Outcome | None = None
    reason: str | None = None
    verification: Verification | None = None
    attempts: int = 0
    settled_at: float | None = None
    headers: bytes | None = None
    """The headers it came with as a JSON object, secrets masked; None for one that no request brought."""
    stored_at: float | None = None
    """When it was written; the commit followed at once, and the 202 after that."""
    claimed_at: float | None = None
    """When a worker took its record; None while it is open."""
    verified_at: float | None = None
    """When its record had been read from the source; None where it was not."""


FINGERPRINT_BYTES = 16
"""How long the hash of a record's content is."""


def textless(shown: bytes) -> bytes:
    """Give what stands in a fingerprint for the hash of what is shown where the text behind the record was refused.

    It is that of no listing, and tells of which one it was made.
    """
    return shown[::-1]


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The text behind a record: the body of a Notion page, where its database asks for it."""

    markdown: str
    truncated: bool
    """Whether there is more of it than was read."""
    edited_at: str | None
    """The time of the record's last change, as its source wrote it, that was read before the text: the text may be
    of a later one, never of an earlier one.
    """
    links_expire_at: datetime | None = None
    """When the first of its links to files stops or stopped to work; None where it has none that do."""
    refused: str | None = None
    """Why there is no text, where its source gives none of this one record."""


ContentState = Literal["off", "waiting", "stored", "refused"]
"""``off``: its table asks for no text; ``waiting``: it is still to be read; ``refused``: its source gives none."""


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A record as hookbridge last read it; with ``data`` None, the knowledge that the source has no such record."""

    record: RecordKey
    data: bytes | None
    """The record as JSON, digits and all."""
    changed_at: str | None = None
    """The source's own time of the last change, as the source wrote it."""
    fingerprint: bytes = b""
    """A hash of the content without what changes on every read, ``FINGERPRINT_BYTES`` long.

    Where listings do not show all of the content, a hash of what they show stands behind it (``textless``).
    """
    ticket: int = 0
    """Taken from the store before the read began: a copy never overwrites one with a later ticket."""
    read_at: float = 0.0
    occurred_at: str | None = None
    """The sender's own time of the event that it was made of; None for one that was read."""
    verified: bool = True
    """False when the data came from an event because the source could not be read (no credentials)."""
    title: str | None = None
    """What people call the record; None where nothing says it."""
    content: str | None = None
    """The text behind the record, a ``Content`` as JSON (``sources/contents.py``); None where its table asks for none,
    and until it was read.
    """

    @property
    def size(self) -> int:
        """About how many bytes there are of it."""
        return len(self.data or b"") + len(self.content or "")


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """The record as its source has it now; ``data`` is None when the source has no such record."""

    record: RecordKey
    """Its name as the source writes it: an event may have spelled it otherwise (a uuid in upper case), or have named
    another table than the one in which the record lies (ids are global).
    """
    data: bytes | None
    changed_at: str | None = None
    fingerprint: bytes = b""
    ticket: int = 0
    partial: bool = False
    """Whether it is only what a listing shows, and a read of the record itself gives more; its fingerprint ends with
    the hash of what is shown.
    """
    lacks_content: bool = False
    """Whether it is whole but for the text behind the record, so that a read of that alone completes it."""
    cut: bool = False
    """Whether a read of the record itself did not give all of it either."""
    content: Content | None = None
    """The text behind the record, where its table asks for it and it was read."""
    also_gone: RecordKey | None = None
    """Of an absent record: another spelling of its name, under which the source has none either."""

    @property
    def size(self) -> int:
        """About how many bytes there are of it."""
        return len(self.data or b"") + (0 if self.content is None else len(self.content.markdown))

    def matches(self, known: bytes) -> bool:
        """Whether a copy with this fingerprint has the same content, as far as this read shows it."""
        if self.partial:
            return known[FINGERPRINT_BYTES:] == self.fingerprint[-FINGERPRINT_BYTES:]
        return known[:FINGERPRINT_BYTES] == self.fingerprint[:FINGERPRINT_BYTES]


class Document(msgspec.Struct, frozen=True):
    """What the index holds of a record: the tokens of its fields (``hookbridge.text``), with spaces between them."""

    record: RecordKey
    title: str = ""
    properties: str = ""
    body: str = ""

    @property
    def fields(self) -> tuple[str, str, str]:
        """The fields in their order."""
        return self.title, self.properties, self.body


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A dirty record in the hands of one worker until its lease ends."""

    record: RecordKey
    version: int
    """Raised by every event of the record: a settle of an older version leaves the record dirty."""
    generation: int
    """The fencing token: larger than that of every earlier claim of the record."""
    head: int
    """The newest event at the time of the claim; it and all open events before it are settled together."""
    claimed_at: float = 0.0
    since: float = 0.0
    """Since when its record is dirty: longer than since the oldest of ``events`` where not all of them are here."""
    types: dict[str, int]
    """How many events of each type that is, the newest ``COUNTED_EVENTS_MAX`` of them."""
    events: tuple[StoredEvent, ...]
    """The newest of them in arrival order (at most ``CLAIMED_EVENTS_MAX``); old large ones without their bodies."""
    previous: Copy | None = None
    """Its copy; of many with long texts behind their records the last ones come without those."""

    @property
    def open_events(self) -> int:
        """How many events are settled with this claim; at ``COUNTED_EVENTS_MAX`` there may be more."""
        return sum(self.types.values())


CLAIMED_EVENTS_MAX = 100
"""A burst on one record is one change: more bodies than this are never loaded for it."""

COUNTED_EVENTS_MAX = 2_000
"""Nor is a longer burst counted, or settled in one transaction: nobody's ack waits for it."""

CLAIMED_BYTES_MAX = 1024 * 1024
"""Behind newer bodies of more bytes than this, an older event of the record comes without its body."""

CLAIM_BYTES_MAX = 16 * 1024 * 1024
"""One claim takes no further record once the newest bodies have this many bytes."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """All open events of one record, as one change: what steps and handlers are given."""

    record: RecordKey
    events: tuple[StoredEvent, ...]
    """In arrival order, the newest last; never empty.  Of a burst of large ones the older have no body."""
    copy: Copy | None = None
    """The copy before this change, as it is stored; None when there was none."""
    attempt: int = 1
    """From 1."""
    truth: Truth | None = None
    """What the source has now; None before verification and where the source has no credentials."""
    verification: Verification | None = None
    columns: Columns | None = None
    """The record as it is now; None when it is gone.  What a handler usually wants."""
    previous: Columns | None = None
    """The record as it was in the copy; None when it was not there, and where steps are not handlers."""
    content: Content | None = None
    """The text behind the record as it is now: the body of a page whose database has ``content = true``; None where
    there is none, and where steps are not handlers.
    """

    @property
    def newest(self) -> StoredEvent:
        """The event that arrived last."""
        return self.events[-1]

    @property
    def type(self) -> str:
        """The type of the newest event."""
        return self.events[-1].event.type


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps so far want written when the change is settled."""

    steps: tuple[str, ...] = ()
    verification: Verification | None = None
    verified_at: float | None = None
    """When the source had answered; None where it was not asked."""
    truth: Truth | None = None
    occurred_at: str | None = None
    """The sender's time of the event whose data was taken, where verification was skipped."""
    columns: Columns | None = None
    """The record as it is now: the truth's columns, or the event's own where verification was skipped."""
    copy: Copy | None = None
    """The copy to write (with ``data`` None: the record is gone); None leaves the copy as it is.

    Where its record has another name than the change, that was another spelling, and nothing stays under it.
    """
    exclusive: bool = False
    """Whether the copies of the same id in other tables go when this one is written (ids are global)."""
    document: Document | None = None
    """The index entry to write; without a token the record leaves the index.  None leaves it as it is."""
    stale_keys: tuple[str, ...] | None = None
    """The keys of the user's cache that were deleted, to be deleted once more when the copy is written; None where none
    belong to the record's table.
    """


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that failed."""

    number: int
    """From 1."""
    began_at: float
    ended_at: float
    error: str
    """What went wrong, in one line."""
    traceback: str | None = None
    """Where, as Python tells it, without its beginning where that is long; None for what says everything itself."""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one claimed change, to be written in one transaction."""

    claim: Claim
    outcome: Outcome
    """Of the newest event; the older ones become ``coalesced`` when it is ``applied``, else they share it."""
    reason: str | None = None
    effects: Effects = Effects()
    attempts: int = 1
    duration: float = 0.0
    """Seconds from the start of the first attempt to this settlement."""
    failures: tuple[Failure, ...] = ()
    """The attempts that failed, also before one that succeeded."""
    announced: bool = False
    """Whether a webhook alone announced a change of a table that the reconciler follows."""


class Settled(enum.StrEnum):
    """What a settlement met in the store."""

    DONE = "done"
    MORE = "more"
    """A portion of a long burst was settled; the same settlement has to be given again."""
    STILL_DIRTY = "still dirty"
    FENCED = "fenced"


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The balance: ``received = open + applied + coalesced + ignored + dead`` at every moment."""

    received: Annotated[int, Meta(description="All events that were stored.", examples=[1200])]
    open: Annotated[int, Meta(description="Not settled yet.", examples=[3])]
    applied: Annotated[int, Meta(description="Settled as the newest of their change.", examples=[1100])]
    coalesced: Annotated[int, Meta(description="Settled by a newer event of their record.", examples=[90])]
    ignored: Annotated[int, Meta(description="Stored and not to be processed.", examples=[5])]
    dead: Annotated[int, Meta(description="Given up, kept for a replay.", examples=[2])]

    def balanced(self) -> bool:
        """Whether every event received is accounted for."""
        return self.received == self.open + self.applied + self.coalesced + self.ignored + self.dead


class Counts(msgspec.Struct, frozen=True):
    """How many events there had been at one moment since the store was made, and how many were open."""

    at: float
    received: int
    applied: int
    """Applied, or coalesced into a later event that was."""
    open: int


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a store cannot be relied on, until somebody does something about it."""

    reason: Annotated[str, Meta(description="What was found.")]
    remedy: Annotated[str, Meta(description="What to do.")]
