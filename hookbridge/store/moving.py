"""What is carried from one engine to another: rows by kind, column by column, in an order that can be gone on with.

It knows no engine.  Columns have the names of the contract's structs; times are epoch seconds, and what is
true or false is 1 or 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Literal, get_args

import msgspec

from hookbridge.errors import StartupError
from hookbridge.store.values import FeedEnds

Kind = Literal[
    "copies", "feed", "labels", "events", "open", "failures", "stale_keys", "found", "met", "samples", "rejected"
]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which they are carried: what is open refers to events, a finding to those that came after it."""

COLUMNS: dict[Kind, tuple[str, ...]] = {
    "copies": (
        *("source", "table_name", "record_id", "data", "changed_at", "fingerprint", "ticket", "read_at", "verified"),
        *("occurred_at", "title", "content"),
        # Where its words stand among the others (a later change has a larger place), and their tokens; null for none.
        *("words_place", "title_tokens", "properties_tokens", "body_tokens"),
    ),
    "feed": ("seq", "record", "since"),
    "labels": ("source", "table_name", "label"),
    "events": (
        *("id", "source", "record", "type", "format", "origin", "identity", "received_at", "occurred_at", "body"),
        *("headers", "stored_at", "outcome", "reason", "verification", "attempts", "settled_at", "claimed_at"),
        "verified_at",
    ),
    # A row for each open event; ``place`` counts those of a record from 1, the oldest first.
    "open": ("record", "place", "event_id", "source", "since"),
    "failures": ("record", "began_at", "number", "ended_at", "error", "traceback"),
    "stale_keys": ("key",),
    # The newest event when it was found, and whether a webhook has announced it since.
    "found": ("record", "found_at", "last_event", "announced"),
    "met": ("sweep", "record_id"),
    "samples": ("minute", "at", "received", "applied", "open"),
    "rejected": ("destination", "record", "seq", "reason", "rejected_at"),
}

NAMES = frozenset({"record", "table_name", "record_id", "key"})
"""Columns that name something: no character of them can be another one."""

ROWS_MAX = 500
BYTES_MAX = 4 * 1024 * 1024
"""A batch ends behind so many bytes of bodies or data."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of one kind."""

    kind: Kind
    columns: tuple[Sequence[Any], ...]
    """As ``COLUMNS`` names them, each as long as there are rows."""
    cursor: str | None
    """Where it goes on behind them; None when they are the last ones."""
    replaced: int = 0
    """In how many texts something was replaced that the engine they are for cannot hold."""

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.columns[0])


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The note of a move: while ``done`` is false, no node starts."""

    origin: str
    """What is carried."""
    kind: Kind | None = KINDS[0]
    """What comes next; None when all rows are there."""
    cursor: str | None = None
    carried: int = 0
    """How many of this kind are there."""
    replaced: int = 0
    done: bool = False
    """Whether it was found equal."""

    def behind(self, batch: Batch) -> Mark:
        """Give the note of a batch that is there."""
        replaced = self.replaced + batch.replaced
        if batch.cursor is not None:
            return msgspec.structs.replace(
                self, cursor=batch.cursor, carried=self.carried + batch.rows, replaced=replaced
            )
        kind = KINDS[KINDS.index(batch.kind) + 1] if batch.kind != KINDS[-1] else None
        return msgspec.structs.replace(self, kind=kind, cursor=None, carried=0, replaced=replaced)


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """Where what is numbered ends."""

    event: int
    """The largest id."""
    ticket: int
    """At least as large as every one that was given."""
    feed: FeedEnds
    """Who follows it goes on there as here."""
    words_first: int
    """The places of words; 0 where there are none."""
    words_last: int


class Tally(msgspec.Struct, frozen=True):
    """What two engines must have in common when one was made of the other."""

    rows: dict[Kind, int]
    copies: int
    """The sum of the hashes of names, tickets and fingerprints."""
    counters: dict[str, float]
    ends: Ends


def unfinished(value: str | None) -> StartupError | None:
    """Say why no node may start on a store with this note; None where one may."""
    if value is None or msgspec.json.decode(value, type=Mark).done:
        return None
    message = "A data file is being carried into this database"
    return StartupError(message, hint="call python -m hookbridge migrate again, until it has done it")


def hash_of(source: str, table: str, id_: str, ticket: int, fingerprint: bytes) -> int:
    """Hash what a copy is known by, for a sum in which no order counts."""
    text = "\0".join((source, table, id_, str(ticket))).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text + b"\0" + fingerprint, digest_size=7).digest())
