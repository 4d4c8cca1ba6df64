"""A clock that is wrong at a start and set right later, in either direction: nothing young is removed for it."""

import time
from datetime import datetime
from pathlib import Path

import pytest

from hookbridge.clock import Clock, anchored_clock
from tests.support.books import event, hint, send, settled
from tests.support.handling import Handling
from tests.support.running import Running, make_settings, running

pytestmark = pytest.mark.on("sqlite")  # the clock of the other one is the server's

DAY = 86_400.0
YEARS = 20 * 365 * DAY


def off_by(seconds: float) -> Clock:
    return anchored_clock(lambda: time.time() + seconds)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def applied(service: Running, id_: int) -> int:
    """One applied event, on which nothing else depends: the newest of all stays anyway."""
    first = await send(service, hint(id_))
    await send(service, hint("newest"))
    await settled(service)
    return first


async def is_there(service: Running, id_: int) -> bool:
    await service.service.upkeep.remove_old()
    return (await service.get(f"/api/v1/events/{id_}")).status == 200


@pytest.mark.parametrize("wrong", [-30 * DAY, -YEARS, 30 * DAY, YEARS])
async def test_what_was_settled_by_a_wrong_clock_is_there_after_a_start_with_a_right_one(
    tmp_path: Path, wrong: float
) -> None:
    settings = make_settings(tmp_path)
    async with running(settings, clock=off_by(wrong)) as service:
        first = await applied(service, 1)
        assert await is_there(service, first)
    for _ in range(2):
        async with running(settings) as service:
            assert await is_there(service, first)


@pytest.mark.parametrize("wrong", [-30 * DAY, 30 * DAY, YEARS])
async def test_what_was_settled_by_a_right_clock_is_there_after_a_start_with_a_wrong_one(
    tmp_path: Path, wrong: float
) -> None:
    settings = make_settings(tmp_path)
    async with running(settings) as service:
        first = await applied(service, 1)
        assert await is_there(service, first)
    for clock in (off_by(wrong), off_by(wrong), None):
        async with running(settings, clock=clock) as service:
            assert await is_there(service, first)


async def test_a_dead_letter_with_its_failures_and_the_memory_of_a_deletion_stay_as_well(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    settings = make_settings(tmp_path, handlers=user.section, processing={"max_attempts": 1})
    async with running(settings, clock=off_by(-YEARS)) as service:
        user.module.failures.append(ValueError("no"))
        dead = await send(service, hint(1, table=user.table))
        await send(service, hint(2, table=user.table, event_type="delete"))
        await settled(service)
        assert await is_there(service, dead)
    async with running(settings) as service:
        assert await is_there(service, dead)
        assert len((await event(service, dead))["failures"]) == 1
        assert await service.service.store.copy(service.service.sources["supabase"].key(user.table, "2")) is not None


class Machine:
    """A clock that is set while a service runs."""

    def __init__(self, wrong: float) -> None:
        self.wrong = wrong
        self.clock = anchored_clock(lambda: time.time() + self.wrong)


async def test_a_clock_that_is_set_right_while_the_service_runs_is_followed_and_removes_nothing(
    tmp_path: Path,
) -> None:
    machine = Machine(-YEARS)
    settings = make_settings(tmp_path)
    async with running(settings, clock=machine.clock) as service:
        first = await applied(service, 1)
        assert await is_there(service, first)
        later = await applied(service, 2)
        machine.wrong = 0.0
        for one in (first, later):
            assert await is_there(service, one)
        told = await event(service, await applied(service, 3))
        assert abs(at(told["received_at"]) - time.time()) < DAY
    async with running(settings) as service:
        for one in (first, later):
            assert await is_there(service, one)


async def test_the_times_of_an_event_are_of_one_clock(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), clock=off_by(YEARS)) as service:
        told = await event(service, await applied(service, 1))
        times = [at(told[name]) for name in ("received_at", "stored_at", "claimed_at", "settled_at")]
        assert times == sorted(times)
        assert times[-1] - times[0] < DAY


async def test_a_clock_that_was_set_back_is_told_until_the_restart(tmp_path: Path) -> None:
    async def warnings(service: Running) -> list[str]:
        return list((await (await service.get("/readyz")).json())["warnings"])

    machine = Machine(DAY)
    settings = make_settings(tmp_path)
    async with running(settings, clock=machine.clock) as service:
        (warning,) = await warnings(service)
        assert "86400 s ahead" in warning
        assert "Restart" in warning
    async with running(settings, clock=off_by(1.0)) as service:
        assert await warnings(service) == []
