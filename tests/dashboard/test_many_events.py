"""Every action of the dashboard, while the inbox holds 100,000 events."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from hookbridge.model import Event, RecordKey
from tests.dashboard.test_dashboard import confirm, opened, send
from tests.support.running import Running, make_settings, running

EVENTS = 100_000
BATCH = 2_000


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service with many settled events, and a few that it has applied since."""
    async with running(make_settings(tmp_path)) as one:
        for first in range(0, EVENTS, BATCH):
            await one.service.store.append([old(number) for number in range(first, first + BATCH)], 1.0)
        for number in range(3):
            await send(one, f"new-{number}")
        yield one


def old(number: int) -> Event:
    record = RecordKey("supabase", "public.orders", str(number))
    body = b'{"order": %d, "city": "Rotterdam"}' % number
    return Event(record=record, type="update", format="guide", body=body, ignored="a table that nobody follows")


async def test_lists_filters_and_actions_work_among_100_000_events(page: Page, service: Running) -> None:
    await opened(page, service)
    rows = page.locator("#rows tr")
    await expect(rows).to_have_count(50)
    await page.click("#older")
    await expect(rows).to_have_count(100)
    await page.fill("[name=q]", "99999")
    await page.locator("[name=q]").press("Enter")
    await expect(rows).to_have_count(1)
    await page.fill("[name=q]", "Ada")
    await page.locator("[name=q]").press("Enter")
    await expect(rows).to_have_count(3)
    await page.click("#replay-matching")
    await expect(page.locator("#action h2")).to_have_text("Process 3 events again")
    await confirm(page, '{"q":"Ada"}')
    await expect(rows).to_have_count(6)
    await rows.first.press("Enter")
    await page.click("#replay")
    await confirm(page, "/replay")
    await expect(rows).to_have_count(7)
    await page.keyboard.press("Escape")
    await page.click("[data-view=records]")
    await expect(rows).to_have_count(3)
    await page.click("[data-view=events]")
    await page.click('[data-lane="supabase"]')
    await confirm(page, "/pause")
    await expect(page.locator("#health")).to_contain_text("supabase paused")
    await page.click("#test")
    await page.click("#action button.main")
    await page.select_option("[name=state]", "open")
    await expect(rows).to_have_count(1)
    await page.click('[data-lane="supabase"]')
    await confirm(page, "/resume")
    await expect(rows.first).to_contain_text("public.users")
