"""How old what is known of a followed table can be, and what is said where none is followed."""

from __future__ import annotations

from datetime import datetime

from hookbridge.api.reconcile import TableStatus
from hookbridge.api.stats import Freshness

NOTHING_FOLLOWED = "No table is followed"
NOTHING_HINT = "list tables in [[supabase.tables]] or [[notion.databases]], and set the source's credentials"


def freshness(table: TableStatus, now: float) -> Freshness:
    """Say how old what is known of a table can be.  ``now`` is epoch seconds."""

    def age(at: datetime | None) -> float | None:
        return None if at is None else round(max(now - at.timestamp(), 0.0), 3)

    return Freshness(
        poll_age_seconds=age(table.last_poll_at),
        sweep_age_seconds=age(table.last_sweep_at),
        lag_seconds=None if table.lag_seconds is None else round(table.lag_seconds, 3),
    )
