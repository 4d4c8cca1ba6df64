"""The guide's statistics: derived from the counters, with every field of the guide even when nothing happened."""

import msgspec
import pytest

from hookbridge.books import statistics
from hookbridge.model import Books
from hookbridge.store.values import Totals

EMPTY = Books(received=0, open=0, applied=0, coalesced=0, ignored=0, dead=0)


def test_without_any_event_all_fields_are_there_and_nothing_failed() -> None:
    shown = msgspec.to_builtins(statistics(Totals(books=EMPTY), queue_depth={}, oldest_open_age=None))
    assert shown == {
        "total_processed": 0,
        "total_failed": 0,
        "total_retries": 0,
        "success_rate": 1.0,
        "average_processing_time_seconds": 0.0,
        "events_by_type": {"insert": 0, "update": 0, "delete": 0},
        "events_by_source": {"supabase": 0, "notion": 0},
        "books": {"received": 0, "open": 0, "applied": 0, "coalesced": 0, "ignored": 0, "dead": 0},
        "books_balanced": True,
        "duplicates": 0,
        "verification": {"verified": 0, "superseded": 0, "absent": 0, "contradicted": 0, "skipped": 0},
        "queue_depth": {},
        "oldest_open_event_age_seconds": None,
        "webhook_loss": {},
        "freshness": {},
    }


def test_every_number_comes_from_its_counter() -> None:
    totals = Totals(
        books=Books(received=21, open=1, applied=6, coalesced=2, ignored=8, dead=4),
        duplicates=5,
        processed=8,
        failed=4,
        retries=7,
        changes=10,
        processing_seconds=2.5,
        by_type={"update": 3, "page.locked": 1},
        by_source={"notion": 9},
        by_verification={"verified": 5, "absent": 1},
    )
    shown = statistics(totals, queue_depth={"notion": 3}, oldest_open_age=1.23456)
    assert (shown.total_processed, shown.total_failed, shown.total_retries) == (8, 4, 7)
    assert shown.success_rate == pytest.approx(2 / 3, abs=1e-6)
    assert shown.average_processing_time_seconds == 0.25
    assert shown.events_by_type == {"insert": 0, "update": 3, "delete": 0, "page.locked": 1}
    assert shown.events_by_source == {"supabase": 0, "notion": 9}
    assert shown.verification == {"verified": 5, "superseded": 0, "absent": 1, "contradicted": 0, "skipped": 0}
    assert (shown.duplicates, shown.queue_depth, shown.oldest_open_event_age_seconds) == (5, {"notion": 3}, 1.235)
    assert shown.books_balanced


@pytest.mark.parametrize("name", ["received", "open", "applied", "coalesced", "ignored", "dead"])
def test_an_event_that_is_nowhere_or_twice_shows(name: str) -> None:
    books = msgspec.structs.replace(EMPTY, **{name: 1})
    assert not books.balanced()
    assert not statistics(Totals(books=books), queue_depth={}, oldest_open_age=None).books_balanced


def test_an_age_is_never_negative() -> None:
    assert statistics(Totals(books=EMPTY), queue_depth={}, oldest_open_age=-0.5).oldest_open_event_age_seconds == 0.0
