"""What the reconciler has read is not read again, unless anybody else has spoken of the record since."""

import pytest

from hookbridge.model import CLAIMED_EVENTS_MAX, Change, Copy, Event, Truth
from hookbridge.sources import carrying
from tests.support.events import copy, event, key, stored

TRUTH = Truth(
    record=key(1), data=b'{"id":1,"n":1.50}', changed_at="2026-01-01T00:00:00Z", fingerprint=b"\xff\x00", ticket=7
)


def found() -> Event:
    return event(1, format=carrying.FORMAT, origin="poll", body=carrying.body_of(TRUTH))


def given(*events: Event, previous: Copy | None = None) -> Change:
    """A change whose events arrived at 100."""
    arrived = tuple(stored(number, one, received_at=100.0) for number, one in enumerate(events, start=1))
    return Change(record=key(1), events=arrived, copy=previous)


def test_a_truth_travels_with_its_event_digit_for_digit() -> None:
    assert carrying.truth_of(given(found()), 100.0) == TRUTH
    assert carrying.truth_of(given(found(), found()), 101.0) == TRUTH


@pytest.mark.parametrize(
    "events",
    [
        (event(1),),
        (event(1), found()),
        (found(), event(1)),
        (found(), event(1, format=carrying.FORMAT, origin="sweep", type="delete")),
        (event(1, format=carrying.FORMAT, origin="replay", body=carrying.body_of(TRUTH)),),
        tuple(found() for _ in range(CLAIMED_EVENTS_MAX)),
    ],
)
def test_the_record_is_read_when_anything_else_was_said_or_may_have_been(events: tuple[Event, ...]) -> None:
    assert carrying.truth_of(given(*events), 100.0) is None


def test_the_record_is_read_when_the_event_waited_long() -> None:
    """In a held lane, or as a dead letter that is replayed."""
    assert carrying.truth_of(given(found()), 100.0 + carrying.CARRIED_SECONDS_MAX) == TRUTH
    assert carrying.truth_of(given(found()), 100.1 + carrying.CARRIED_SECONDS_MAX) is None


def test_the_record_is_read_when_nobody_knows_how_long_the_event_waited() -> None:
    """It came while the clock was ahead."""
    assert carrying.truth_of(given(found()), 99.9) is None
    assert carrying.truth_of(given(found()), 100.0 - 86_400.0) is None


@pytest.mark.parametrize(("ticket", "carried"), [(6, True), (7, True), (8, False)])
def test_the_record_is_read_when_the_copy_is_of_a_later_read(ticket: int, *, carried: bool) -> None:
    change = given(found(), previous=copy(key(1), ticket))
    assert (carrying.truth_of(change, 100.0) is not None) is carried


def test_nothing_is_carried_of_what_is_gone_or_large() -> None:
    assert carrying.body_of(None) == b""
    assert carrying.body_of(Truth(record=key(1), data=None)) == b""
    assert carrying.body_of(Truth(record=key(1), data=b'"' + b"x" * carrying.CARRIED_BYTES_MAX + b'"')) == b""
