"""The guide's statistics and the books, from the store's counters.

Everything here is derived: a number that is shown twice comes from one counter.
"""

from __future__ import annotations

from hookbridge.api.stats import Freshness, Statistics, WebhookLoss
from hookbridge.model import Verification
from hookbridge.store.values import Totals

GUIDE_TYPES = ("insert", "update", "delete")
GUIDE_SOURCES = ("supabase", "notion")


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
