"""How the followed tables stand, a pass over one, and the lines of a proof."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hookbridge.api.errors import Code
from hookbridge.api.fields import Hint, Message, OfSource, OfTable, Source, Table, TableLabel, Time, means
from hookbridge.api.stats import LagSeconds

State = Literal["backfilling", "following", "failing", "unconfirmed"]
PassKind = Literal["poll", "sweep"]

Total = Annotated[
    int | None, means("How many records the source says that there are; null where it does not say.", 1200)
]


SecondsLeft = Annotated[float | None, means("About how long the rest will take; null where nothing tells yet.", 2940.0)]


class ContentProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the texts behind a table's records are read, of a database with `content = true`."""

    stored: Annotated[int, means("Copies that have their text.", 1200)]
    total: Annotated[int, means("Copies that ask for one; those without it wait, and are of use meanwhile.", 10000)]
    left_seconds: SecondsLeft
    refused: Annotated[str | None, means("Why the source gives no texts, and what to do; null where it does.", None)]


class TableStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One followed table."""

    source: Source
    table: Table
    table_label: TableLabel | msgspec.UnsetType = msgspec.UNSET
    state: Annotated[
        State,
        means("`unconfirmed`: too many records are gone at once, their deletions wait for an operator.", "following"),
    ]
    reason: Annotated[str | None, means("Why; null where there is nothing to say.", None)]
    listed: Annotated[int, means("Records that the sweep under way has listed, or that the last one did.", 1200)]
    total: Total
    watermark: Annotated[
        str | None, means("The latest time of change that the polls have seen.", "2026-01-01T15:00:00+00:00")
    ]
    last_poll_at: Annotated[
        Time | None, means("When the last complete poll began: what changed before has been found.")
    ]
    last_sweep_at: Annotated[Time | None, means("When the last complete sweep began: the same, for everything.")]
    poll_gap_seconds: Annotated[
        float | None, means("The gap to the next poll as it is now; null for a table that is only swept.", 30.0)
    ]
    lag_seconds: LagSeconds
    content: Annotated[
        ContentProgress | None, means("How far its texts are read; null where it asks for none.", None)
    ] = None


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """What the reconciler follows."""

    tables: Annotated[tuple[TableStatus, ...], means("Every table that is listed in the settings.")]


class ReconcileBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which pass to run now."""

    source: Source
    table: Table
    kind: Annotated[PassKind, means("`poll` for what changed since the watermark, `sweep` for everything.", "poll")] = (
        "poll"
    )
    since: Annotated[
        str | None,
        means("Begin the poll at this time (ISO 8601, from the year 2000 until now) instead of the watermark."),
    ] = None
    confirm: Annotated[bool, means("With a sweep: what is gone is really gone, however much that is.")] = False


class PassResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass found."""

    listed: Annotated[int, means("How many records the listing has shown.", 1200)]
    found: Annotated[int, means("Records that differed from their copies.", 3)]


class VerifyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to compare; nothing narrows to everything that is followed."""

    source: OfSource = None
    table: OfTable = None
    heal: Annotated[bool, means("Raise an event for each difference, and look again when it is settled.")] = False
    content: Annotated[
        bool,
        means(
            "Read and compare every page's body, of databases with `content = true`: one request each. Without, bodies"
            " are compared by the time of their edit, which costs nothing."
        ),
    ] = False


# The lines of a proof


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="progress"):
    """How far the comparison of a table is."""

    source: Source
    table: Table
    table_label: TableLabel
    compared: Annotated[int, means("How many records were compared so far.", 600)]
    total: Total
    left_seconds: SecondsLeft


class TableProof(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="table"):
    """What the comparison of one table showed."""

    source: Source
    table: Table
    table_label: TableLabel
    as_of: Annotated[Time, means("The copy is as described at this time, or at a later one.")]
    equal: Annotated[int, means("How many records are the same on both sides.", 1199)]
    differing: Annotated[int, means("How many records differ.", 1)]
    missing: Annotated[int, means("In the source, not in the copy.", 0)]
    extra: Annotated[int, means("In the copy, not in the source.", 0)]
    cut: Annotated[
        int,
        means("Equal as far as they could be read, which is not all of them (relations of very many pages).", 0),
    ]
    waiting: Annotated[
        int, means("Equal but for a body that is still to be read, or is not given (`content = true`).", 0)
    ]
    keys: Annotated[
        dict[str, tuple[str, ...]],
        means("The ids of what is not equal, by kind; the first 1,000 of each.", {"differing": ["42"]}),
    ]
    titles: Annotated[
        dict[str, str],
        means(
            "What people call those of `keys`, by id, as their copies have it: what is `missing` has none there.",
            {"42": "Ada Lovelace"},
        ),
    ]
    healed: Annotated[int, means("Records that differed and are equal now.", 0)] = 0

    @property
    def agrees(self) -> bool:
        """Whether copy and source are equal: what could not be compared whole is not known to be."""
        return not (self.different or self.cut or self.waiting)

    @property
    def different(self) -> int:
        """How many records are not the same on both sides."""
        return self.differing + self.missing + self.extra


class Unproven(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="unproven"):
    """A table that could not be compared to its end; the others are."""

    source: Source
    table: Table
    table_label: TableLabel
    message: Annotated[str, means("Why.", "Supabase did not answer within 10 s")]
    hint: Hint


class Verdict(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="result"):
    """The last line of a proof."""

    agrees: Annotated[bool, means("Whether copy and source of every table are equal.", False)]
    as_of: Annotated[Time | None, means("Of the oldest of the comparisons; null where none could be finished.")]
    cut: Annotated[int, means("How many records could not be read whole, and are not known to be equal.", 0)]
    waiting: Annotated[int, means("How many wait for their bodies, and are not known to be equal.", 0)]
    tables: Annotated[int, means("How many were compared.", 1)]
    unproven: Annotated[int, means("How many could not be.", 1)]


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """The last line of a proof that could not be finished."""

    error: Code
    message: Message
    hint: Hint


Line = Progress | TableProof | Unproven | Verdict
"""What a proof says."""
