"""The outbox at Supabase on the page: how taking from it goes, and what to do; nothing where no table is pulled."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.driving import opened
from tests.service.test_pull import KEY, pulled
from tests.support.outboxes import OutboxStandin
from tests.support.running import running


@pytest.fixture
async def there() -> AsyncIterator[OutboxStandin]:
    async with OutboxStandin(key=KEY) as supabase:
        supabase.create_table("users", {"id": "bigint", "name": "text"})
        yield supabase


async def test_the_card_of_supabase_says_what_waits_and_why_nothing_is_taken(
    page: Page, tmp_path: Path, there: OutboxStandin
) -> None:
    async with running(pulled(tmp_path, there)) as service:
        await opened(page, service)
        outbox = page.locator("#sources [data-source=supabase] [data-outbox]")
        await expect(outbox).to_contain_text("Outbox running · 0 waiting")
        there.installed = False
        await expect(outbox).to_contain_text("Outbox refused")
        await expect(outbox).to_contain_text("trigger-sql --pull")
        await expect(page.locator("#attention")).to_contain_text("Supabase's outbox gives us no changes")
        await expect(page.locator("#sources [data-source=notion] [data-outbox]")).to_have_count(0)


async def test_where_no_table_is_pulled_there_is_no_outbox(page: Page, tmp_path: Path, there: OutboxStandin) -> None:
    async with running(pulled(tmp_path, there, supabase={"tables": [{"name": "users"}]})) as service:
        await opened(page, service)
        await expect(page.locator("#sources [data-source=supabase]")).to_contain_text("users following")
        await expect(page.locator("[data-outbox]")).to_have_count(0)
