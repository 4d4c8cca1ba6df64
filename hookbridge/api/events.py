"""The inbox, as operators see it: events listed and shown, processed again, and dead letters given up."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookbridge.api.fields import (
    Cursor,
    EventType,
    Limit,
    NextCursor,
    OfRecord,
    OfSource,
    OfTable,
    RecordId,
    SendersTime,
    Source,
    Table,
    TableLabel,
    Time,
    Title,
    means,
)
from hookbridge.model import Origin, Outcome, Verification

State = Literal["open", "settled"]
OfType = Annotated[str | None, means("Only events of this type: `insert`, `update` or `delete`.", "update")]
OfOrigin = Annotated[Origin | None, means("Only events that came this way.", "webhook")]
OfOutcome = Annotated[Outcome | None, means("Only events that ended so.", "dead")]
OnlyDead = Annotated[
    Literal["dead"] | None,
    means("Every dead letter, as a replay names them; no other is dismissed.", "dead"),
]
OfReason = Annotated[
    str,
    Meta(min_length=1, max_length=2000),
    means("Only events that ended for this reason; numbers and UUIDs in it do not count.", "KeyError: 'no'"),
]
Words = Annotated[
    str,
    Meta(min_length=1, max_length=1000),
    means("Words that all stand in the record's name, type, reason or body, in any case.", "lovel"),
]


class EventPath(msgspec.Struct, frozen=True, kw_only=True):
    """Names an event."""

    id: Annotated[
        int,
        Meta(ge=0, le=10**18 - 1),
        means("The event's number, as the ack's header `X-Hookbridge-Event` gave it.", 1234),
    ]


class EventScope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events are meant, however they ended."""

    source: OfSource = None
    table: OfTable = None
    record_id: OfRecord = None
    type: OfType = None
    origin: OfOrigin = None
    q: Words | None = None
    reason: OfReason | None = None
    since: Annotated[
        str | None,
        means("Only events that came at this time or later (ISO 8601, UTC without a zone).", "2026-01-01T15:00:00Z"),
    ] = None
    until: Annotated[str | None, means("Only events that came before this time, likewise.", "2026-01-01T16:00:00Z")] = (
        None
    )


