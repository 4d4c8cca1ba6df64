"""The switch that lets new events come in by themselves; without it the list stands still and counts them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.dashboard.driving import choose, looked, opened, place_of, rows, send
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that has taken three events."""
    async with running(make_settings(tmp_path)) as one:
        await come(one, *"123")
        yield one


async def come(service: Running, *ids: str) -> None:
    for one in ids:
        await send(service, one, one)
    await wait_until(lambda: service.service.store.open_events == 0)


async def names(page: Page) -> list[str]:
    return await rows(page).locator(".open").all_inner_texts()


async def test_new_events_come_in_at_the_top_while_it_is_on(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")
    await come(service, "4")
    await expect(page.locator("#show-news")).to_have_text("1 newer – show")
    await expect(rows(page)).to_have_count(3)
    await page.click("#live")
    await expect(rows(page)).to_have_count(4)
    await expect(page.locator("#news")).to_be_hidden()
    assert "live=1" in page.url
    await come(service, "5", "6")
    await expect(rows(page)).to_have_count(6)
    assert await names(page) == ["6", "5", "4", "3", "2", "1"]
    await expect(rows(page).first).to_contain_text("applied")
    await page.click("#live")
    assert "live" not in page.url
    await come(service, "7")
    await expect(page.locator("#show-news")).to_have_text("1 newer – show")
    await expect(rows(page)).to_have_count(6)


async def test_the_address_keeps_it_and_a_filter_goes_with_it(page: Page, service: Running) -> None:
    await opened(page, service, "?live=1&record_id=9")
    await expect(page.locator("#live")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#empty")).to_be_visible()
    await come(service, "8", "9")
    await expect(rows(page)).to_have_count(1)
    await come(service, "9", "8", "9")
    await expect(rows(page)).to_have_count(3)
    await choose(page, "record_id", "8")
    await expect(rows(page)).to_have_count(2)
    assert "live=1" in page.url
    await page.keyboard.press("Escape")
    await page.keyboard.press("l")
    await expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")


async def test_nothing_comes_in_above_what_is_being_read_or_selected(page: Page, service: Running) -> None:
    await come(service, *map(str, range(10, 60)))
    await opened(page, service, "?live=1")
    await expect(rows(page)).to_have_count(50)
    await page.evaluate("scrollTo({top: 1200, behavior: 'instant'})")
    before = await place_of(page, 30)
    await come(service, "new")
    await expect(page.locator("#show-news")).to_have_text("1 newer – show")
    assert await place_of(page, 30) == before
    await page.click("#show-news")
    await expect(rows(page).first.locator(".open")).to_have_text("new")
    await page.locator("#rows .pick input").nth(2).click()
    await come(service, "newer")
    await expect(page.locator("#news")).to_be_visible()
    await expect(rows(page).first.locator(".open")).to_have_text("new")
    await page.click("#select-none")
    await expect(rows(page).first.locator(".open")).to_have_text("newer")
    await expect(page.locator("#news")).to_be_hidden()


async def test_what_is_open_beside_stays_and_its_row_with_it(page: Page, service: Running) -> None:
    await opened(page, service, "?live=1")
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel-title")).to_be_focused()
    title = await page.locator("#panel-title").inner_text()
    await come(service, "4")
    await expect(rows(page)).to_have_count(4)
    await expect(page.locator("#panel-title")).to_have_text(title)
    await expect(rows(page).nth(1)).to_have_attribute("aria-current", "true")
    await page.keyboard.press("Escape")
    await expect(rows(page).nth(1).locator(".open")).to_be_focused()


async def test_a_list_that_is_live_does_not_grow_without_end(page: Page, service: Running) -> None:
    await come(service, *map(str, range(100, 297)))
    await opened(page, service, "?live=1")
    for shown in (100, 150, 200):
        await page.click("#older")
        await expect(rows(page)).to_have_count(shown)
    await page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    await come(service, *map(str, range(300, 305)))
    await expect(rows(page).first.locator(".open")).to_have_text("304")
    await expect(rows(page)).to_have_count(200)
    await page.click("#older")
    await expect(rows(page)).to_have_count(205)
    assert (await names(page))[-3:] == ["3", "2", "1"]


async def test_more_than_a_look_shows_begin_the_list_anew(page: Page, service: Running) -> None:
    await opened(page, service, "?live=1")
    await expect(rows(page)).to_have_count(3)
    await service.service.holds.pause("supabase")
    gate = asyncio.Event()

    async def wait(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await page.route("**/api/v1/events?*", wait)
    for number in range(110):
        await send(service, f"many-{number}", f"many-{number}")
    gate.set()
    await expect(rows(page).first.locator(".open")).to_have_text("many-109")
    await expect(rows(page)).to_have_count(50)
    await looked(page)
    await expect(rows(page)).to_have_count(50)
    await page.unroute_all(behavior="wait")
