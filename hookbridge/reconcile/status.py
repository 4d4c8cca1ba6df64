"""What an operator sees of a followed table."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from hookbridge.books import Freshness
from hookbridge.model import SourceName

State = Literal["backfilling", "following", "failing", "unconfirmed"]

NOTHING_FOLLOWED = "No table is followed"
NOTHING_HINT = "list tables in [[supabase.tables]] or [[notion.databases]], and set the source's credentials"


class TableStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One followed table."""

    source: SourceName
    table: str
    state: State
    """``unconfirmed``: too many records are gone at once, their deletions wait for an operator."""
    reason: str | None
    listed: int
    """Records that the sweep under way has listed, or that the last one did."""
    total: int | None
    """How many the source says that there are; None where it does not say."""
    watermark: str | None
    """The latest time of change that the polls have seen."""
    last_poll_at: datetime | None
    """When the last complete poll began: what changed before has been found."""
    last_sweep_at: datetime | None
    """When the last complete sweep began: the same, for everything."""
    poll_gap_seconds: float | None
    """The gap to the next poll as it is now; None for a table that is only swept."""
    lag_seconds: float | None
    """From the source's time of the newest change to its application; None before the first."""

    def freshness(self, now: float) -> Freshness:
        """Say how old what is known of it can be.  ``now`` is epoch seconds."""

        def age(at: datetime | None) -> float | None:
            return None if at is None else round(max(now - at.timestamp(), 0.0), 3)

        return Freshness(
            poll_age_seconds=age(self.last_poll_at),
            sweep_age_seconds=age(self.last_sweep_at),
            lag_seconds=None if self.lag_seconds is None else round(self.lag_seconds, 3),
        )
