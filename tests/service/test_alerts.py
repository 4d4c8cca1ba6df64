"""Alerts to people: told once that it is not healthy, and once that it is again, whatever restarts meanwhile."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hookbridge.alerts.beats import Beats
from hookbridge.config import Settings
from tests.support.engines import HandClock
from tests.support.metrics import scrape
from tests.support.people import SECRET, People, people
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

SOON = {"hold_seconds": 0.2, "gap_seconds": 0.001}


@pytest.fixture
async def there() -> AsyncIterator[People]:
    async with people() as one:
        yield one


def telling(folder: Path, there: People, *, secret: str = SECRET, beat: bool = False, **keys: Any) -> Settings:  # noqa: ANN401
    secrets = {
        "alerts_url": there.url,
        "alerts_secret": secret,
        "alerts_beat_url": there.beat_url if beat else "",
    }
    return make_settings(folder, secrets=secrets, alerts={**SOON, **keys})


async def pause(service: Running, word: str = "pause") -> None:
    """Make it less than healthy, which an operator can at once."""
    assert (await service.http.post(f"/api/v1/sources/supabase/{word}", headers=ADMIN)).status == 200


def timeless(text: str) -> str:
    """What people are told, without how long it has been so: that is said once it is a second."""
    return re.sub(r" for \d+ s", "", text)


async def shown(service: Running) -> dict[str, Any]:
    answer = await service.get("/readyz")
    found: dict[str, Any] = await answer.json()
    return found


async def test_people_are_told_of_trouble_and_of_its_end_signed(tmp_path: Path, there: People) -> None:
    async with running(telling(tmp_path, there)) as service:
        await pause(service)
        await wait_until(lambda: there.told)
        first = there.told[0]
        assert first["type"] == "unhealthy"
        assert timeless(first["text"]).endswith("is not healthy: supabase is paused.")
        assert [(one["kind"], one["todo"]) for one in first["problems"]] == [
            ("supabase paused", "Resume it when it may go on. Its events wait.")
        ]

        async def is_known() -> bool:
            alerts = (await shown(service))["alerts"]
            return bool(alerts["told"] == "unhealthy" and alerts["sent"] == 1 and not alerts["waiting"])

        await wait_until(is_known)
        await pause(service, "resume")
        await wait_until(lambda: len(there.told) == 2)
        assert there.types == ["unhealthy", "healthy"]
        assert "What was wrong: supabase is paused." in timeless(there.told[1]["text"])
        assert len(set(there.ids)) == 2
    assert there.types == ["unhealthy", "healthy"]


async def test_a_restart_neither_repeats_nor_loses_what_is_told(tmp_path: Path, there: People) -> None:
    async with running(telling(tmp_path, there)) as service:
        await pause(service)
        await wait_until(lambda: taken(service, 1))
    async with running(telling(tmp_path, there, remind_seconds=0.5)) as service:
        # What was told before is told of again only because that was asked for.
        await wait_until(lambda: len(there.told) == 2)
        assert there.types == ["unhealthy", "reminder"]
    async with running(telling(tmp_path, there)) as service:
        await pause(service, "resume")
        await wait_until(lambda: there.types[-1] == "healthy")


async def taken(service: Running, number: int) -> bool:
    return bool((await shown(service))["alerts"]["sent"] == number)


async def test_one_that_is_not_taken_is_shown_and_sent_again_under_its_id(tmp_path: Path, there: People) -> None:
    there.status = 500
    clock = HandClock()
    async with running(telling(tmp_path, there), clock=clock) as service:
        await pause(service)
        await wait_until(lambda: len(there.ids) == 2)  # at once, and then with gaps
        clock.now = clock()  # the next gap does not end while it is looked at

        async def is_shown() -> bool:
            return bool((await shown(service))["alerts"]["failures"] == 2)

        await wait_until(is_shown)
        seen = await shown(service)
        assert [one["kind"] for one in seen["verdict"]["problems"]] == ["supabase paused"]
        (warning,) = (one for one in seen["warnings"] if "does not reach anybody" in one)
        assert "it answered 500" in warning
        assert there.url not in str(seen)
        figures = await scrape(service)
        assert (figures.total("alert_failures"), figures.total("alerts_unhealthy")) == (2, 1)
        there.status, clock.now = 200, None
        await wait_until(lambda: there.told)
        assert len(set(there.ids)) == 1
        await wait_until(lambda: taken(service, 1))
        seen = await shown(service)
        assert not [one for one in seen["warnings"] if "does not reach" in one]
    assert there.types == ["unhealthy"]


async def test_what_waits_for_a_restart_is_sent_after_it(tmp_path: Path) -> None:
    async with people() as there:
        pass
    settings = telling(tmp_path, there)
    async with running(settings) as service:
        await pause(service)
        await wait_until(lambda: waits(service))
    async with there.there(), running(settings):
        await wait_until(lambda: there.told)
    assert there.types == ["unhealthy"]


async def waits(service: Running) -> bool:
    return bool((await shown(service))["alerts"]["failures"])


async def test_an_end_takes_the_place_of_what_nobody_could_be_told(tmp_path: Path) -> None:
    async with people() as there:
        pass
    async with running(telling(tmp_path, there)) as service:
        await pause(service)
        await wait_until(lambda: waits(service))
        await pause(service, "resume")

        async def is_over() -> bool:
            return bool((await shown(service))["alerts"]["told"] == "healthy")

        await wait_until(is_over)
        async with there.there():
            await wait_until(lambda: there.told)
    assert there.types == ["healthy"]
    assert "Nobody could be told of that before." in there.told[0]["text"]


@pytest.mark.on("sqlite")
async def test_people_are_told_that_nothing_can_be_kept_although_nothing_can(tmp_path: Path, there: People) -> None:
    settings = telling(tmp_path, there, gap_seconds=900.0)
    async with running(settings) as service:
        await pause(service)
        await wait_until(lambda: taken(service, 1))
        elsewhere = settings.data_file.rename(tmp_path / "elsewhere.db")
        await wait_until(lambda: len(there.told) == 2)
        assert (there.told[1]["type"], there.told[1]["problems"][0]["kind"]) == ("worse", "store fault")
        elsewhere.rename(settings.data_file)

        async def is_writable() -> bool:
            return bool((await shown(service))["inbox_writable"])

        await wait_until(is_writable)
        await pause(service, "resume")
        await wait_until(lambda: there.types[-1] == "healthy")
    assert there.types == ["unhealthy", "worse", "healthy"]


async def test_a_chat_gets_lines_in_its_form_unsigned_where_there_is_no_secret(tmp_path: Path, there: People) -> None:
    async with running(telling(tmp_path, there, secret="", form="discord")) as service:
        await pause(service)
        await wait_until(lambda: there.told)
    (sent,) = there.told
    assert there.paths == ["/alerts?wait=true"]
    assert timeless(sent["content"]).splitlines()[1:] == [
        "• supabase is paused. Resume it when it may go on. Its events wait.",
        "Why: the dashboard, or /readyz with the admin token.",
    ]


async def test_beats_come_from_a_healthy_service_and_one_that_is_not_taken_is_shown(
    tmp_path: Path, there: People
) -> None:
    async with running(telling(tmp_path, there, beat=True, beat_seconds=1.0)) as service:
        await wait_until(lambda: there.beats)
        there.beat_answer = (200, "OK (not found)")

        async def is_shown() -> bool:
            beat = (await shown(service))["alerts"]["beat"]
            return bool(beat["failures"] and "not found" in beat["reason"])

        await wait_until(is_shown)
        assert (await scrape(service)).total("beat_failures") >= 1
        assert [one for one in (await shown(service))["warnings"] if one.startswith("A beat was not taken")]


async def test_beats_end_while_it_is_not_healthy(there: People) -> None:
    healthy, naps = [True, False, False, True], 0

    async def nap(seconds: float) -> None:
        nonlocal naps
        naps += 1
        if not healthy:
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    beats = Beats(there.beat_url, 60.0, lambda: healthy.pop(0), time.time, nap)
    task = asyncio.create_task(beats.run())
    await wait_until(lambda: naps == 4)
    task.cancel()
    assert there.beats == 2


async def test_where_only_beats_are_wanted_any_more_nothing_waits_for_people(tmp_path: Path) -> None:
    async with people() as there:
        pass
    async with running(telling(tmp_path, there)) as service:
        await pause(service)
        await wait_until(lambda: waits(service))
        await pause(service, "resume")
    only = make_settings(tmp_path, secrets={"alerts_beat_url": there.beat_url}, alerts=SOON)
    async with there.there(), running(only) as service:
        await wait_until(lambda: there.beats)
        seen = await shown(service)
        assert (seen["alerts"]["failures"], seen["alerts"]["waiting"]) == (0, False)
        assert not [one for one in seen["warnings"] if "does not reach" in one]


async def test_nobody_is_told_where_nobody_is_named(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        assert "alerts" not in await shown(service)
        assert not service.service.membership.does("alert")
