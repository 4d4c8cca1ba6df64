"""The guide's statistics and the books, from the store's counters.

Everything here is derived: a number that is shown twice comes from one counter.
"""

from __future__ import annotations

import msgspec

from hookbridge.model import Books, Verification
from hookbridge.store.values import Totals

GUIDE_TYPES = ("insert", "update", "delete")
GUIDE_SOURCES = ("supabase", "notion")


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``GET /api/v1/webhooks/stats``: the guide's seven fields, then ours."""

    total_processed: int
    """Events applied or coalesced."""
    total_failed: int
    """Events that became dead letters, replayed ones counted each time."""
    total_retries: int
    """Attempts after the first one of a change."""
    success_rate: float
    """Processed of processed and failed; 1 while there is neither."""
    average_processing_time_seconds: float
    """Of one change, from the start of its first attempt to its settlement."""
    events_by_type: dict[str, int]
    """Events received, by type."""
    events_by_source: dict[str, int]
    """Events received, by source."""
    books: Books
    """Where every event is that was ever received."""
    books_balanced: bool
    """Whether they add up."""
    duplicates: int
    """Events that were known already; they are not among those received."""
    verification: dict[str, int]
    """Changes, by what reading the source said."""
    queue_depth: dict[str, int]
    """Claimed records waiting for a worker, by source."""
    oldest_open_event_age_seconds: float | None
    """How long the record has waited that waits longest; null while none does."""
    webhook_loss: dict[str, WebhookLoss]
    """By ``source:table``, for the tables that the reconciler follows."""
    freshness: dict[str, Freshness]
    """By ``source:table``, for the same ones."""


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How old what is known of a followed table can be."""

    poll_age_seconds: float | None
    """Since the last complete poll began; None before the first, and for a table that is only swept."""
    sweep_age_seconds: float | None
    """Since the last complete sweep began."""
    lag_seconds: float | None
    """From the source's time of the newest change to its application; None before the first."""


class WebhookLoss(msgspec.Struct, frozen=True, kw_only=True):
    """Of the changes of a table: how many a webhook announced, and how many only the reconciler found."""

    announced: int
    """Changes that a webhook announced."""
    missed: int
    """Changes that only the reconciler found."""
    share: float
    """Missed of both; 0 while there is neither."""


def statistics(
    totals: Totals,
    *,
    queue_depth: dict[str, int],
    oldest_open_age: float | None,
    freshness: dict[str, Freshness] | None = None,
) -> Statistics:
    """Make the statistics of the counters."""
    ended = totals.processed + totals.failed
    return Statistics(
        total_processed=totals.processed,
        total_failed=totals.failed,
        total_retries=totals.retries,
        success_rate=round(totals.processed / ended, 6) if ended else 1.0,
        average_processing_time_seconds=(
            round(totals.processing_seconds / totals.changes, 6) if totals.changes else 0.0
        ),
        events_by_type=dict.fromkeys(GUIDE_TYPES, 0) | totals.by_type,
        events_by_source=dict.fromkeys(GUIDE_SOURCES, 0) | totals.by_source,
        books=totals.books,
        books_balanced=totals.books.balanced(),
        duplicates=totals.duplicates,
        verification={one.value: totals.by_verification.get(one.value, 0) for one in Verification},
        queue_depth=queue_depth,
        oldest_open_event_age_seconds=None if oldest_open_age is None else round(max(oldest_open_age, 0.0), 3),
        freshness=freshness or {},
        webhook_loss=webhook_loss(totals),
    )


def webhook_loss(totals: Totals) -> dict[str, WebhookLoss]:
    """Give the loss by ``source:table``."""
    return {name: _loss(totals, name) for name in sorted(totals.announced.keys() | totals.missed.keys())}


def _loss(totals: Totals, name: str) -> WebhookLoss:
    announced, missed = totals.announced.get(name, 0), totals.missed.get(name, 0)
    share = round(missed / (announced + missed), 6) if announced + missed else 0.0
    return WebhookLoss(announced=announced, missed=missed, share=share)
