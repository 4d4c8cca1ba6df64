"""Every action of the dashboard, while the inbox holds 100,000 events of 1 KB that were applied, coalesced, or died."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from hookbridge.standins import PostgrestStandin
from tests.dashboard.driving import choose, confirm, figure, in_bash, opened, rows
from tests.dashboard.seeded import DEAD, EVENTS, NEEDLE, NEEDLES, Seeded, serving
from tests.support.running import Running
from tests.support.waiting import wait_until


@pytest.fixture
async def world(seeded: Seeded, tmp_path: Path) -> AsyncIterator[tuple[Running, PostgrestStandin]]:
    """The service, and the source that it follows."""
    async with serving(seeded, tmp_path) as made:
        yield made


@pytest.fixture
def service(world: tuple[Running, PostgrestStandin]) -> Running:
    """The service."""
    return world[0]


async def test_it_says_what_is_wrong_and_counts_all(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#health-text")).to_have_text("2\u202f000 dead letters")
    await expect(figure(page, "Received")).to_have_text("100\u202f000")
    await expect(page.locator("#attention-title")).to_have_text("Needs attention (1)")
    await page.click("#attention a")
    await expect(rows(page)).to_have_count(1)
    await expect(rows(page).first).to_contain_text("2\u202f000HandlerFailed: the mail server did not answer")
    assert page.url.endswith("?view=dead")
    assert EVENTS == 100_000


async def test_older_pages_and_an_old_row_are_found(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page)).to_have_count(50)
    await page.click("#older")
    await expect(rows(page)).to_have_count(100)
    await choose(page, "q", NEEDLE)
    await expect(page.locator("#empty")).to_contain_text("Nothing among the latest")
    older = page.locator("#older")
    for _ in range(EVENTS // 20_000):
        if await rows(page).count():
            break
        async with page.expect_response(re.compile("cursor=")):
            await older.click()
        await expect(older).not_to_have_text("Loading…")
    await expect(rows(page)).to_have_count(NEEDLES)
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel")).to_contain_text(NEEDLE)
    await expect(page.locator("#panel")).to_contain_text('"amount": 9007199254740993')


FILTERS = (
    ("source", "supabase", "supabase"), ("state", "settled", "webhook"), ("outcome", "coalesced", "coalesced"),
    ("outcome", "ignored", "ignored"), ("origin", "webhook", "webhook"), ("table", "invoices", "invoices"),
    ("record_id", "17", "17"), ("q", "Rotterdam", "update"),
)  # fmt: skip


async def test_each_filter_finds_its_events(page: Page, service: Running) -> None:
    await opened(page, service)
    for name, value, shown in FILTERS:
        await choose(page, name, value)
        await expect(rows(page)).to_have_count(50)
        await expect(rows(page).first).to_contain_text(shown)
        await page.click("#clear")
        await expect(page.locator("#clear")).to_be_hidden()


async def test_one_event_is_replayed_and_its_record_verified_and_compared(
    page: Page, world: tuple[Running, PostgrestStandin]
) -> None:
    service, supabase = world
    await opened(page, service, "?outcome=applied&table=public.customers")
    await rows(page).nth(3).locator(".open").click()
    await page.click("#replay")
    await confirm(page, "/replay")
    await expect(page.locator("#panel-said")).to_contain_text("the copy was equal")
    await page.click("#its-record")
    await expect(page.locator("#panel pre").last).to_contain_text('"city"')
    id_ = int(await page.locator("#panel .content bdi").first.inner_text())
    supabase.update("customers", id_, {"city": "Ghent"})
    await page.click("#compare")
    await expect(page.locator("#diff")).to_contain_text('+ city: "Ghent"')
    await page.click("#verify")
    await confirm(page, "/verify")
    await expect(page.locator("#panel-said")).to_contain_text("the copy has changed")
    await page.click("#compare")
    await expect(page.locator("#diff")).to_have_text("Copy and source are equal.")


async def test_all_dead_letters_are_counted_replayed_stopped_and_gone_on_with(page: Page, service: Running) -> None:
    await opened(page, service, "?outcome=dead")
    await expect(rows(page)).to_have_count(50)
    await page.click("#replay-matching")
    await expect(page.locator("#action-title")).to_have_text("Replay 2\u202f000 events")
    await expect(page.locator("#action .curl")).to_contain_text('{"outcome":"dead","limit":500')
    # The second page is held back until the reader has stopped.
    sent: list[dict[str, object]] = []

    async def note(route: object) -> None:
        sent.append(route.request.post_data_json)  # type: ignore[attr-defined]
        if len(sent) == 2:
            await page.click("#action .buttons button:has-text('Stop')")
        await route.continue_()  # type: ignore[attr-defined]

    await page.route("**/api/v1/events/replay", note)
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_have_text("Stopped. 1\u202f000 events of 2\u202f000 replayed.")
    await expect(page.locator("#action progress")).to_have_attribute("value", "1000")
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("2\u202f000 events replayed")
    assert [one.get("limit") for one in sent] == [500] * len(sent)
    assert [one.get("cursor") is None for one in sent] == [True, *[False] * (len(sent) - 1)]
    await page.click("#action .buttons button:has-text('Close')")
    await wait_until(lambda: service.service.store.open_events == 0)
    await expect(page.locator("#health-text")).to_have_text("Converged: every event is settled")
    await expect(page.locator("#rows tr.left")).to_have_count(50)
    assert DEAD == 2_000


async def test_a_group_of_dead_letters_is_dismissed_page_by_page(page: Page, service: Running) -> None:
    await opened(page, service, "?view=dead&table=public.orders")
    before = (await service.service.store.totals()).books
    many = int(re.sub(r"\D", "", await rows(page).first.locator("td").first.inner_text()))
    assert 500 < many < DEAD
    await rows(page).first.locator(".open").click()
    await page.click("#panel >> text=Dismiss… >> nth=0")
    await page.fill("#action [name=note]", "no mail any more")
    await expect(page.locator("#action .curl")).to_contain_text("while page=")
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("events dismissed. They count as ignored.")
    after = (await service.service.store.totals()).books
    assert (after.dead, after.ignored) == (before.dead - many, before.ignored + many)


async def test_the_loop_that_is_shown_replays_them_all_when_it_is_pasted(page: Page, service: Running) -> None:
    await opened(page, service, "?outcome=dead")
    await page.click("#replay-matching")
    printed = await in_bash(await page.locator("#action .curl").inner_text())
    assert sum(json.loads(line)["replayed"] for line in printed.splitlines()) == DEAD


async def test_a_source_is_paused_a_test_event_waits_and_is_settled_when_it_goes_on(
    page: Page, service: Running
) -> None:
    await opened(page, service)
    await page.click('[data-lane="supabase"]')
    await confirm(page, "/pause")
    await expect(page.locator("#sources [data-source=supabase] .state")).to_have_text("paused")
    await page.click("#test")
    await page.click("text=Only try")
    await expect(page.locator("#action .said")).to_contain_text("It would be processed")
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("waits for its turn")
    await page.click("#action .buttons button:has-text('Close')")
    await choose(page, "state", "open")
    await expect(rows(page)).to_have_count(1)
    await page.click('[data-lane="supabase"]')
    await confirm(page, "/resume")
    await expect(page.locator("#rows tr.left")).to_have_count(1)
    await expect(rows(page).first).to_contain_text("applied")


async def test_records_and_refused_webhooks_are_listed(page: Page, service: Running) -> None:
    await service.post("/api/v1/webhooks/supabase", b"{")
    await opened(page, service, "?view=records&table=public.orders")
    await expect(rows(page)).to_have_count(50)
    await page.click("#older")
    await expect(rows(page)).to_have_count(100)
    await choose(page, "q", "Ghent")
    await expect(page.locator("#empty")).to_be_visible()
    await choose(page, "q", "Delft")
    await expect(rows(page)).to_have_count(50)
    await page.click("#tab-rejected")
    await expect(rows(page)).to_contain_text("invalid_json")


async def test_the_keys_go_through_the_list(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page)).to_have_count(50)
    for key in ("j", "j", "j", "k", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("#panel-title")).to_be_focused()
    await page.keyboard.press("j")
    third = await rows(page).nth(2).get_attribute("data-key")
    await expect(page.locator("#panel-title")).to_have_text(f"Event {(third or '').partition('@')[0]}")
    await page.keyboard.press("Escape")
    await expect(rows(page).nth(2).locator(".open")).to_be_focused()
    await page.keyboard.press("r")
    await expect(page.locator("#action-title")).to_contain_text("Replay event")
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await page.keyboard.type(NEEDLE)
    await page.keyboard.press("Enter")
    await expect(page.locator("#empty")).to_contain_text("Nothing among the latest")
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
