"""The lane's health: each number of the machine, as what happens when, and what follows from it."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from hookbridge.errors import (
    CacheUnavailable,
    RecordImpossible,
    SourceRefused,
    SourceUnavailable,
    StoreUnavailable,
    TableUnreadable,
)
from hookbridge.model import Claim, RecordKey
from hookbridge.pipeline.health import STRUCK_RECORDS_MAX, Health
from hookbridge.pipeline.retry import Fate

NOW = 1000.0
CAP = 60.0
FRESH = Health(probe_max_seconds=CAP)
DOWN = SourceUnavailable("connection refused", hint="look at its status page")
BUSY = SourceUnavailable("rate limited", retry_after_seconds=45.0)
REFUSED = SourceRefused("invalid key")
NO_CACHE = CacheUnavailable("no Redis")
NOT_THERE = TableUnreadable("no such table")

Event = Callable[[Health], Health]


def key(id_: str, table: str = "public.users") -> RecordKey:
    return RecordKey("supabase", table, id_)


def claim(id_: str = "1", table: str = "public.users") -> Claim:
    return Claim(record=key(id_, table), version=1, generation=1, head=1, types={}, events=())


def failed(id_: str, error: Exception = DOWN, at: float = NOW) -> Event:
    return lambda health: health.failed(claim(id_), error, at, listed=False)[0]


def settled(id_: str) -> Event:
    return lambda health: health.settled(key(id_))


def paused(health: Health) -> Health:
    return health.paused("maintenance", NOW)


def unanswered(health: Health) -> Health:
    return health.unanswered(DOWN, health.next_probe_at or NOW)


def stopped(error: Exception, at: float = NOW) -> Event:
    return lambda health: health.stopped(error, at)


def another(asked_at: float) -> Event:
    return lambda health: health.answered_another(asked_at)


answered, resumed, draining = Health.answered, Health.resumed, Health.draining


def after(*events: Event, health: Health = FRESH) -> Health:
    for event in events:
        health = event(health)
    return health


def fate(health: Health, id_: str, error: Exception = DOWN) -> Fate:
    return health.failed(claim(id_), error, NOW, listed=False)[1]


# Which state follows


@pytest.mark.parametrize(
    ("events", "state"),
    [
        pytest.param([], "running", id="a new lane"),
        pytest.param([settled("1")], "running", id="a change came through"),
        pytest.param([failed("1")], "down", id="a source that is down"),
        pytest.param([failed("1", REFUSED)], "refused", id="a key that is refused"),
        pytest.param([failed("1", NO_CACHE)], "down", id="a cache that is down"),
        pytest.param([failed("1", RecordImpossible("bad id"))], "running", id="a record's own failure"),
        pytest.param([failed("1", ValueError("bug"))], "running", id="a stranger's failure"),
        pytest.param([failed("1", NOT_THERE)], "running", id="a table that is not there"),
        pytest.param([stopped(NO_CACHE)], "down", id="stopped from outside"),
        pytest.param([failed("1", REFUSED), failed("2")], "refused", id="the first failure counts"),
        pytest.param([failed("1"), unanswered], "down", id="a probe in vain"),
        pytest.param([failed("1"), answered], "running", id="a probe that is answered"),
        pytest.param([answered], "running", id="an answer when nothing was wrong"),
        pytest.param([paused], "paused", id="paused by an operator"),
        pytest.param([paused, answered], "paused", id="a probe ends no pause"),
        pytest.param([paused, unanswered], "paused", id="nor does one in vain"),
        pytest.param([paused, another(NOW)], "paused", id="nor what others are answered"),
        pytest.param([paused, failed("1")], "paused", id="nor a failure of what was at work"),
        pytest.param([failed("1"), paused], "paused", id="an operator has the last word"),
        pytest.param([failed("1"), paused, resumed], "running", id="and whatever it waited for is forgotten"),
        pytest.param([failed("1"), resumed], "down", id="which ends no outage"),
        pytest.param([draining, failed("1"), answered], "down", id="a lane that drains does not go on"),
        pytest.param([draining, paused, resumed], "paused", id="nor by an operator's word"),
    ],
)
def test_what_happens_gives_the_next_state(events: list[Event], state: str) -> None:
    health = after(*events)
    assert (health.state, health.works) == (state, state == "running")


def test_a_lane_that_drains_works_no_more_and_is_called_running() -> None:
    assert (after(draining).works, after(draining).state) == (False, "running")


def test_a_stop_says_why_and_since_when_and_going_on_forgets_it() -> None:
    health = after(settled("1"), failed("2", at=NOW + 5))
    assert (health.reason, health.hint, health.since) == ("connection refused", "look at its status page", NOW + 5)
    assert after(unanswered, health=health).since == NOW + 5
    gone = after(answered, health=health)
    assert (gone.reason, gone.since, gone.probe_gap, gone.next_probe_at) == (None, None, None, None)


def test_the_reason_is_the_last_one_that_a_probe_met() -> None:
    assert after(stopped(NO_CACHE)).unanswered(StoreUnavailable("the disk is full"), NOW).reason == "the disk is full"


# When it probes


@pytest.mark.parametrize(
    ("first", "gaps"),
    [
        (DOWN, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]),
        (REFUSED, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]),
        (BUSY, [45.0, 60.0, 60.0]),
        (SourceUnavailable("x", retry_after_seconds=3600.0), [3600.0, 60.0]),
        (SourceUnavailable("x", retry_after_seconds=0.2), [1.0, 2.0]),
    ],
    ids=["down", "refused", "it asks for 45 s", "for an hour", "for next to nothing"],
)
def test_the_gaps_between_probes_double_up_to_a_minute(first: Exception, gaps: list[float]) -> None:
    health, found, at = after(failed("1", first)), [], NOW
    for _ in gaps:
        assert health.probe_gap is not None
        at += health.probe_gap
        assert health.next_probe_at == at
        found.append(health.probe_gap)
        health = unanswered(health)
    assert found == gaps


def test_a_source_that_answers_its_probe_and_nothing_else_is_left_alone_longer_and_longer() -> None:
    health, gaps = FRESH, []
    for _ in range(8):
        health = after(failed("1"), health=health)
        gaps.append(health.probe_gap)
        health = answered(health)
    assert gaps == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert after(settled("1"), failed("1"), health=health).probe_gap == 1.0


def test_years_of_that_are_no_number_too_large() -> None:
    assert after(failed("1"), health=replace(FRESH, fruitless=10_000)).probe_gap == CAP


def test_a_paused_lane_asks_nobody() -> None:
    assert after(failed("1"), paused).probe_gap is None
    assert after(failed("1"), paused, resumed, failed("1", BUSY)).probe_gap == 45.0


# What others are answered


@pytest.mark.parametrize(
    ("events", "asked_at", "goes_on"),
    [
        pytest.param([failed("1")], NOW, True, id="asked since it stopped"),
        pytest.param([failed("1", BUSY)], NOW + 1, True, id="also while it is to wait"),
        pytest.param([failed("1", REFUSED)], NOW, True, id="also when its key was refused"),
        pytest.param([failed("1")], NOW - 0.1, False, id="asked before"),
        pytest.param([failed("1", NO_CACHE)], NOW, False, id="it waits for a cache"),
        pytest.param([failed("1"), paused], NOW, False, id="it waits for an operator"),
        pytest.param([failed("1"), answered, failed("1")], NOW, False, id="that was in vain before"),
        pytest.param([failed("1"), another(NOW), failed("1")], NOW, False, id="so was this"),
        pytest.param([failed("1"), answered, settled("2"), failed("1")], NOW, True, id="a change came through since"),
        pytest.param([draining, failed("1")], NOW, False, id="it drains"),
    ],
)
def test_what_another_reader_is_answered_ends_the_wait_only_for_a_source(
    events: list[Event], asked_at: float, *, goes_on: bool
) -> None:
    assert (after(*events, another(asked_at)).state == "running") is goes_on


# Whose fault it is


def stops(id_: str, times: int) -> list[Event]:
    """The record stops the lane so often, while another one comes through each time."""
    return [settled("good"), failed(id_), answered] * times


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(stops("bad", 2), Fate.LANE_STOPS, id="two strikes"),
        pytest.param(stops("bad", 3), Fate.DEAD, id="three, and this is the fourth time"),
        pytest.param(stops("other", 3), Fate.LANE_STOPS, id="another one's"),
        pytest.param([failed("bad"), answered] * 9, Fate.LANE_STOPS, id="while none comes through"),
        pytest.param([settled("good"), *[failed("bad"), answered] * 9], Fate.LANE_STOPS, id="none since it went on"),
        pytest.param([*stops("bad", 3), settled("bad")], Fate.LANE_STOPS, id="it came through since"),
        pytest.param([*stops("bad", 3), failed("x"), unanswered, answered], Fate.LANE_STOPS, id="down again and again"),
        pytest.param([settled("good"), *[failed("bad")] * 3], Fate.DEAD, id="also of what was at work at a stop"),
    ],
)
def test_a_record_that_stops_its_lane_again_and_again_while_others_come_through_is_at_fault(
    events: list[Event], expected: Fate
) -> None:
    assert fate(after(*events), "bad") is expected


def test_suspicion_is_bounded_and_then_all_are_forgiven() -> None:
    health = after(settled("good"), *[failed(str(number)) for number in range(STRUCK_RECORDS_MAX)])
    assert len(health.strikes) == STRUCK_RECORDS_MAX == 1_000
    assert after(failed("one more"), health=health).strikes == {str(key("one more")): 1}


def test_a_change_like_the_one_before_makes_no_new_state() -> None:
    health = after(settled("1"))
    assert health.settled(key("2")) is health


# Tables that cannot be read


def test_a_table_waits_until_one_of_its_records_is_read() -> None:
    health = after(failed("1", NOT_THERE))
    assert (fate(FRESH, "1", NOT_THERE), health.works) == (Fate.TABLE_WAITS, True)
    assert health.waits.until("public.users", NOW) == NOW + 2.0
    assert health.read("public.others") is health
    assert health.read("public.users") == FRESH


@pytest.mark.parametrize("listed", [True, False])
def test_what_nobody_lists_is_dead_after_a_quarter_of_an_hour_and_its_table_goes_on_waiting(*, listed: bool) -> None:
    health, at, met = FRESH, NOW, []
    while at < NOW + 1000.0:
        health, becomes = health.failed(claim(), NOT_THERE, at, listed=listed)
        met.append((at - NOW, becomes))
        at = health.waits.tables["public.users"].next_try_at
    assert [waited for waited, _ in met[:7]] == [0.0, 2.0, 6.0, 14.0, 30.0, 62.0, 122.0]
    assert [waited for waited, becomes in met if becomes is Fate.DEAD] == ([] if listed else [902.0, 962.0])


def test_where_a_hundred_tables_wait_what_nobody_lists_is_dead_at_once() -> None:
    claims = [claim(table=f"public.t{number}") for number in range(101)]
    health, fates = FRESH, []
    for one in claims:
        health, becomes = health.failed(one, NOT_THERE, NOW, listed=False)
        fates.append(becomes)
    assert fates == [Fate.TABLE_WAITS] * 100 + [Fate.DEAD]
    assert health.failed(claims[0], NOT_THERE, NOW, listed=False)[1] is Fate.TABLE_WAITS
    assert health.failed(claims[-1], NOT_THERE, NOW, listed=True)[1] is Fate.TABLE_WAITS


def test_a_failure_of_another_kind_says_nothing_of_its_table() -> None:
    health = after(failed("1", NOT_THERE))
    assert after(failed("1", RecordImpossible("bad id"), at=NOW + 5), health=health) is health
