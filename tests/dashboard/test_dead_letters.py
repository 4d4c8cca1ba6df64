"""Dead letters by their reasons: groups that are shown, replayed and dismissed, as a whole or a table of them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from hookbridge.model import Outcome
from tests.dashboard.driving import choose, figure, in_bash, opened, rows
from tests.support.books import balanced
from tests.support.events import event, settlement
from tests.support.running import Running, make_settings, running

EVIL = "<img src=x onerror=alert(1)> \u202egnp.exe"
LETTERS = (("no user 41", "users"), ("no user 42", "users"), (EVIL, "users"), ("no user 43", "orders"))


async def die(service: Running, number: int, reason: str, table: str = "users") -> None:
    """Let an event come and become a dead letter."""
    store = service.service.store
    await store.append([event(number, table=f"public.{table}")], service.service.now())
    (claim,) = await store.claim("supabase", 1, lease_seconds=60.0)
    await store.settle(settlement(claim, Outcome.DEAD, reason=reason))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that processes nothing, with four dead letters of two reasons and two tables."""
    async with running(make_settings(tmp_path), process=False) as one:
        for number, (reason, table) in enumerate(LETTERS, start=1):
            await die(one, number, reason, table)
        yield one


async def group(page: Page, service: Running, query: str = "") -> None:
    """Open the panel of the largest group."""
    await opened(page, service, f"?view=dead{query}")
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel-title")).to_be_focused()


async def shown_body(page: Page) -> dict[str, Any]:
    """What the call that is shown sends."""
    words = await page.locator("#action .curl").inner_text()
    body: dict[str, Any] = json.loads(words.partition("--data-raw '")[2].partition("' \\")[0])
    return body


async def test_a_figure_leads_to_the_groups_with_their_counts_and_tables(page: Page, service: Running) -> None:
    await opened(page, service)
    await figure(page, "Dead letters").locator("a").click()
    await expect(page.locator("#tab-dead")).to_have_attribute("aria-selected", "true")
    await expect(rows(page)).to_have_count(2)
    cells = rows(page).first.locator("td")
    await expect(cells.nth(0)).to_have_text("3")
    await expect(cells.nth(1)).to_have_text("no user …")
    await expect(cells.nth(2)).to_have_text("users 2, orders 1")
    await expect(rows(page).first.locator("time")).to_have_count(2)
    await expect(rows(page).nth(1).locator(".open")).to_have_text("<img src=x onerror=alert(…)> \\u202egnp.exe")
    assert page.url.endswith("?view=dead")


async def test_a_group_is_dismissed_with_a_note_after_its_dialog_has_said_how_many(
    page: Page, service: Running
) -> None:
    await group(page, service)
    await page.click("#panel >> text=Dismiss… >> nth=0")
    await expect(page.locator("#action-title")).to_have_text("Dismiss 3 dead letters")
    await expect(page.locator("#action p").first).to_contain_text("ignored from now on")
    await expect(page.locator("#action [name=note]")).to_be_focused()
    await page.keyboard.type("it's <b>gone</b>")
    await page.keyboard.press("Enter")  # does nothing: it is a note
    assert await balanced(service) == {"received": 4, "dead": 4}
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_have_text("3 events dismissed. They count as ignored.")
    await page.click("#action .buttons button:has-text('Close')")
    assert await balanced(service) == {"received": 4, "dead": 1, "ignored": 3}
    await expect(page.locator("#panel-title")).to_have_text("No dead letter is left")
    await expect(page.locator("#rows tr.left")).to_have_count(1)
    await expect(rows(page).first.locator("td").first).to_have_text("0")
    found = await (await service.get("/api/v1/events/4")).json()
    assert found["reason"] == "dismissed (it's <b>gone</b>): no user 43"


async def test_the_call_of_a_dismissal_works_pasted_with_its_note(page: Page, service: Running) -> None:
    await group(page, service)
    await page.click("#panel >> text=Dismiss… >> nth=0")
    await page.fill("#action [name=note]", "it's $HOME")
    assert json.loads(await in_bash(await page.locator("#action .curl").inner_text()))["dismissed"] == 3
    assert (await (await service.get("/api/v1/events/1")).json())["reason"] == "dismissed (it's $HOME): no user 41"
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_have_text("0 events dismissed. They count as ignored.")


