"""``scripts/crash-test --nodes 3`` in short: some blows of each kind, and that what looks at them would find it out."""

import math
from pathlib import Path

import pytest

from scripts.crashes import cluster
from scripts.crashes.checks import Acknowledged
from scripts.crashes.cluster import audit
from scripts.crashes.cluster.audit import Found, History, Snapshot
from scripts.crashes.result import Options
from tests.support.scripts import needs_linux


@needs_linux
async def test_blows_to_three_nodes_and_their_postgres_leave_every_promise_kept(tmp_path: Path) -> None:
    blows = ("kill the elected", "rolling restart", "Postgres immediate", "connections cut")
    options = Options(
        seed=20_261_128, nodes=3, rounds=len(blows), kills=100, seconds=math.inf, load_seconds=0.4, blows=blows
    )
    result = await cluster.run(tmp_path, options)
    assert result.kept, (result.broken, result.failure)
    assert set(result.blows) == set(blows)
    assert result.acknowledged > 0
    assert result.audits > 0
    assert result.events_with_effect > 0


BOOKS = {"received": 9, "open": 2, "applied": 4, "coalesced": 2, "ignored": 1, "dead": 0}


def seen(
    *,
    counters: dict[str, int] = BOOKS,
    wrong: int = 0,
    is_open: int = 2,
    dead: int = 0,
    copy: tuple[int, int | None] = (1, 1),
    issued: int = 9,
) -> Snapshot:
    """A moment at which everything is right, or all but something."""
    return Snapshot(
        counters=counters,
        wrong={"odd rows": wrong},
        open=is_open,
        dead=dead,
        copies={"supabase:public.users:1": copy},
        issued=issued,
    )


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
        ((5, 3), (10, 3), False),
        ((5, 3), (10, None), False),
        ((5, 3), (4, 4), True),
        ((5, 3), (10, 2), True),
        ((5, 3), (9, 2), False),  # it was being read when the other one was written
        ((5, None), (10, 7), True),
    ],
)
def test_a_copy_that_goes_back_is_told(
    then: tuple[int, int | None], now: tuple[int, int | None], *, went_back: bool
) -> None:
    history = History()
    assert history.broken(seen(copy=then, issued=9)) == []
    assert bool(history.broken(seen(copy=now, issued=20))) == went_back


def test_a_copy_is_held_against_the_newest_that_was_seen_of_it() -> None:
    history = History()
    for copy, issued in (((5, 3), 9), ((8, 2), 10)):
        assert history.broken(seen(copy=copy, issued=issued)) == []
    assert history.broken(seen(copy=(12, 2), issued=20)) != []


@pytest.mark.parametrize(
    ("changes", "known", "broken"),
    [
        ([[1, 2], [3]], {1, 2, 3}, 0),
        ([[1, 2], [3]], {1, 3}, 1),
        ([[*range(150)]], {*range(50, 150)}, 0),
        ([[*range(150)]], {49, *range(51, 150)}, 0),  # of two that were under way at once
        ([[*range(150)]], {*range(51, 150)}, 1),
    ],
)
def test_a_change_without_its_effect_is_told(changes: list[list[int]], known: set[int], broken: int) -> None:
    assert len(audit.without_effect(changes, known)) == broken


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
