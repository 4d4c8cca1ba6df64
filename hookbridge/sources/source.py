"""The contract of a source: what hookbridge asks of Supabase and of Notion, in the same words.

A source turns requests into events (``authenticate``, ``decode``), reads the truth (``read``, ``probe``), and knows
what its records look like (``columns_of``, ``versions_of``, ``agree``, ``words``).  It does not store, retry or pause;
it raises the errors of ``hookbridge.errors`` and no foreign exception.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from hookbridge.api.webhooks import AckDetails
from hookbridge.errors import InvalidParameter, SourceRefused
from hookbridge.model import Columns, Content, ContentState, Copy, Event, RecordKey, SourceName, StoredEvent, Truth
from hookbridge.names import NAME_EXPECTED, is_name
from hookbridge.sources.bodies import decode_columns
from hookbridge.text import Fields

Asker = Literal["change", "poll", "sweep", "load"]
"""For what something is read, the most urgent first: where requests are counted, it goes before the others."""


class Handshake(msgspec.Struct, frozen=True):
    """Not an event: Notion presents the verification token of a new subscription."""

    token: str


class Delivery(msgspec.Struct, frozen=True):
    """What one body says: one event, or two where a key changed, and what the ack repeats of it."""

    events: tuple[Event, ...]
    details: AckDetails
    changed_tables: tuple[str, ...] = ()
    """Tables that were changed themselves, as it says: people may call them something else by now."""


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
    content: bool = False
    """Whether it asks for the texts behind its records."""
    pulled: bool = False
    """Whether its changes are taken from an outbox that loses none: polls are in no hurry then."""


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


class Reader(Protocol):
    """How a source reads single records.  Every method raises SourceUnavailable or SourceRefused, and those that read
    a record also RecordUnreadable or RecordImpossible.
    """

    async def read(self, record: RecordKey) -> Truth:
        """Read a record, batched with the calls of the same few milliseconds."""
        ...

    async def refresh(self, record: RecordKey) -> Truth:
        """Read a record for somebody who can wait: where requests are counted, all others go first."""
        ...

    async def probe(self) -> None:
        """Ask the cheapest question that the source answers."""
        ...

    async def close(self) -> None:
        """Close the connections; who still waits is told so.  Idempotent."""
        ...


class Source(ABC):
    """One source of truth.  One instance for the process."""

    name: SourceName
    times_are_minutes: bool
    """Whether a time without seconds says nothing about them."""
    edits_move_times: bool
    """Whether all that webhooks tell of moves a record's time of change (Notion's formulas and rollups move none)."""
    ids_are_global: bool
    """Whether an id names one record across tables (Notion), so that a record that moved has one copy."""

    one_budget: bool = False
    """Whether all nodes together may ask only so much, so that one of them works on its records (Notion)."""
    requests_per_second: float | None = None
    """How much may be asked, where that is counted."""
    no_credentials: tuple[str, str]
    """What is said where the truth is asked for without credentials, and what to do."""
    reader: Reader | None = None
    """None without credentials."""
    changes: Changes | None = None
    """How the reconciler reads it; None without credentials."""

    @property
    def has_credentials(self) -> bool:
        """Whether truth can be read.  Without, every verification is ``skipped``."""
        return self.reader is not None

    @property
    @abstractmethod
    def credential_warning(self) -> str | None:
        """Say what is doubtful about the credentials, for start-up and ``/readyz``; None when nothing is."""

    def table(self, written: str, *, where: str = "query") -> str:
        """Give a table's normal name for what a person wrote, in a request's query or path.

        Raises InvalidParameter when it cannot be a table's name.
        """
        if not is_name(written):
            raise InvalidParameter("table", NAME_EXPECTED, where=where)
        return self.normal_table(written)

    @abstractmethod
    def normal_table(self, written: str) -> str:
        """Give the normal name for what can be a table's (``users`` is ``public.users``; ids have dashes)."""

    @abstractmethod
    def key(self, table: str, id_: str) -> RecordKey:
        """Name a record for what a person wrote, both parts in their normal form.

        Raises InvalidParameter when it cannot be a record's name.
        """

    # What arrives

    @abstractmethod
    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return when the sender is authenticated over the raw bytes, or when verification is off.

        Raises InvalidSignature otherwise.  ``now`` is epoch seconds, for timestamp tolerance.
        """

    @abstractmethod
    def decode(self, headers: Mapping[str, str], body: bytes) -> Decoded:
        """Turn a body into events, filtered ones with their reason in ``ignored``.

        Raises InvalidJson, InvalidSource, or InvalidFields with every field that is wrong.
        """

    @abstractmethod
    def columns_of(self, event: Event) -> Columns | None:
        """Give the record's columns as the event's body has them; None when it carries none."""

    def versions_of(self, event: Event) -> tuple[Columns, ...]:
        """Give every version of the record that the event's body shows: as it was before, and as it was then."""
        columns = self.columns_of(event)
        return () if columns is None else (columns,)

    # What is true

    async def read(self, record: RecordKey) -> Truth:
        """Read the record from the source.

        The truth of a record that is there has its name as the source writes it, perhaps in another spelling.
        Raises SourceUnavailable, SourceRefused, RecordUnreadable or RecordImpossible.
        """
        return await self.readable().read(record)

    async def refresh(self, record: RecordKey) -> Truth:
        """Read the record as ``read`` does, after whatever else wants to ask.  Raises as ``read``."""
        return await self.readable().refresh(record)

    async def complete(self, truth: Truth, asker: Asker = "change") -> Truth:  # noqa: ARG002  of what has no text behind it
        """Give a truth whole that lacks only the text behind its record: that is read, where it may be.

        It is labelled with the truth's own time of change.  Raises as ``read``.
        """
        return truth

    async def look_at_table(self, table: str, *, anew: bool = False) -> None:  # noqa: B027  rows have no such names
        """Look what people call a table, where the source has such names, and tell; after whatever else wants to ask.

        ``anew``: also where that was done lately.  Raises SourceError.
        """

    async def probe(self) -> None:
        """Return when the source answered.  Raises as ``read``."""
        await self.readable().probe()

    async def close(self) -> None:
        """Close the connections.  Idempotent."""
        if self.reader is not None:
            await self.reader.close()

    def readable(self) -> Reader:
        """Give what reads records.  Raises SourceRefused without credentials, with what to set."""
        if self.reader is None:
            message, hint = self.no_credentials
            raise SourceRefused(message, hint=hint)
        return self.reader

    # What records look like

    def truth_columns(self, truth: Truth) -> Columns | None:
        """Decode the columns of a truth, for steps and handlers; None when the record is absent."""
        return None if truth.data is None else decode_columns(truth.data)

    @abstractmethod
    def agree(self, truth: Columns, claimed: Columns) -> bool:
        """Whether the columns that an event claims are those that the source has, compared as values, not as text."""

    @abstractmethod
    def newer_than_truth(self, event: StoredEvent, truth: Truth) -> bool:
        """Whether the event claims a later change than the source knows of (false where nothing tells)."""

    @abstractmethod
    def changed_at(self, record: RecordKey, columns: Columns) -> str | None:
        """Give the record's own time of its last change, as the source writes it, where it has one."""

    def is_called(self, table: str, columns: Columns) -> bool:  # noqa: ARG002  where a row has one table
        """Whether a record with these columns may be asked for under this table's name (ids are global)."""
        return False

    def limits(self, data: bytes) -> Limits:  # noqa: ARG002  of what is copied whole
        """Say what the JSON of a copy cannot hold of its record."""
        return Limits()

    def content_state(self, copy: Copy) -> ContentState:  # noqa: ARG002  of what has no text behind it
        """Say how it stands with the text behind a record."""
        return "off"

    def content_refused(self, table: str) -> str | None:  # noqa: ARG002  of what has no text behind it
        """Say why the texts behind a table's records are not given, and what to do; None where they are."""
        return None

    def same_content(self, copy: Copy, truth: Truth) -> bool:  # noqa: ARG002  of what has no text behind it
        """Whether a copy holds the text that a read of its record gave, whatever their fingerprints say."""
        return True

    @abstractmethod
    def title(self, record: RecordKey, columns: Columns) -> str:
        """Give what people call the record; the empty text where nothing says it."""

    @abstractmethod
    def shown(self, columns: Columns) -> dict[str, str | None]:
        """Give what a person reads of each column or property, by its name; None where it is empty."""

    @abstractmethod
    def fields(self, record: RecordKey, columns: Columns, content: Content | None) -> Fields:
        """Give the text by which search finds the record: of the configured columns or properties, and the text behind
        it, where its table asks for that.
        """


Tickets = Callable[[], Awaitable[int]]
"""Where a reader takes the ticket of a read (the store): later reads have larger tickets.  Raises StoreUnavailable."""


async def unordered() -> int:
    """Give whoever keeps no copy a ticket: of its reads none is later than another."""
    return 0


Labels = Callable[[str, str], Awaitable[None]]
"""Who is told what people call a table: the table, and its label as the source writes it.  Raises nothing."""


async def unlabelled(table: str, label: str) -> None:
    """Hear of labels where nobody shows any."""
