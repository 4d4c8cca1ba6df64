"""The contract of a source: what hookbridge asks of Supabase and of Notion, in the same words.

A source turns requests into events (``authenticate``, ``decode``), reads the truth (``read``, ``probe``), and knows
what its records look like (``columns_of``, ``versions_of``, ``agree``, ``words``).  It does not store, retry or pause;
it raises the errors of ``hookbridge.errors`` and no foreign exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from hookbridge.api.webhooks import AckDetails
from hookbridge.model import Columns, Event, RecordKey, SourceName, StoredEvent, Truth
from hookbridge.text import Fields


class Handshake(msgspec.Struct, frozen=True):
    """Not an event: Notion presents the verification token of a new subscription."""

    token: str


class Delivery(msgspec.Struct, frozen=True):
    """What one body says: one event, or two where a key changed, and what the ack repeats of it."""

    events: tuple[Event, ...]
    details: AckDetails


Decoded = Delivery | Handshake


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy cannot hold of its record."""

    links_expired_at: datetime | None = None
    """When the first of its links to files stops or stopped to work; None where it has none that do."""
    cut_properties: tuple[str, ...] = ()
    """What is longer than what was read of it."""


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A table that the reconciler follows."""

    table: str
    polled: bool
    """Whether its changes can be asked for; a table without a time of change is only swept."""
    poll_seconds: float | None = None
    """Its own gap between polls; None for the configured one."""


class Unread(msgspec.Struct, frozen=True):
    """A record that is there and cannot be read: no listing may call it gone."""

    id: str | None
    """None where not even its key can be read."""
    reason: str


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a listing."""

    truths: tuple[Truth, ...]
    unread: tuple[Unread, ...] = ()
    next_cursor: str | None
    """Where it goes on; None when the listing is complete.  It outlives the process."""
    watermark: str | None = None
    """The latest time of change seen, not later than now."""
    total: int | None = None
    """How many records the whole listing has, where the source says so."""
    anew: bool = False
    """Whether this is a first slice although a cursor was given: it belonged to another order, or made no sense."""


class Changes(Protocol):
    """How the reconciler reads a source: listings in slices, for the tables that are configured.

    Every method raises SourceUnavailable, SourceRefused, RecordUnreadable or RecordImpossible; a listing that was cut
    short raises too, or goes on behind its cursor: it never looks complete.
    """

    def followed(self) -> tuple[Followed, ...]:
        """Give the tables."""
        ...

    async def since(self, table: str, watermark: str, overlap_seconds: float, cursor: str | None) -> Slice:
        """List what changed since a watermark, and somewhat before it, in the order of change."""
        ...

    async def listing(self, table: str, cursor: str | None) -> Slice:
        """List all records, in an order that changes do not alter."""
        ...

    async def newest(self, table: str) -> str | None:
        """Give the latest time of change that the table has now, but at most now; None where no record has one."""
        ...


class Source(Protocol):
    """One source of truth.  One instance for the process."""

    name: SourceName
    times_are_minutes: bool
    """Whether a time without seconds says nothing about them."""
    edits_move_times: bool
    """Whether all that webhooks tell of moves a record's time of change (Notion's formulas and rollups move none)."""

    @property
    def has_credentials(self) -> bool:
        """Whether truth can be read.  Without, every verification is ``skipped``."""
        ...

    @property
    def credential_warning(self) -> str | None:
        """Say what is doubtful about the credentials, for start-up and ``/readyz``; None when nothing is."""
        ...

    @property
    def ids_are_global(self) -> bool:
        """Whether an id names one record across tables (Notion), so that a record that moved has one copy."""
        ...

    def table(self, written: str) -> str:
        """Give a table's normal name for what a person wrote (``users`` is ``public.users``; ids without dashes).

        Raises InvalidParameter when it cannot be a table's name.
        """
        ...

    def key(self, table: str, id_: str) -> RecordKey:
        """Name a record for what a person wrote, both parts in their normal form.

        Raises InvalidParameter when it cannot be a record's name.
        """
        ...

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return when the sender is authenticated over the raw bytes, or when verification is off.

        Raises InvalidSignature otherwise.  ``now`` is epoch seconds, for timestamp tolerance.
        """
        ...

    def decode(self, headers: Mapping[str, str], body: bytes) -> Decoded:
        """Turn a body into events, filtered ones with their reason in ``ignored``.

        Raises InvalidJson, InvalidSource, or InvalidFields with every field that is wrong.
        """
        ...

    def columns_of(self, event: Event) -> Columns | None:
        """Give the record's columns as the event's body has them; None when it carries none."""
        ...

    def versions_of(self, event: Event) -> tuple[Columns, ...]:
        """Give every version of the record that the event's body shows: as it was before, and as it was then."""
        ...

    async def read(self, record: RecordKey) -> Truth:
        """Read the record from the source, batched with the calls of the same few milliseconds.

        The truth of a record that is there has its name as the source writes it, perhaps in another spelling.
        Raises SourceUnavailable, SourceRefused, RecordUnreadable or RecordImpossible.
        """
        ...

    async def refresh(self, record: RecordKey) -> Truth:
        """Read the record as ``read`` does, for somebody who can wait: where requests are counted, all others go first.

        Raises as ``read``.
        """
        ...

    def truth_columns(self, truth: Truth) -> Columns | None:
        """Decode the columns of a truth, for steps and handlers; None when the record is absent."""
        ...

    def agree(self, truth: Columns, claimed: Columns) -> bool:
        """Whether the columns that an event claims are those that the source has, compared as values, not as text."""
        ...

    def newer_than_truth(self, event: StoredEvent, truth: Truth) -> bool:
        """Whether the event claims a later change than the source knows of (false where nothing tells)."""
        ...

    def changed_at(self, record: RecordKey, columns: Columns) -> str | None:
        """Give the record's own time of its last change, as the source writes it, where it has one."""
        ...

    def fingerprint(self, columns: Columns) -> bytes:
        """Hash what a change would alter: equal content gives equal bytes, whoever delivered it."""
        ...

    def is_called(self, table: str, columns: Columns) -> bool:
        """Whether a record with these columns may be asked for under this table's name (ids are global)."""
        ...

    def limits(self, data: bytes) -> Limits:
        """Say what the JSON of a copy cannot hold of its record."""
        ...

    def title(self, record: RecordKey, columns: Columns) -> str:
        """Give what people call the record; the empty text where nothing says it."""
        ...

    def fields(self, record: RecordKey, columns: Columns) -> Fields:
        """Give the text by which search finds the record (of the configured columns or properties)."""
        ...

    @property
    def changes(self) -> Changes | None:
        """How the reconciler reads it; None without credentials."""
        ...

    async def probe(self) -> None:
        """Ask the source the cheapest question it answers.  Returns when it answered; raises as ``read``."""
        ...

    async def close(self) -> None:
        """Close the connections.  Idempotent."""
        ...


class Tickets(Protocol):
    """Where a reader takes the ticket of a read (the store): later reads have larger tickets."""

    async def __call__(self) -> int:
        """Give the next ticket.  Raises StoreUnavailable."""
        ...


async def unordered() -> int:
    """Give whoever keeps no copy a ticket: of its reads none is later than another."""
    return 0