class EventFilters(EventScope, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events are meant."""

    outcome: OfOutcome = None


class EventQuery(EventFilters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to list."""

    ids: (
        Annotated[
            str,
            Meta(pattern=r"^[0-9]{1,18}(,[0-9]{1,18}){0,499}$"),  # numbers that fit the store's 64 bits
            means("Only these events, at most 500 numbers with commas; `limit` does not count.", "7,8,9"),
        ]
        | None
    ) = None
    state: Annotated[State | None, means("Only open, or only settled events.", "settled")] = None
    limit: Limit = 100
    cursor: Cursor | None = None


EventIds = Annotated[
    tuple[Annotated[int, Meta(ge=0, le=10**18 - 1)], ...],
    Meta(min_length=1, max_length=500),
    means("Only these events.", [7, 8, 9]),
]


class ReplayBody(EventFilters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to process again: at least one of the filters, or `all`."""

    ids: EventIds | None = None
    all: Annotated[bool, means("Every event; goes with no filter.")] = False
    dry_run: Annotated[bool, means("Only count what matches.")] = False
    limit: Annotated[int, Meta(ge=1, le=10_000), means("So many at most, the newest ones.", 100)] = 1000
    cursor: Annotated[
        Cursor | None, means("`next_cursor` of the replay before: it goes on behind the events of that one.", 1234)
    ] = None


class DismissBody(EventScope, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters to give up: at least one of the filters, or `all`."""

    outcome: OnlyDead = None
    ids: EventIds | None = None
    note: Annotated[
        Annotated[str, Meta(min_length=1, max_length=500)] | None,
        means("Why; it stands before the reason that they had.", "the handler of June is gone"),
    ] = None
    all: Annotated[bool, means("Every dead letter; goes with no filter.")] = False
    dry_run: Annotated[bool, means("Only count what matches.")] = False
    limit: Annotated[int, Meta(ge=1, le=10_000), means("So many at most, the newest ones.", 100)] = 1000
    cursor: Annotated[
        Cursor | None, means("`next_cursor` of the answer before: it goes on behind the events of that one.", 1234)
    ] = None


class DeadOfTable(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters with one reason that are of one table."""

    source: Source
    table: Table
    table_label: TableLabel
    count: Annotated[int, means("How many there are.", 12)]
    first_at: Annotated[Time, means("When the first of them died.")]
    last_at: Annotated[Time, means("When the last of them died.")]


class DeadGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters with one reason."""

    reason: Annotated[
        str,
        means("What their reasons have in common, numbers and UUIDs left out: the filter `reason`.", "no user …"),
    ]
    count: Annotated[int, means("How many there are.", 12)]
    newest: Annotated[int, means("The number of the event that came last.", 1234)]
    newest_reason: Annotated[str, means("The whole reason of that one.", "no user 42")]
    first_at: Annotated[Time, means("When the first of them died.")]
    last_at: Annotated[Time, means("When the last of them died.")]
    tables: Annotated[
        tuple[DeadOfTable, ...], means("Whose they are: the largest first, at most 20, so that there may be more.")
    ]


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters by their reasons."""

    groups: Annotated[tuple[DeadGroup, ...], means("The largest first, at most 100.")]
    complete: Annotated[
        bool, means("Whether that is all: it looks at the newest 20,000 dead letters, and shows 100 groups.", True)
    ]


class EventSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An event, without its body."""

    id: Annotated[int, means("Its number in the inbox.", 1234)]
    source: Source
    table: Table
    table_label: TableLabel
    record_id: RecordId
    title: Title
    type: EventType
    origin: Annotated[Origin, means("How it came.", "webhook")]
    format: Annotated[str, means("Which of the source's formats its body has.", "database_webhook")]
    state: Annotated[State, means("`open` until it has an outcome.", "settled")]
    outcome: Annotated[Outcome | None, means("How it ended; null while it is open.", "applied")]
    reason: Annotated[str | None, means("Why; null where there is nothing to say.", None)]
    verification: Annotated[
        Verification | None, means("What reading the source said; null where it was not read.", "verified")
    ]
    attempts: Annotated[int, means("How many its change took.", 1)]
    occurred_at: SendersTime
    received_at: Annotated[Time, means("When it came.")]
    settled_at: Annotated[Time | None, means("When it ended; null while it is open.")]


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that failed."""

    attempt: Annotated[int, means("From 1.", 1)]
    began_at: Annotated[Time, means("When it began.")]
    ended_at: Annotated[Time, means("When it ended.")]
    error: Annotated[
        str,
        means(
            "What went wrong; of a handler with its name, file and line.", "greet (my_handlers.py:7): KeyError: 'no'"
        ),
    ]
    traceback: Annotated[
        str | None,
        means(
            "Where, as Python tells it: the last 8 KiB, no values of variables; null for what says everything itself.",
            "Traceback (most recent call last):\n"
            '  File "/srv/app/my_handlers.py", line 7, in greet\n'
            "    print(change.columns['no'])\n"
            "          ~~~~~~~~~~~~~~^^^^^^\n"
            "KeyError: 'no'",
        ),
    ] = None


class EventDetail(EventSummary, frozen=True, kw_only=True):
    """An event with its body and its way."""

    stored_at: Annotated[Time | None, means("When it was written to disk; the 202 went out after that.")]
    claimed_at: Annotated[Time | None, means("When a worker took its record.")]
    verified_at: Annotated[
        Time | None, means("When the record had been read from the source; null where it was not (`skipped`).")
    ]
    failures: Annotated[
        tuple[FailedAttempt, ...],
        means("The attempts that failed, the first ones first, also before one that succeeded."),
    ]
    headers: Annotated[
        dict[str, str] | None,
        means(
            "As they came, masked but for those that hold no secret; null for an event that no request brought.",
            {"content-type": "application/json", "x-webhook-signature": "(masked)"},
        ),
    ]
    body: Annotated[
        msgspec.Raw,
        means(
            "As it arrived; null for an event that came without one (a poll, a sweep).",
            {"type": "UPDATE", "schema": "public", "table": "users", "record": {"id": 42}},
        ),
    ]


class EventPageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Events, newest first."""

    events: Annotated[tuple[EventSummary, ...], means("The newest first.")]
    next_cursor: NextCursor
    horizon: Annotated[
        int,
        means(
            "Who follows the list looks again above this number: where several nodes write, an event may appear below"
            " newer ones. At or below it none will.",
            1234,
        ),
    ]


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many events are processed again."""

    matching: Annotated[int | None, means("Of a dry run: how many match; else null.", None)]
    replayed: Annotated[int, means("How many were brought in again.", 1)]
    limit_reached: Annotated[bool, means("There may be more that match.", False)]
    next_cursor: Annotated[
        int | None, means("Pass it as `cursor` to go on with older events; null when there are none.", None)
    ]


class Dismissed(msgspec.Struct, frozen=True, kw_only=True):
    """How many dead letters are given up."""

    matching: Annotated[int | None, means("Of a dry run: how many match; else null.", None)]
    dismissed: Annotated[int, means("How many are ignored from now on.", 1)]
    limit_reached: Annotated[bool, means("There may be more that match.", False)]
    next_cursor: Annotated[
        int | None, means("Pass it as `cursor` to go on with older events; null when there are none.", None)
    ]
