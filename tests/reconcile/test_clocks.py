"""A clock that was ahead once, by a day, and is right again: the stored times of that run hold nothing back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hookbridge.clock import anchored_clock
from hookbridge.reconcile.state import PollState, State, SweepState, encoded
from tests.support.followed import Running, Sources, has, loaded, plain, running, sources, user
from tests.support.waiting import wait_until

DAY = 86_400.0
NOW = 1_750_000_000.0
OVERLAP = 120.0

HOURLY = {"sweep_seconds": 3_600.0}
"""So that within a test each table is swept once, if at all."""


def ahead() -> float:
    return anchored_clock()() + DAY


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        made.supabase.insert("users", {"id": 1, "name": "Ada"})
        # Of the time that the clock showed: the newest of all rows then, and from the future later.
        future = made.clock() + timedelta(hours=12)
        made.supabase.insert("users", {"id": 2, "name": "Grace", "updated_at": future.isoformat()})
        made.supabase.insert("plain", {"id": 1, "name": "first"})
        made.notion.create_page(made.data_source, {"Name": "page"})
        yield made


@pytest.fixture
async def folder(both: Sources, tmp_path: Path) -> Path:
    """The data file of a run whose clock was ahead."""
    async with running(both.settings(tmp_path), clock=ahead) as bridge:
        await wait_until(lambda: loaded(bridge))
    return tmp_path


async def tables(bridge: Running) -> list[dict[str, Any]]:
    answer = await bridge.get("/api/v1/reconcile")
    return list((await answer.json())["tables"])


async def test_each_table_is_swept_at_once(both: Sources, folder: Path) -> None:
    both.supabase.update("plain", 1, {"name": "second"})  # no poll can find it
    async with running(both.settings(folder, reconcile=HOURLY)) as bridge:
        await wait_until(has(bridge, plain(1), name="second"))


async def test_polls_go_on_behind_what_was_changed_meanwhile_and_afterwards(both: Sources, folder: Path) -> None:
    both.supabase.update("users", 1, {"name": "Countess"})
    async with running(both.settings(folder, reconcile=HOURLY)) as bridge:
        await wait_until(has(bridge, user(1), name="Countess"))
        await wait_until(
            lambda: all(one.sweep.state.sweep is None for one in bridge.service.reconciler.tables.values())
        )
        both.supabase.insert("users", {"id": 3, "name": "Mary"})
        await wait_until(has(bridge, user(3), name="Mary"))
        watermark = bridge.service.reconciler.table("supabase", "public.users").poll.state.watermark
        assert datetime.fromisoformat(watermark or "") <= datetime.now(UTC)


async def test_the_state_says_that_nobody_knows_when_it_was_and_then_when_it_is(both: Sources, folder: Path) -> None:
    async with running(both.settings(folder, reconcile={"enabled": False})) as bridge:
        for table in await tables(bridge):
            assert (table["last_poll_at"], table["last_sweep_at"]) == (None, None)
        ages = (await (await bridge.get("/api/v1/webhooks/stats")).json())["freshness"]
        assert {one[name] for one in ages.values() for name in ("poll_age_seconds", "sweep_age_seconds")} == {None}
    async with running(both.settings(folder, reconcile=HOURLY)) as bridge:
        started = datetime.now(UTC)
        await wait_until(lambda: all(one.last_sweep_at for one in bridge.service.reconciler.status()))
        for table in await tables(bridge):
            assert started - timedelta(minutes=1) <= datetime.fromisoformat(table["last_sweep_at"]) <= datetime.now(UTC)


# What is taken up of a state


def taken_up(given: State) -> State:
    return msgspec.json.decode(encoded(given), type=type(given)).known_at(NOW, OVERLAP)


def test_a_poll_that_was_interrupted_goes_on() -> None:
    given = PollState(watermark=iso(NOW - 9), cursor="c", reached=iso(NOW - 5), began_at=NOW - 6, completed_at=NOW - 60)
    assert taken_up(given) == given


@pytest.mark.parametrize(
    ("ahead", "left"),
    [
        ({"watermark": iso(NOW + DAY)}, {"watermark": None}),
        ({"reached": iso(NOW + DAY)}, {}),
        ({"began_at": NOW + DAY}, {}),
    ],
)
def test_a_poll_that_began_ahead_begins_anew(ahead: dict[str, Any], left: dict[str, Any]) -> None:
    known = {"watermark": iso(NOW - 9), "completed_at": NOW - 60}
    under_way = {"cursor": "c", "reached": iso(NOW - 5), "began_at": NOW - 6}
    assert taken_up(PollState(**{**known, **under_way, **ahead})) == PollState(**{**known, **left})


@pytest.mark.parametrize("watermark", [iso(NOW + OVERLAP), "infinity", "no time"])
def test_a_watermark_within_the_overlap_stays_and_so_does_what_is_no_time(watermark: str) -> None:
    given = PollState(watermark=watermark, completed_at=NOW)
    assert taken_up(given) == given


def test_a_sweep_that_began_ahead_begins_anew_and_what_an_operator_said_stays() -> None:
    given = SweepState(sweep=7, cursor="c", began_at=NOW + 1, completed_at=NOW - 60, loaded=True, confirmed=True)
    expected = SweepState(completed_at=NOW - 60, loaded=True, confirmed=True)
    assert taken_up(given) == expected
    right = SweepState(sweep=7, cursor="c", began_at=NOW, completed_at=NOW - 60, loaded=True)
    assert taken_up(right) == right
