"""The lists: filters, pages, news that move nothing, rows that are brought up to date where they are."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.dashboard.driving import choose, confirm, looked, opened, place_of, rows, send
from tests.support.followed import sources
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials that has taken one event."""
    async with running(make_settings(tmp_path)) as one:
        await send(one, "1")
        await wait_until(lambda: one.service.store.open_events == 0)
        yield one


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that takes events and processes none until its lane is resumed."""
    async with running(make_settings(tmp_path)) as one:
        await one.service.holds.pause("supabase")
        yield one


async def fill(service: Running, number: int) -> None:
    for one in range(number):
        await send(service, f"many-{one:03}")
    await wait_until(lambda: service.service.store.open_events == 0)


# ------------------------------------------------------------------------------------------------------------- filters


FILTERS = (
    ("source", "supabase", 2), ("source", "notion", 0), ("state", "settled", 2), ("state", "open", 0),
    ("outcome", "applied", 2), ("outcome", "dead", 0), ("origin", "webhook", 2), ("origin", "sweep", 0),
    ("table", "users", 2), ("table", "public.other", 0), ("record_id", "2", 1), ("q", "grace", 1), ("q", "nobody", 0),
)  # fmt: skip


async def test_events_are_narrowed_by_each_filter(page: Page, service: Running) -> None:
    await send(service, "2", "Grace")
    await opened(page, service)
    await expect(rows(page)).to_have_count(2)
    for name, value, found in FILTERS:
        await choose(page, name, value)
        await expect(page.locator("#empty")).to_be_visible(visible=found == 0)
        await expect(rows(page)).to_have_count(found)
        await expect(page.locator("#failed")).to_be_hidden()
        assert f"{name}={value}" in page.url
        await page.click("#clear")
        await expect(rows(page)).to_have_count(2)


async def test_the_address_back_and_forward_and_the_tabs_keep_the_filters(page: Page, service: Running) -> None:
    await opened(page, service, "?record_id=2")
    await expect(page.locator("#empty")).to_be_visible()
    await choose(page, "record_id", "1")
    await expect(rows(page)).to_have_count(1)
    await page.click("#tab-records")
    await expect(page.locator("#columns")).to_contain_text("Changed")
    await expect(rows(page)).to_have_count(1)
    await choose(page, "state", "absent")
    await expect(page.locator("#empty")).to_contain_text("No record matches")
    await page.go_back()
    await page.go_back()
    await expect(page.locator("[name=record_id]")).to_have_value("1")
    await expect(rows(page)).to_have_count(1)
    await page.go_back()
    await expect(page.locator("#empty")).to_be_visible()
    await page.go_forward()
    await page.go_forward()
    await page.go_forward()
    await expect(page.locator("[name=state]")).to_have_value("absent")
    await page.click("#tab-events")
    await expect(page.locator("[name=record_id]")).to_have_value("1")
    await page.click("#clear")
    await expect(page.locator("[name=record_id]")).to_have_value("")


async def test_tables_are_suggested(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#known-tables option")).to_have_attribute("value", "public.users")
    await expect(page.locator("[name=table]")).to_have_attribute("list", "known-tables")


async def test_what_the_list_cannot_show_stands_above_it_and_is_no_news_of_the_health(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((422, "/api/v1/events"))
    await opened(page, service)
    await expect(rows(page)).to_have_count(1)
    before = await page.locator("#health-text").inner_text()
    await choose(page, "q", "x" * 1001)
    await expect(page.locator("#failed")).to_be_visible()
    box = await page.locator("#failed").bounding_box()
    assert box is not None
    assert box["y"] < 860
    await expect(rows(page)).to_have_count(0)
    await looked(page)
    assert await page.locator("#health-text").inner_text() == before
    await page.click("#clear")
    await expect(rows(page)).to_have_count(1)
    await expect(page.locator("#failed")).to_be_hidden()


async def test_a_list_that_cannot_be_loaded_keeps_nothing_of_the_one_before(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((503, "/api/v1/rejected"))
    await opened(page, service)
    await expect(rows(page)).to_have_count(1)
    refused = json.dumps({"error": "unavailable", "message": "The disk is full"})
    await page.route("**/api/v1/rejected?*", lambda route: route.fulfill(status=503, body=refused))
    await page.click("#tab-rejected")
    await expect(page.locator("#failed")).to_contain_text("The disk is full")
    await expect(rows(page)).to_have_count(0)
    await page.unroute("**/api/v1/rejected?*")
    await expect(page.locator("#empty")).to_contain_text("No webhook was refused")
    await expect(page.locator("#failed")).to_be_hidden()


async def test_an_answer_that_comes_late_is_not_shown(page: Page, service: Running) -> None:
    await send(service, "2")
    await opened(page, service)
    await expect(rows(page)).to_have_count(2)
    gate = asyncio.Event()

    async def slow(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await page.route(re.compile(r"record_id=1&"), slow)
    await choose(page, "record_id", "1")
    await choose(page, "record_id", "2")
    await expect(rows(page)).to_have_count(1)
    gate.set()
    await page.unroute_all(behavior="wait")
    await looked(page)
    await expect(rows(page)).to_have_count(1)
    await expect(rows(page).locator(".key")).to_have_text("2")


# ---------------------------------------------------------------------------------------------------------------- news


async def test_what_comes_in_is_announced_and_moves_nothing(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page)).to_have_count(1)
    before = await place_of(page)
    await send(service, "2", "<b>Grace</b>")
    await expect(page.locator("#show-news")).to_have_text("1 newer – show")
    await expect(rows(page)).to_have_count(1)
    assert await place_of(page) == before
    await page.click("#show-news")
    await expect(rows(page)).to_have_count(2)
    assert await place_of(page) == before


@pytest.mark.parametrize("width", [1280, 390])
async def test_problems_of_the_sources_move_no_row(page: Page, tmp_path: Path, width: int) -> None:
    async with sources() as both:
        both.supabase.insert("users", {"id": 1, "name": "Ada"})
        async with running(both.settings(tmp_path)) as service:
            for number in range(3):
                await send(service, f"{number}")
            await page.set_viewport_size({"width": width, "height": 860})
            await opened(page, service)
            await expect(page.locator("#health")).to_have_class("good")
            await rows(page).nth(1).scroll_into_view_if_needed()
            before = await place_of(page, 1)
            async with both.supabase.down(), both.notion.down():
                await send(service, "1")
                await expect(page.locator("#sources [data-source=supabase] .state")).to_have_text("down")
                await expect(page.locator("#attention li")).not_to_have_count(2)
                assert await place_of(page, 1) == before
            await expect(page.locator("#health")).to_have_class("good")
            assert await place_of(page, 1) == before


async def test_an_action_far_down_leaves_the_page_where_it_is(page: Page, service: Running) -> None:
    await fill(service, 130)
    await opened(page, service)
    await page.click("#older")
    await expect(rows(page)).to_have_count(100)
    await page.click("#older")
    await expect(rows(page)).to_have_count(131)
    await rows(page).nth(120).locator(".open").click()
    await expect(page.locator("#panel-title")).to_be_focused()
    before = await place_of(page, 120)
    await page.click("#replay")
    await confirm(page, "/replay")
    await expect(page.locator("#panel-said")).to_contain_text("Not verified")
    await expect(page.locator("#show-news")).to_have_text("1 newer – show")
    await expect(rows(page)).to_have_count(131)
    assert await place_of(page, 120) == before


async def test_a_row_stays_where_it_is_when_the_panel_opens_and_closes(page: Page, service: Running) -> None:
    await fill(service, 49)
    await opened(page, service)
    await rows(page).nth(30).scroll_into_view_if_needed()
    before, _ = await place_of(page, 30)
    await rows(page).nth(30).locator(".open").click()
    await expect(page.locator("#panel")).to_be_visible()
    after, _ = await place_of(page, 30)
    assert abs(after - before) <= 1
    await page.keyboard.press("Escape")
    assert abs((await place_of(page, 30))[0] - before) <= 1


# ----------------------------------------------------------------------------------------------------------- in place


async def test_open_events_are_told_when_they_have_ended_also_under_a_filter_and_behind_older(
    page: Page, held: Running
) -> None:
    for number in range(60):
        await send(held, str(number))
    await opened(page, held, "?state=open")
    await expect(rows(page)).to_have_count(50)
    await page.click("#older")
    await expect(rows(page)).to_have_count(60)
    for number in range(110):  # more than the newest page shows
        await send(held, f"later-{number}")
    await held.service.holds.resume("supabase")
    await expect(rows(page).last).to_contain_text("applied")
    await expect(rows(page).first).to_contain_text("applied")
    await expect(page.locator("#rows tr.left")).to_have_count(60)
    await expect(rows(page).first).to_have_attribute("title", "It does not match the filters any more")


async def test_records_are_brought_up_to_date_where_they_are(page: Page, held: Running) -> None:
    await send(held, "1")
    await send(held, "3")
    await opened(page, held, "?view=records&state=waiting")
    await expect(rows(page)).to_have_count(2)
    await send(held, "2")
    await expect(page.locator("#show-news")).to_have_text("1 more – show")
    await page.click("#show-news")
    await expect(rows(page)).to_have_count(3)
    await held.service.holds.resume("supabase")
    await expect(page.locator("#rows tr.left")).to_have_count(3)
    await expect(rows(page).first).to_contain_text("present")


async def test_a_refused_webhook_is_listed_with_its_reason(page: Page, service: Running) -> None:
    assert (await service.post("/api/v1/webhooks/supabase", b"{")).status == 400
    await opened(page, service, "?view=rejected")
    await expect(rows(page)).to_contain_text("invalid_json")
    await rows(page).first.click()
    await expect(page.locator("#panel")).to_contain_text("Refused with 400")
    await page.keyboard.press("Escape")
    await choose(page, "reason", "invalid_signature")
    await expect(page.locator("#empty")).to_have_text("None of the last 500 matches.")


async def test_refused_webhooks_of_the_next_process_are_news(page: Page, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as first:
        for _ in range(3):
            await first.post("/api/v1/webhooks/supabase", b"{")
        await opened(page, first, "?view=rejected")
        await expect(rows(page)).to_have_count(3)
        port = first.port
    async with running(make_settings(tmp_path, server={"port": port})) as second:
        await second.post("/api/v1/webhooks/supabase", b"[]")
        await expect(page.locator("#show-news")).to_have_text("1 newer – show")


async def test_a_dead_letter_shows_its_reason(page: Page, service: Running) -> None:
    await opened(page, service)
    dead = {
        "id": 7, "source": "supabase", "table": "public.users", "record_id": "7", "type": "update", "origin": "webhook",
        "format": "guide", "state": "settled", "outcome": "dead", "reason": "HandlerFailed: no mail server",
        "verification": None, "attempts": 3, "occurred_at": None, "received_at": "2026-01-01T15:00:00Z",
        "settled_at": "2026-01-01T15:00:09Z",
    }  # fmt: skip
    await page.route("**/api/v1/events?*", lambda route: route.fulfill(json={"events": [dead], "next_cursor": None}))
    await choose(page, "outcome", "dead")
    await expect(rows(page)).to_contain_text("dead HandlerFailed: no mail server")
    title = await rows(page).locator("time").get_attribute("title")
    assert title is not None
    assert "2026" in title
    assert await rows(page).locator("time").get_attribute("datetime") == "2026-01-01T15:00:00.000Z"


async def test_names_from_outside_cannot_turn_or_hide_what_is_shown(page: Page, service: Running) -> None:
    await send(service, "invoice\u202egnp.exe", "Ada\u202e")
    await send(service, "<img src=x onerror=alert(1)>", "<b>Ada</b>")
    await opened(page, service)
    await expect(rows(page).nth(1).locator(".open")).to_have_text("Ada\\u202e invoice\\u202egnp.exe")
    await expect(rows(page).first.locator(".open")).to_have_text("<b>Ada</b> <img src=x onerror=alert(1)>")
    assert await rows(page).first.locator("bdi").count() > 3
