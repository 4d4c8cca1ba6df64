"""Destinations: what each is sent, and how it stands."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookbridge.api.changes import Seq
from hookbridge.api.fields import Cursor, Limit, NextCursor, Time, means
from hookbridge.api.records import Named

State = Literal["running", "behind", "down", "refused", "stopped", "paused"]


class SnapshotBegin(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="snapshot_begin"):
    """Everything is told from here on, until ``snapshot_end``."""

    seq: Seq


class DestinationState(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sees of a destination."""

    name: Annotated[str, means("As `[[destinations]]` has it.", "search")]
    url: Annotated[str, means("Where it is: without its path and query, which may be secret.", "https://example.com")]
    state: Annotated[
        State,
        means(
            "`running`, or `behind`: its place was gone, and it is told everything anew, until `snapshot_end`;"
            " `down`: it does not take what is sent, and is tried again; `refused`: it answers 401 or 403,"
            " and is tried again; `stopped`: it answered 410, rejected three changes in a row, or no more rejected ones"
            " are kept: it is not tried again before it is resumed; `paused`: an operator paused it.",
            "running",
        ),
    ]
    reason: Annotated[str | None, means("Why it is in this state; null while it runs.", None)]
    since: Annotated[Time | None, means("Since when it is; null while it runs.", None)]
    failures: Annotated[int, means("How often it did not take what comes next.", 0)]
    next_try_at: Annotated[Time | None, means("When it is tried again; null where it is not, or runs.", None)]
    snapshot: Annotated[bool, means("Whether everything is told to it now, because it began or was behind.", False)]
    seq: Annotated[int | None, means("The last change that it has taken; null before the first.", 1234)]
    changes_behind: Annotated[
        int | None,
        means("So many changes came since then, each of a record that it is told of or not; null before the first.", 0),
    ]
    behind_seconds: Annotated[
        float, means("The age of the oldest change that it has not taken; in a snapshot, since that began.", 0.0)
    ]
    delivered: Annotated[int, means("Changes that it has taken.", 1234)]
    delivered_at: Annotated[Time | None, means("When it took the last ones.")]
    rejected: Annotated[
        int,
        means("Changes that it does not take though it takes others, and has not taken since: they are kept.", 0),
    ]
    replaying: Annotated[bool, means("Whether those are sent to it again now.", False)]


class DestinationList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    destinations: Annotated[tuple[DestinationState, ...], means("In the order of the configuration.")]


class DestinationPath(msgspec.Struct, frozen=True, kw_only=True):
    """Which one."""

    name: Annotated[str, means("As `[[destinations]]` has it.", "search")]


class RewindBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a destination is to go on."""

    to: Annotated[
        str,
        means("`start`: everything is told anew; `now`: from now on; or a `seq`: what changed behind it.", "start"),
    ]


class RejectionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of what a destination has rejected."""

    limit: Limit = 100
    cursor: Cursor | None = None


class RejectedChange(Named, frozen=True, kw_only=True):
    """A change that a destination does not take, though it takes others."""

    seq: Seq
    reason: Annotated[str, means("What it answered.", "it answered 422: name is too long")]
    rejected_at: Annotated[Time, means("When it was rejected, or was rejected again.")]


class RejectedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination has rejected, of each record the last change, until it takes a later one."""

    rejected: Annotated[tuple[RejectedChange, ...], means("The newest change first.")]
    next_cursor: NextCursor


RejectedSeqs = Annotated[
    tuple[Annotated[int, Meta(ge=0, le=10**18 - 1)], ...],
    Meta(min_length=1, max_length=500),
    means("Only these: the `seq` of each in the list of what it has rejected.", [7, 8, 9]),
]


class DismissChangesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rejected changes to give up: `seqs`, or `all`."""

    seqs: RejectedSeqs | None = None
    all: Annotated[bool, means("Every change that it has rejected by now; goes with no `seqs`.")] = False


class DismissedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """How many rejected changes are given up."""

    dismissed: Annotated[int, means("How many of them it had rejected: they are forgotten.", 1)]


class TrialAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination made of a message without changes."""

    taken: Annotated[bool, means("Whether it answered 2xx.", True)]
    reason: Annotated[str | None, means("Why it did not take it; null where it did.", None)]
