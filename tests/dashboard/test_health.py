"""The first line, the figures, and what needs somebody: they say what has been seen, and no more."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from hookbridge.errors import SourceUnavailable
from tests.dashboard.driving import confirm, figure, looked, module, opened, rows, send
from tests.support.books import settled
from tests.support.data import sampled
from tests.support.followed import sources
from tests.support.running import ADMIN_TOKEN, Running, make_settings, running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials."""
    async with running(make_settings(tmp_path)) as one:
        yield one


async def test_the_page_shows_the_services_verdict_and_what_is_wrong(page: Page, service: Running) -> None:
    dead = {
        "level": "bad", "kind": "dead letters", "text": "2 dead letters", "todo": "Replay them.",
        "events": {"outcome": "dead"},
    }  # fmt: skip
    down = {"level": "warn", "kind": "supabase down", "text": "supabase is down", "todo": "It waits.", "events": None}
    verdict = {"level": "bad", "kind": "dead letters", "text": "2 dead letters", "notes": ["All else is well."]}

    async def judged(route: Route) -> None:
        answer = await route.fetch()
        told = {**await answer.json(), "verdict": {**verdict, "problems": [dead, down]}, "warnings": ["Beware of it"]}
        await route.fulfill(response=answer, json=told)

    await page.route("**/readyz", judged)
    await opened(page, service)
    await expect(page.locator("#health-text")).to_have_text("2 dead letters")
    await expect(page.locator("#health")).to_have_class("bad")
    assert "2 dead letters" in await page.title()
    await expect(page.locator("#attention-title")).to_have_text("Needs attention (3)")
    said = ["2 dead letters Replay them.Show them", "supabase is down It waits.", "Beware of it", "All else is well."]
    await expect(page.locator("#attention li")).to_have_text(said)
    assert await page.locator("#attention li a").get_attribute("href") == "?view=dead"


