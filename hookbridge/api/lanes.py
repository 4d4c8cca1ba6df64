"""How the lane of a source stands, and the token that Notion signs with."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookbridge.api.fields import Hint, Source, Table, Time, means

State = Literal["running", "down", "refused", "paused", "standby"]


class WaitingTable(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sees of a table that cannot be read now."""

    table: Annotated[Table, Meta(examples=["public.orders"])]
    reason: Annotated[
        str,
        means(
            "What its source says.",
            "Supabase answered 404 PGRST205: Could not find the table 'public.orders' in the schema cache",
        ),
    ]
    hint: Annotated[Hint, Meta(examples=["check the table's name and schema; is it exposed by the Data API?"])]
    since: Annotated[Time, means("Since when it cannot be read.")]
    next_try_at: Annotated[Time, means("When it is asked for again.")]


class LaneSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger may know of a lane."""

    source: Source
    state: Annotated[
        State,
        means(
            "`running`, or `down`: the source cannot be reached; `refused`: it refuses our key; `paused`: an operator"
            " paused it; `standby`: another node works on it, because only one may.",
            "running",
        ),
    ]


class LaneState(LaneSummary, frozen=True, kw_only=True):
    """What an operator sees of a lane."""

    reason: Annotated[str | None, means("Why it is in this state; null while it runs.", None)]
    since: Annotated[Time | None, means("Since when it does not run; null while it runs.", None)]
    next_probe_at: Annotated[
        Time | None, means("When its source is asked next; null where nothing has to be waited for.", None)
    ]
    queued: Annotated[int, means("Records that wait for a worker.", 0)]
    busy: Annotated[int, means("Workers that have a record.", 1)]
    has_credentials: Annotated[bool, means("Whether the source can be read.", True)]
    waiting: Annotated[tuple[WaitingTable, ...], means("Tables that cannot be read now, while others can.")]


class VerificationToken(msgspec.Struct, frozen=True, kw_only=True):
    """What to paste into the form of the webhook subscription in Notion."""

    verification_token: Annotated[str, means("Paste it into the form of the subscription.", "secret_from_notion")]
    learnt_at: Annotated[Time | None, means("When it came; null for one that an earlier version kept.")]
    learnt_from: Annotated[str | None, means("The address that it came from, where that is known.", "203.0.113.7")]
    confirmed: Annotated[
        bool, means("Whether an operator has said that it is Notion's, or the environment names it.", False)
    ]
