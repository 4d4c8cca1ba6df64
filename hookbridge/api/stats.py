"""The guide's statistics with ours, and what is known of the last hours."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hookbridge.api.fields import Cursor, Limit, NextCursor, Time, means
from hookbridge.model import Books

Hours = Literal[1, 24]

_USERS = "supabase:public.users"

LagSeconds = Annotated[
    float | None,
    means("From the source's time of the newest change to its application; null before the first.", 0.4),
]
OldestOpen = Annotated[
    float | None, means("How long the record has waited that waits longest; null while none does.", 0.8)
]


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How old what is known of a followed table can be."""

    poll_age_seconds: Annotated[
        float | None,
        means("Since the last complete poll began; null before the first, and for a table that is only swept.", 12.5),
    ]
    sweep_age_seconds: Annotated[
        float | None, means("Since the last complete sweep began; null before the first.", 900.0)
    ]
    lag_seconds: LagSeconds


class WebhookLoss(msgspec.Struct, frozen=True, kw_only=True):
    """Of the changes of a table: how many a webhook announced, and how many only the reconciler found."""

    announced: Annotated[int, means("Changes that a webhook announced.", 990)]
    missed: Annotated[int, means("Changes that only the reconciler found.", 10)]
    share: Annotated[float, means("Missed of both; 0 while there is neither.", 0.01)]


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /api/v1/webhooks/stats`: the guide's seven fields, then ours."""

    total_processed: Annotated[int, means("Events applied or coalesced.", 1190)]
    total_failed: Annotated[int, means("Events that became dead letters, replayed ones counted each time.", 2)]
    total_retries: Annotated[int, means("Attempts after the first one of a change.", 7)]
    success_rate: Annotated[float, means("Processed of processed and failed; 1 while there is neither.", 0.998322)]
    average_processing_time_seconds: Annotated[
        float, means("Of one change, from the start of its first attempt to its settlement.", 0.021)
    ]
    events_by_type: Annotated[
        dict[str, int], means("Events received, by type.", {"insert": 400, "update": 700, "delete": 100})
    ]
    events_by_source: Annotated[dict[str, int], means("Events received, by source.", {"supabase": 900, "notion": 300})]
    books: Annotated[Books, means("Where every event is that was ever received.")]
    books_balanced: Annotated[bool, means("Whether they add up.", True)]
    duplicates: Annotated[int, means("Events that were known already; they are not among those received.", 12)]
    verification: Annotated[
        dict[str, int],
        means(
            "Changes, by what reading the source said.",
            {"verified": 1000, "superseded": 60, "absent": 40, "contradicted": 0, "skipped": 0},
        ),
    ]
    queue_depth: Annotated[
        dict[str, int], means("Claimed records waiting for a worker, by source.", {"supabase": 0, "notion": 2})
    ]
    oldest_open_event_age_seconds: OldestOpen
    webhook_loss: Annotated[
        dict[str, WebhookLoss],
        means(
            "By `source:table`, for the tables that the reconciler follows.",
            {_USERS: {"announced": 990, "missed": 10, "share": 0.01}},
        ),
    ]
    freshness: Annotated[
        dict[str, Freshness],
        means(
            "By `source:table`, for the same ones.",
            {_USERS: {"poll_age_seconds": 12.5, "sweep_age_seconds": 900.0, "lag_seconds": 0.4}},
        ),
    ]


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of how long."""

    hours: Annotated[
        Hours, means("Of so many hours: 1 in steps of 10 s (of a minute before the process began), or 24 of 5 min.", 1)
    ] = 1


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One step."""

    at: Annotated[Time, means("When it ended.")]
    step_seconds: Annotated[float, means("How long it was. Between two steps that do not touch, nobody looked.", 10.0)]
    received: Annotated[int, means("How many events were stored.", 42)]
    applied: Annotated[int, means("Applied, or coalesced into a later event that was.", 41)]
    open: Annotated[int, means("How many events were open at its end.", 1)]


class PerSecond(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second, over the last minute."""

    received: Annotated[float, means("How many were stored.", 4.2)]
    applied: Annotated[float, means("How many were applied, or coalesced into a later one that was.", 4.1)]


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What happened lately, to all nodes together."""

    hours: Annotated[Hours, means("Of how many hours.", 1)]
    per_second: Annotated[PerSecond | None, means("Null in the first seconds of the process.")]
    samples: Annotated[tuple[Sample, ...], means("The oldest first.")]


class RejectedQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which refused webhooks to list."""

    endpoint: Annotated[str | None, means("Only those of this path.", "/api/v1/webhooks/supabase")] = None
    reason: Annotated[str | None, means("Only those that were answered with this code.", "invalid_signature")] = None
    limit: Limit = 100
    cursor: Cursor | None = None


class RejectedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was refused."""

    id: Annotated[int, means("Counted since the start of the process.", 7)]
    at: Annotated[Time, means("When it was refused.")]
    endpoint: Annotated[
        str,
        means(
            "The path that it was sent to; `pull` for a message that was taken from the outbox at Supabase.",
            "/api/v1/webhooks/supabase",
        ),
    ]
    status: Annotated[int, means("The HTTP status of the answer.", 401)]
    reason: Annotated[str, means("The code of the answer.", "invalid_signature")]
    message: Annotated[
        str, means("What the sender was told; for a signature, what was wrong with it.", "no signature header")
    ]
    peer: Annotated[
        str | None,
        means(
            "The address that it came from; behind a proxy of `[server] trusted_proxies`, the one that the proxy"
            " heard.",
            "203.0.113.7",
        ),
    ]
    bytes: Annotated[int | None, means("The length of its body, where it was announced.", 412)]


class RejectedPage(msgspec.Struct, frozen=True, kw_only=True):
    """The latest 500 at most, the newest first."""

    rejected: Annotated[tuple[RejectedRequest, ...], means("The newest first.")]
    next_cursor: NextCursor
    node: Annotated[
        str | msgspec.UnsetType, means("The node that refused them, where several share a store.", "worker-1:8080")
    ] = msgspec.UNSET