async def test_a_service_that_has_nothing_says_so_and_what_to_do(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#health-text")).to_have_text("Nothing received yet")
    await expect(page.locator("#attention")).to_contain_text("Send a test event")
    await expect(page.locator("#empty")).to_contain_text("trigger-sql")
    await expect(page.locator("#sources")).to_contain_text("No credentials")
    await send(service, "1")
    await expect(page.locator("#health-text")).to_have_text("All settled, not verified: no credentials for supabase")
    await expect(page.locator("#attention")).to_contain_text("SUPABASE_URL and SUPABASE_KEY")


async def test_copies_that_were_compared_lately_are_converged(page: Page, tmp_path: Path) -> None:
    async with sources() as both:
        both.supabase.insert("users", {"id": 1, "name": "Ada"})
        async with running(both.settings(tmp_path)) as service:
            await opened(page, service)
            await expect(page.locator("#health-text")).to_have_text("Converged: every event is settled")
            await expect(page.locator("#health")).to_have_class("good")
            await expect(page.locator("#attention")).to_contain_text("public.users: compared")
            async with both.supabase.down():
                await expect(page.locator("#attention")).to_contain_text("public.users cannot be compared")
                assert await page.title() != "hookbridge"


async def test_bodies_that_are_still_to_be_read_are_counted_with_how_long_they_take(page: Page, tmp_path: Path) -> None:
    async with sources() as both:
        for number in range(4):
            both.notion.create_page(both.data_source, {"Name": f"page {number}"}, markdown="body")
        both.notion.faults.hang(path=lambda path: path.endswith("/markdown"))
        databases = {"databases": [{"id": both.database, "content": True}]}
        async with running(both.settings(tmp_path, notion=databases)) as service:
            await opened(page, service)
            card = page.locator("#sources [data-source=notion]")
            await expect(card).to_contain_text("0 of 4 bodies, about")
            await expect(page.locator("#health-text")).to_contain_text("Reading the bodies of a database of notion")
            both.notion.faults.clear()
            await expect(card).not_to_contain_text("bodies")


async def test_a_source_is_paused_also_while_it_is_down_and_resumed(page: Page, tmp_path: Path) -> None:
    async with sources() as both, running(both.settings(tmp_path, reconcile={"enabled": False})) as service:
        lane = service.service.lanes["supabase"]
        await opened(page, service)
        await lane.stop_for(SourceUnavailable("It does not answer", retry_after_seconds=60.0))
        card = page.locator("#sources [data-source=supabase]")
        await expect(card).to_contain_text("down")
        await page.click('[data-lane="supabase"]')
        await confirm(page, "/api/v1/sources/supabase/pause")
        await expect(card).to_contain_text("paused")
        assert lane.state().state == "paused"
        await page.click('[data-lane="supabase"]')
        await confirm(page, "/api/v1/sources/supabase/resume")
        await expect(card.locator(".state")).to_have_text("up")


async def test_a_service_that_hangs_is_not_shown_as_well(page: Page, service: Running) -> None:
    await opened(page, service)

    async def hang(route: Route) -> None:
        await asyncio.Event().wait()

    await page.route("**/readyz", hang)
    await expect(page.locator("#health")).to_have_class("bad")
    await expect(page.locator("#health-text")).to_have_text("The service did not answer within 10 s.")
    await expect(page.locator("#as-of")).to_have_text(re.compile(r"Figures as of \d"))
    await expect(page.locator("body")).to_have_class(re.compile("stale"))
    assert "did not answer" in await page.title()
    await page.unroute("**/readyz")
    await expect(page.locator("#health-text")).to_have_text("Nothing received yet")
    await expect(page.locator("#as-of")).to_be_empty()
    await expect(page.locator("body")).not_to_have_class(re.compile("stale"))


async def test_a_change_of_the_verdict_is_announced_and_a_figure_is_not(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#announce")).to_have_text("Nothing received yet")
    changes = "one => { window.changes = []; new MutationObserver(() => changes.push(one.textContent)).observe(one, "
    changes += "{childList: true, subtree: true, characterData: true}); }"
    await page.locator("#announce").evaluate(changes)
    for number in range(3):
        await send(service, str(number))
        await looked(page)
    await expect(figure(page, "Received")).to_have_text("3")
    assert set(await page.evaluate("changes")) <= {
        "Working on 1 event",
        "All settled, not verified: no credentials for supabase",
    }


async def test_a_refresh_leaves_what_is_marked_and_pressed(page: Page, service: Running) -> None:
    await send(service, "1")
    await opened(page, service)
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#figures dt'))")
    place = await page.locator('[data-lane="supabase"]').bounding_box()
    assert place is not None
    await page.mouse.move(place["x"] + 5, place["y"] + 5)
    await page.mouse.down()
    await looked(page)
    await looked(page)
    await page.mouse.up()
    await expect(page.locator("#action")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#figures dt'))")
    await looked(page)
    await looked(page)
    assert await page.evaluate("getSelection().toString()") == "Oldest open"


async def test_a_figure_leads_to_its_events(page: Page, service: Running) -> None:
    await send(service, "1")
    await opened(page, service)
    await expect(rows(page)).to_have_count(1)
    await figure(page, "Open").locator("a").click()
    await expect(page.locator("#empty")).to_have_text("No event matches. Fewer filters show more.")
    assert page.url.endswith("?state=open")
    await page.click("#clear")
    await expect(rows(page)).to_have_count(1)


# ---------------------------------------------------------------------------------------------------------------- chart


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))


def history(*samples: tuple[float, int, int, int]) -> dict[str, Any]:
    """Samples so many seconds ago, of ten seconds each."""
    now = time.time()
    return {
        "hours": 1,
        "per_second": None,
        "samples": [
            {"at": stamp(now - ago), "step_seconds": 10.0, "received": got, "applied": done, "open": left}
            for ago, got, done, left in samples
        ],
    }


async def test_the_chart_goes_by_time_and_leaves_gaps(page: Page, service: Running) -> None:
    await opened(page, service)
    steps = [(100.0, 10, 10, 0), (90.0, 20, 10, 10), (40.0, 5, 5, 0), (30.0, 5, 5, 0)]
    await module(page, "chart.js", "it.showChart(given[0])", history(*steps))
    lines = page.locator("#chart path.received:not(.area)")
    assert await lines.count() == 2
    first, second = [await lines.nth(place).bounding_box() for place in range(2)]
    assert first is not None
    assert second is not None
    assert second["x"] - (first["x"] + first["width"]) > 3 * first["width"]
    await expect(page.locator("#since")).to_contain_text("since")
    await expect(page.locator("#chart text").first).to_have_text("2.0/s")
    label = await page.locator("#chart").get_attribute("aria-label")
    assert label is not None
    assert "40 events received" in label
    assert "at most 10 open" in label
    await page.locator("#chart").focus()
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("#chart-values")).to_contain_text("in 10 s 20 received")
    await expect(page.locator("#announce")).to_contain_text("20 received")


