"""The dashboard in a real browser, against a running service."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from hookbridge.observe.history import History
from tests.support.running import ADMIN_TOKEN, Running, make_settings, running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials that has taken one event."""
    async with running(make_settings(tmp_path)) as one:
        await send(one, "1")
        yield one


async def send(service: Running, record_id: str, name: str = "Ada") -> None:
    body = {
        "type": "INSERT",
        "schema": "public",
        "table": "users",
        "record": {"id": record_id, "name": name},
        "old_record": None,
    }
    answer = await service.post("/api/v1/webhooks/supabase", body)
    assert answer.status == 202


async def opened(page: Page, service: Running, query: str = "") -> None:
    await page.goto(f"{service.url}/{query}#token={ADMIN_TOKEN}")
    await expect(page.locator("#health")).to_contain_text("Converged")


async def test_the_first_line_says_whether_it_is_healthy(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#figures div", has=page.get_by_text("Applied", exact=True)).locator("dd")).to_have_text(
        "1"
    )
    assert ADMIN_TOKEN not in page.url


async def test_the_token_is_asked_for_and_kept_by_the_tab(page: Page, service: Running) -> None:
    await page.goto(service.url)
    await page.fill("#token", ADMIN_TOKEN)
    await page.click("#ask button")
    await expect(page.locator("#health")).to_contain_text("Converged")
    await page.reload()
    await expect(page.locator("#health")).to_contain_text("Converged")
    await expect(page.locator("#ask")).to_be_hidden()


async def confirm(page: Page, part_of_the_call: str) -> None:
    """Look at the call that the action shows, then do it."""
    await expect(page.locator("#action .curl").first).to_contain_text(part_of_the_call)
    assert ADMIN_TOKEN not in await page.locator("#action").inner_text()
    await page.click("#action button.main")
    await expect(page.locator("#action")).to_be_hidden()


async def test_a_source_is_paused_and_resumed(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.click('[data-lane="supabase"]')
    await confirm(page, "/api/v1/sources/supabase/pause")
    await expect(page.locator("#health")).to_contain_text("supabase paused")
    await page.click('[data-lane="supabase"]')
    await confirm(page, "/api/v1/sources/supabase/resume")
    await expect(page.locator("#health")).to_contain_text("Converged")


async def test_an_event_shows_its_way_and_is_processed_again(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.locator("#rows tr").first.press("Enter")
    panel = page.locator("#panel")
    for text in ("Ada", "received", "claimed", "verified", "applied", "content-type: application/json"):
        await expect(panel).to_contain_text(text)
    await page.click("#replay")
    await confirm(page, "/replay")
    await expect(page.locator("#rows tr")).to_have_count(2)
    await expect(page.locator("#rows tr").first).to_contain_text("replay")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()


async def test_all_that_match_are_counted_and_then_processed_again(page: Page, service: Running) -> None:
    await send(service, "2")
    await opened(page, service, "?source=supabase")
    await expect(page.locator("#rows tr")).to_have_count(2)
    await page.click("#replay-matching")
    await expect(page.locator("#action h2")).to_have_text("Process 2 events again")
    await confirm(page, '{"source":"supabase"}')
    await expect(page.locator("#rows tr")).to_have_count(4)


async def test_a_test_event_is_tried_and_sent(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.click("#test")
    await page.fill("#action textarea", "{")
    await page.click("text=Only try")
    await expect(page.locator("#action .bad")).to_be_visible()
    body = '{"event_type":"insert","source":"supabase","table_name":"users","record_id":"7","data":{"id":7}}'
    await page.fill("#action textarea", body)
    await page.click("text=Only try")
    await expect(page.locator("#action")).to_contain_text("It would be processed")
    await page.click("#action button.main")
    await expect(page.locator("#rows tr")).to_have_count(2)


async def test_filters_stand_in_the_address(page: Page, service: Running) -> None:
    await opened(page, service, "?record_id=2")
    await expect(page.locator("#empty")).to_be_visible()
    await page.fill("[name=record_id]", "1")
    await page.locator("[name=record_id]").press("Enter")
    await expect(page.locator("#rows tr")).to_have_count(1)
    assert "record_id=1" in page.url
    await page.fill("[name=q]", "grace")
    await page.locator("[name=q]").press("Enter")
    await expect(page.locator("#empty")).to_be_visible()


async def test_records_are_listed_and_one_is_shown(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.click("[data-view=records]")
    await expect(page.locator("#rows tr")).to_have_count(1)
    assert "view=records" in page.url
    await page.locator("#rows tr").first.click()
    await expect(page.locator("#panel")).to_contain_text("Ada")
    await page.click("#verify")
    await page.click("#action button.main")
    await expect(page.locator("#action .bad")).to_contain_text("no credentials")
    await page.click("text=Cancel")
    await page.click("text=Its events")
    await expect(page.locator("#rows tr")).to_have_count(1)
    assert "record_id=1" in page.url


async def test_a_refused_webhook_is_listed_with_its_reason(page: Page, service: Running) -> None:
    assert (await service.post("/api/v1/webhooks/supabase", b"{")).status == 400
    await opened(page, service, "?view=rejected")
    await expect(page.locator("#rows tr")).to_contain_text("invalid_json")
    await page.locator("#rows tr").first.click()
    await expect(page.locator("#panel")).to_contain_text("Refused with 400")


async def test_what_comes_in_is_announced_and_moves_nothing(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#rows tr")).to_have_count(1)
    await send(service, "2", "<b>Grace</b>")
    await expect(page.locator("#show-news")).to_have_text("1 newer – show")
    await expect(page.locator("#rows tr")).to_have_count(1)
    await page.click("#show-news")
    await expect(page.locator("#rows tr")).to_have_count(2)


async def test_the_keys_move_open_search_and_process_again(page: Page, service: Running) -> None:
    await send(service, "2")
    await opened(page, service)
    await expect(page.locator("#rows tr")).to_have_count(2)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(page.locator("#rows tr").nth(1)).to_be_focused()
    await page.keyboard.press("k")
    await expect(page.locator("#rows tr").first).to_be_focused()
    await page.keyboard.press("r")
    await expect(page.locator("#action h2")).to_contain_text("again")
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.locator("[name=q]")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()


async def test_the_chart_is_of_an_hour_or_a_day(page: Page, service: Running) -> None:
    history = History(service.service._counts, lambda: later)
    service.service.history = history
    later = 100.0
    await history.sample()
    later = 110.0
    await send(service, "2")
    await send(service, "3")
    await history.sample()
    await opened(page, service)
    await expect(page.locator("#chart-values")).to_contain_text("2 received")
    await page.click("[data-hours='24']")
    await expect(page.locator("[data-hours='24']")).to_have_attribute("aria-pressed", "true")
    assert "hours=24" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone(page: Page, service: Running, scheme: Literal["light", "dark"]) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": 360, "height": 740})
    await opened(page, service)
    await expect(page.locator("#rows tr")).to_have_count(1)
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_its_files_are_all_that_is_served(service: Running) -> None:
    assert (await service.get("/dashboard/__init__.py", headers={})).status == 404
    page = await service.get("/", headers={})
    assert page.status == 200
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]
