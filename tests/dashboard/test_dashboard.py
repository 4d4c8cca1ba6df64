"""The dashboard in a real browser, against a running service."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

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
    await expect(page.locator("#figures div", has_text="Applied").locator("dd")).to_have_text("1")
    assert ADMIN_TOKEN not in page.url


async def test_the_token_is_asked_for_and_kept_by_the_tab(page: Page, service: Running) -> None:
    await page.goto(service.url)
    await page.fill("#token", ADMIN_TOKEN)
    await page.click("#ask button")
    await expect(page.locator("#health")).to_contain_text("Converged")
    await page.reload()
    await expect(page.locator("#health")).to_contain_text("Converged")
    await expect(page.locator("#ask")).to_be_hidden()


async def test_a_source_is_paused_and_resumed(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.click('[data-lane="supabase"]')
    await expect(page.locator("#health")).to_contain_text("supabase is held")
    await page.click('[data-lane="supabase"]')
    await expect(page.locator("#health")).to_contain_text("Converged")


async def test_an_event_is_shown_and_processed_again(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.locator("#events tr").first.press("Enter")
    await expect(page.locator("#detail-event")).to_contain_text("Ada")
    await expect(page.locator("#curl")).to_contain_text("/replay")
    await page.click("#replay")
    await expect(page.locator("#events tr")).to_have_count(2)
    await expect(page.locator("#events tr").first).to_contain_text("replay")


async def test_filters_stand_in_the_address(page: Page, service: Running) -> None:
    await opened(page, service, "?record_id=2")
    await expect(page.locator("#empty")).to_be_visible()
    await page.fill("[name=record_id]", "1")
    await page.locator("[name=record_id]").press("Enter")
    await expect(page.locator("#events tr")).to_have_count(1)
    assert "record_id=1" in page.url


async def test_what_comes_in_is_announced_and_moves_nothing(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#events tr")).to_have_count(1)
    await send(service, "2", "<b>Grace</b>")
    await expect(page.locator("#news")).to_be_visible()
    await expect(page.locator("#events tr")).to_have_count(1)
    await page.click("#newest")
    await expect(page.locator("#events tr")).to_have_count(2)


async def test_it_fits_a_phone(page: Page, service: Running) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await opened(page, service)
    await expect(page.locator("#events tr")).to_have_count(1)
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_its_files_are_all_that_is_served(service: Running) -> None:
    assert (await service.get("/dashboard/__init__.py", headers={})).status == 404
    page = await service.get("/", headers={})
    assert page.status == 200
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]