async def test_steps_of_other_lengths_are_drawn_by_their_rates(page: Page, service: Running) -> None:
    await opened(page, service)
    told = history((70.0, 60, 60, 0), (10.0, 60, 60, 0), (0.0, 10, 10, 0))
    for sample in told["samples"][:2]:
        sample["step_seconds"] = 60.0
    await module(page, "chart.js", "it.showChart(given[0])", told)
    lines = page.locator("#chart path.received:not(.area)")
    await expect(lines).to_have_count(1)
    box = await lines.bounding_box()
    assert box is not None
    assert box["height"] < 2, "one event a second all the time"
    await expect(page.locator("#chart text").first).to_have_text("1.0/s")
    whole = history(*((60.0 * minute, 1, 1, 0) for minute in range(58, -1, -1)))
    for sample in whole["samples"]:
        sample["step_seconds"] = 60.0
    await module(page, "chart.js", "it.showChart(given[0])", whole)
    await expect(page.locator("#since")).to_be_empty()


@pytest.mark.parametrize("hours", [1, 24])
async def test_the_chart_shows_what_was_before_a_restart(page: Page, tmp_path: Path, hours: int) -> None:
    settings = make_settings(tmp_path)
    began = await sampled(settings, minutes=5)
    async with running(settings) as before:
        for number in range(3):
            await send(before, str(number))
        await settled(before)
    async with running(settings) as service:
        await opened(page, service, f"?hours={hours}")
        said = re.compile("3 events received.* 3 applied")
        await expect(page.locator("#chart")).to_have_attribute("aria-label", said)
        await expect(page.locator("#chart path.received:not(.area)")).to_have_count(1)
        clock = "at => new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' }).format(at)"
        await expect(page.locator("#since")).to_have_text(f"since {await page.evaluate(clock, began * 1000)}")


async def test_an_empty_chart_says_when_there_will_be_something(page: Page, service: Running) -> None:
    await opened(page, service)
    await module(page, "chart.js", "it.showChart(given[0])", history())
    await expect(page.locator("#chart-empty")).to_contain_text("ten seconds after the start")
    await page.click("[data-hours='24']")
    await expect(page.locator("#chart-empty")).to_contain_text("a minute after the start")
    assert "hours=24" in page.url
    await expect(page.locator("[data-hours='24']")).to_have_attribute("aria-pressed", "true")


# ---------------------------------------------------------------------------------------------------------------- token


async def test_the_token_is_asked_for_until_it_is_right_and_kept_by_the_tab(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.update({(401, "/api/v1/events"), (401, "/api/v1/history")})
    await page.goto(service.url)
    await page.fill("#token", "wrong")
    await page.click("#ask button")
    await expect(page.locator("#refused")).to_have_text("This token was refused.")
    await page.fill("#token", "tökén€")
    await page.click("#ask button")
    await expect(page.locator("#refused")).to_contain_text("ASCII")
    await page.fill("#token", f" {ADMIN_TOKEN} ")
    await page.click("#ask button")
    await expect(page.locator("#health-text")).to_have_text("Nothing received yet")
    await page.reload()
    await expect(page.locator("#health-text")).to_have_text("Nothing received yet")
    await expect(page.locator("#ask")).to_be_hidden()
    await page.click("#help")
    await page.click("#forget")
    await expect(page.locator("#ask")).to_be_visible()
    await expect(page.locator("#figures")).to_be_empty()


async def test_the_address_gives_the_token_and_does_not_keep_it(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.update({(401, "/api/v1/events"), (401, "/api/v1/history")})
    await send(service, "1")
    await page.goto(f"{service.url}/#token=wrong")
    await expect(page.locator("#refused")).to_have_text("This token was refused.")
    assert "wrong" not in page.url
    await page.evaluate(f"location.hash = 'token={ADMIN_TOKEN}'")
    await expect(rows(page)).to_have_count(1)
    await expect(page.locator("#ask")).to_be_hidden()
    assert ADMIN_TOKEN not in page.url


async def test_its_files_are_all_that_is_served(service: Running) -> None:
    assert (await service.get("/dashboard/__init__.py", headers={})).status == 404
    page = await service.get("/", headers={})
    assert page.status == 200
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]
