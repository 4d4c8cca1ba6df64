"""How taking changes from the outbox at Supabase goes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hookbridge.api.fields import Hint, Time, means

State = Literal["running", "held", "down", "refused"]
Way = Literal["data_api", "database"]


class PullState(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sees of it; figures of the source are as of its last answer."""

    tables: Annotated[tuple[str, ...], means("Whose changes are taken: those with `pull = true`.", ["public.users"])]
    way: Annotated[
        Way,
        means("`data_api`: by the functions that the Data API exposes; `database`: by `SUPABASE_DB_URL`.", "data_api"),
    ]
    state: Annotated[
        State,
        means(
            "`running`, or `held`: our own inbox takes nothing; `down`: the source cannot be asked; `refused`: its"
            " outbox gives us nothing until somebody acts. In each of them changes wait at the source, and none is"
            " lost.",
            "running",
        ),
    ]
    reason: Annotated[str | None, means("Why it is in this state; null while it runs.", None)]
    hint: Hint
    since: Annotated[Time | None, means("Since when it does not run; null while it runs.", None)]
    next_try_at: Annotated[Time | None, means("When it is tried again; null while it runs.", None)]
    waiting: Annotated[
        int | None, means("Changes that wait at the source; null before its first answer since the start.", 0)
    ]
    oldest_seconds: Annotated[float | None, means("For how long the oldest of them has waited; null for none.", None)]
    answered_at: Annotated[Time | None, means("When the source answered last.")]
    taken_at: Annotated[Time | None, means("When changes were taken last; null for none since the start.")]
    taken: Annotated[int, means("Messages that were taken since the start.", 120)]
    refused: Annotated[
        int, means("Those of them that were no events: as webhooks they would have been refused. They are gone.", 0)
    ]
    overflowed: Annotated[
        int,
        means("Changes that the outbox did not keep, because it was full; every pulled table was swept for them.", 0),
    ]