async def test_one_table_of_a_group_is_dismissed_and_the_rest_is_shown_in_place(page: Page, service: Running) -> None:
    await group(page, service)
    await expect(page.locator("#panel .tables li")).to_have_count(2)
    await page.get_by_role("button", name="Dismiss… (users)").click()
    await expect(page.locator("#action-title")).to_have_text("Dismiss 2 dead letters")
    assert await shown_body(page) == {
        "outcome": "dead", "reason": "no user …", "source": "supabase", "table": "public.users", "limit": 500,
    }  # fmt: skip
    await page.click("#action button.main")
    await page.click("#action .buttons button:has-text('Close')")
    await expect(page.locator("#panel-title")).to_have_text("1 dead letter")
    await expect(rows(page).first).to_contain_text("orders 1")
    assert await balanced(service) == {"received": 4, "dead": 2, "ignored": 2}


async def test_a_group_is_replayed_as_far_as_the_filters_of_the_list_go(page: Page, service: Running) -> None:
    await group(page, service, "&table=public.orders")
    await expect(page.locator("#panel-title")).to_have_text("1 dead letter")
    await page.click("#panel >> text=Replay… >> nth=0")
    await expect(page.locator("#action-title")).to_have_text("Replay 1 event")
    assert await shown_body(page) == {"outcome": "dead", "reason": "no user …", "table": "public.orders", "limit": 500}
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("1 event replayed")
    assert await balanced(service) == {"received": 4, "dead": 3, "open": 1}


async def test_a_group_leads_to_its_events_and_to_its_newest_one(page: Page, service: Running) -> None:
    await group(page, service)
    await page.click("#its-events")
    await expect(rows(page)).to_have_count(3)
    await expect(page.locator("[name=reason]")).to_have_value("no user …")
    await expect(page.locator("[name=outcome]")).to_have_value("dead")
    await choose(page, "table", "public.orders")
    await expect(rows(page)).to_have_count(1)
    assert "reason=" in page.url
    await page.go_back()
    await page.go_back()
    await expect(page.locator("#panel-title")).to_have_text("3 dead letters")
    await page.get_by_role("button", name="event 4").click()
    await expect(page.locator("#panel .reason")).to_have_text("no user 43")


async def test_what_dies_meanwhile_is_counted_in_place_and_a_new_reason_announced(page: Page, service: Running) -> None:
    await opened(page, service, "?view=dead")
    await expect(rows(page)).to_have_count(2)
    await die(service, 5, "no user 99")
    await expect(rows(page).first.locator("td").first).to_have_text("4")
    await die(service, 6, "no page")
    await expect(page.locator("#show-news")).to_have_text("1 more – show")
    await expect(rows(page)).to_have_count(2)
    await page.click("#show-news")
    await expect(rows(page)).to_have_count(3)


async def test_where_there_is_none_it_is_said_what_would_be_here(page: Page, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        await opened(page, service, "?view=dead")
        await expect(page.locator("#empty")).to_contain_text("There is no dead letter. What a handler or a source")
        await choose(page, "source", "notion")
        await expect(page.locator("#empty")).to_have_text("No dead letter matches. Fewer filters show more.")


async def test_the_keys_replay_and_dismiss_the_group_that_is_chosen(page: Page, service: Running) -> None:
    await opened(page, service, "?view=dead")
    await expect(rows(page)).to_have_count(2)
    for key, title in (("r", "Replay 3 events"), ("d", "Dismiss 3 dead letters")):
        await page.keyboard.press("j" if key == "r" else "Escape")
        await page.keyboard.press(key)
        await expect(page.locator("#action-title")).to_have_text(title)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Enter")
    await expect(page.locator("#panel-title")).to_have_text("3 dead letters")
    assert await balanced(service) == {"received": 4, "dead": 4}


async def test_on_a_phone_a_group_is_two_lines_and_its_panel_fits(page: Page, service: Running) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await opened(page, service, "?view=dead")
    outer = await rows(page).first.bounding_box()
    assert outer is not None
    assert 40 <= outer["height"] <= 60
    for cell in await rows(page).first.locator("td").all():
        inner = await cell.bounding_box()
        assert inner is not None
        assert outer["x"] <= inner["x"] < inner["x"] + inner["width"] <= outer["x"] + outer["width"]
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel-title")).to_be_focused()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.locator("#panel").evaluate("one => one.scrollWidth <= one.clientWidth")


async def test_what_has_the_focus_stays_what_it_is_when_the_event_dies(page: Page, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        await service.service.store.append([event(1)], service.service.now())
        await opened(page, service, "?open=1")
        await page.locator("#verify").focus()
        (claim,) = await service.service.store.claim("supabase", 1, lease_seconds=60.0)
        await service.service.store.settle(settlement(claim, Outcome.DEAD, reason="no such user"))
        await expect(page.locator("#panel .reason")).to_have_text("no such user")
        await expect(page.locator("#verify")).to_be_focused()
