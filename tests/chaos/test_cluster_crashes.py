"""``scripts/crash-test --nodes 3`` in short: some blows of each kind, and that what looks at them would find it out."""

import math

import pytest

from scripts.crashes.checks import Acknowledged
from scripts.crashes.cluster import audit
from scripts.crashes.cluster.audit import Found, History, Snapshot

BOOKS = {"received": 9, "open": 2, "applied": 4, "coalesced": 2, "ignored": 1, "dead": 0}


def seen(
    *, counters: dict[str, int] = BOOKS, wrong: int = 0, is_open: int = 2, dead: int = 0, ticket: int = 1,
    number: int | None = 1,
) -> Snapshot:  # fmt: skip
    """A moment at which everything is right, or all but something."""
    copies = {"supabase:public.users:1": (ticket, number)}
    return Snapshot(counters=counters, wrong={"odd rows": wrong}, open=is_open, dead=dead, copies=copies)


def test_a_moment_at_which_everything_is_right_is_no_finding() -> None:
    assert seen().broken() == []
    assert seen().uncounted(9) == []


@pytest.mark.parametrize(
    ("moment", "says"),
    [
        (seen(wrong=3), "3 odd rows"),
        (seen(counters=BOOKS | {"received": 10}), "do not balance"),
        (seen(is_open=3), "there are 3"),
        (seen(counters=BOOKS | {"dead": 1, "received": 10}, dead=1), "1 events are dead letters"),
    ],
)
def test_what_is_half_stored_or_does_not_add_up_is_told(moment: Snapshot, says: str) -> None:
    assert any(says in line for line in moment.broken())


def test_more_acknowledged_than_was_ever_received_is_told() -> None:
    assert seen().uncounted(10) != []


@pytest.mark.parametrize(
    ("then", "now", "went_back"),
    [
        ((5, 3), (5, 3), False),
        ((5, 3), (6, 3), False),
        ((5, 3), (6, None), False),
        ((5, 3), (4, 4), True),
        ((5, 3), (6, 2), True),
        ((5, None), (6, 7), True),
    ],
)
def test_a_copy_that_goes_back_is_told(
    then: tuple[int, int | None], now: tuple[int, int | None], *, went_back: bool
) -> None:
    history = History()
    assert history.broken(seen(ticket=then[0], number=then[1])) == []
    assert bool(history.broken(seen(ticket=now[0], number=now[1]))) == went_back


def told(id_: int, sent_at: float, acknowledged_at: float, record: str = "supabase:1") -> Acknowledged:
    return Acknowledged(id_, bytes([id_]), sent_at, acknowledged_at, record)


def ended(*ids: int, at: float | None = math.inf) -> dict[int, Found]:
    return {id_: Found(bytes([id_]), at) for id_ in ids}


def test_an_event_that_is_not_there_is_lost_unless_retention_may_have_removed_it() -> None:
    acknowledged = [told(1, 10, 11), told(2, 20, 21), told(3, 20, 21)]
    assert audit.lost(ended(3), acknowledged, kept_since=15.0) == ([2], 1)


def test_an_event_under_another_identity_is_lost_however_old_it_is() -> None:
    assert audit.lost({1: Found(b"other", None)}, [told(1, 10, 11)], kept_since=15.0) == ([1], 0)


@pytest.mark.parametrize(
    ("events", "later", "out_of_order"),
    [
        (ended(1, at=5.0) | ended(2, at=5.0), told(2, 2, 3), False),
        (ended(1, at=6.0) | ended(2, at=5.0), told(2, 2, 3), True),
        (ended(1, at=6.0) | ended(2, at=5.0), told(2, 0.5, 3), False),  # under way at once
        (ended(1, at=6.0) | ended(2, at=5.0), told(2, 2, 3, "supabase:2"), False),
        (ended(1, at=None) | ended(2, at=None), told(2, 2, 3), False),
        (ended(1, at=None) | ended(2, at=5.0), told(2, 2, 3), True),
    ],
)
def test_a_later_event_that_is_settled_first_is_told(
    events: dict[int, Found], later: Acknowledged, *, out_of_order: bool
) -> None:
    assert bool(audit.out_of_order(events, [told(1, 0, 1), later])) == out_of_order


def test_an_event_with_a_smaller_number_than_one_that_was_acknowledged_before_is_told() -> None:
    assert audit.out_of_order(ended(1, 2, at=None), [told(2, 0, 1), told(1, 2, 3)])
