"""What waits for the text behind its record, and how long that will take."""

import pytest
from msgspec.structs import replace

from hookbridge.model import Copy, RecordKey, Truth, textless
from hookbridge.reconcile.estimate import SURE_OF, left_seconds
from hookbridge.reconcile.findings import kind_of
from hookbridge.reconcile.waiting import lacking, waits, was_refused
from hookbridge.store.values import Standing

PAGE, SHOWN = b"p" * 16, b"what is shown..."
EDITED, LATER = "2026-01-01T15:00:00.000Z", "2026-01-01T15:01:00.000Z"
RECORD = RecordKey("notion", "table", "page")
LISTED = Truth(
    record=RECORD, data=b"{}", changed_at=EDITED, fingerprint=PAGE + SHOWN, partial=True, lacks_content=True, ticket=7
)
WAITING = Standing(
    known=True, present=True, fingerprint=PAGE, changed_at=EDITED, ticket=7, verified=True, dirty=False, claimed=False
)
STORED = replace(WAITING, fingerprint=b"w" * 16 + SHOWN)


@pytest.mark.parametrize(
    ("standing", "kind"),
    [
        (WAITING, None),
        (STORED, None),
        (replace(WAITING, fingerprint=b"x" * 16), "differing"),
        (replace(WAITING, changed_at=LATER), "differing"),
        (replace(STORED, fingerprint=b"w" * 16 + b"t" * 16), "differing"),
        (replace(WAITING, present=False), "missing"),
    ],
)
def test_a_copy_that_waits_for_its_text_differs_only_where_its_page_does(standing: Standing, kind: str | None) -> None:
    assert kind_of(LISTED, standing) == kind
    assert waits(LISTED, standing) == (standing == WAITING)


@pytest.mark.parametrize("listed", [LISTED, replace(LISTED, fingerprint=SHOWN, lacks_content=False)])
def test_what_was_refused_differs_and_is_known_until_a_listing_shows_something_else(listed: Truth) -> None:
    refused = replace(WAITING, fingerprint=b"w" * 16 + textless(SHOWN))
    assert (kind_of(listed, refused), was_refused(listed, refused)) == ("differing", True)
    edited = replace(listed, fingerprint=listed.fingerprint[:-16] + b"another's hash!!")
    assert (kind_of(edited, refused), was_refused(edited, refused)) == ("differing", False)
    assert not any(was_refused(listed, one) for one in (WAITING, STORED, replace(refused, present=False)))


def test_what_a_read_of_the_record_shows_whole_waits_for_nothing() -> None:
    whole = replace(LISTED, partial=False, lacks_content=False, fingerprint=b"w" * 16 + SHOWN)
    assert not waits(whole, WAITING)
    assert (kind_of(whole, STORED), kind_of(whole, WAITING)) == (None, "differing")


def test_a_waiting_copy_is_completed_as_the_truth_that_it_is_of() -> None:
    copy = Copy(record=RECORD, data=b"{}", changed_at=EDITED, fingerprint=PAGE, ticket=7)
    assert lacking(copy) == replace(LISTED, fingerprint=PAGE)


@pytest.mark.parametrize(
    ("left", "done", "elapsed", "per_second", "seconds"),
    [
        (0, 0, 0.0, None, 0.0),
        (10_000, 0, 0.0, 3.0, 3333.3),
        (10_000, SURE_OF - 1, 1.0, 3.0, 3333.3),
        (9_000, 1_000, 500.0, 3.0, 4500.0),
        (10, 0, 5.0, None, None),
    ],
)
def test_an_estimate_goes_by_what_was_done_and_before_that_by_what_may_be_done(
    left: int, done: int, elapsed: float, per_second: float | None, seconds: float | None
) -> None:
    assert left_seconds(left, done, elapsed, per_second) == seconds
