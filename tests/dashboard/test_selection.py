"""Several events selected, with the pointer and with keys, and replayed or dismissed together."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from hookbridge.model import Outcome
from tests.dashboard.driving import choose, in_bash, opened, rows
from tests.support.books import balanced
from tests.support.events import event, settlement
from tests.support.running import Running, make_settings, running

OUTCOMES = (Outcome.APPLIED, Outcome.DEAD, Outcome.APPLIED, Outcome.DEAD, Outcome.APPLIED, None)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that processes nothing, with six events: the newest is open, of the others two are dead letters."""
    async with running(make_settings(tmp_path), process=False) as one:
        store = one.service.store
        for number, outcome in enumerate(OUTCOMES, start=1):
            await store.append([event(number)], one.service.now())
            if outcome is not None:
                (claim,) = await store.claim("supabase", 1, lease_seconds=60.0)
                await store.settle(settlement(claim, outcome))
        yield one


def box(page: Page, number: int) -> Any:  # noqa: ANN401  a locator
    """The checkbox of an event."""
    return page.get_by_label(f"Select event {number}", exact=True)


async def selected(page: Page) -> list[int]:
    labels = await page.locator("#rows .pick :checked").evaluate_all("all => all.map(one => one.ariaLabel)")
    return [int(label.rpartition(" ")[2]) for label in labels]


async def test_what_is_selected_is_replayed_and_nothing_else(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#selected")).to_be_hidden()
    await box(page, 1).click()
    await box(page, 4).click()
    await expect(page.locator("#panel")).to_be_hidden()
    await expect(page.locator("#selected-count")).to_have_text("2 selected")
    await page.click("#replay-selected")
    await expect(page.locator("#action-title")).to_have_text("Replay 2 events")
    await expect(page.locator("#action .curl")).to_contain_text('{"ids":[1,4],"limit":500}')
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("2 events replayed")
    await page.click("#action .buttons button:has-text('Close')")
    await expect(page.locator("#selected")).to_be_hidden()
    assert await selected(page) == []
    assert await balanced(service) == {"received": 7, "open": 3, "applied": 3, "dead": 1}


async def test_the_call_of_a_selection_works_pasted(page: Page, service: Running) -> None:
    await opened(page, service)
    await box(page, 2).click()
    await page.click("#replay-selected")
    assert json.loads(await in_bash(await page.locator("#action .curl").inner_text()))["replayed"] == 1
    await page.keyboard.press("Escape")
    await expect(box(page, 2)).to_be_disabled()  # it is open again
    await expect(page.locator("#selected")).to_be_hidden()


async def test_a_press_with_shift_selects_all_between_and_takes_them_back(page: Page, service: Running) -> None:
    await opened(page, service)
    await box(page, 5).click()
    await box(page, 2).click(modifiers=["Shift"])
    assert await selected(page) == [5, 4, 3, 2]
    await box(page, 4).click(modifiers=["Shift"])
    assert await selected(page) == [5]
    await page.locator("#rows td.pick").nth(3).click(position={"x": 3, "y": 3})  # beside the box
    assert await selected(page) == [5, 3]
    assert await page.evaluate("getSelection().toString()") == ""


async def test_keys_select(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page)).to_have_count(6)
    for key in ("j", "x", "j", "x", "j", "j", "j", "X"):
        await page.keyboard.press(key)
    assert await selected(page) == [5, 4, 3, 2]  # the first is open: it cannot be
    await box(page, 3).focus()
    await page.keyboard.press("Space")
    assert await selected(page) == [5, 4, 2]
    await page.keyboard.press("k")  # a checkbox is no place to write in
    await expect(rows(page).nth(2).locator(".open")).to_be_focused()
    await page.keyboard.press("Escape")
    assert await selected(page) == []


async def test_all_that_are_shown_are_selected_by_the_head_of_the_table(page: Page, service: Running) -> None:
    await opened(page, service)
    head = page.get_by_label("Select all that are shown")
    await head.click()
    assert await selected(page) == [5, 4, 3, 2, 1]
    await box(page, 3).click()
    assert await head.evaluate("one => [one.checked, one.indeterminate]") == [False, True]
    await page.click("#select-none")
    assert await head.evaluate("one => [one.checked, one.indeterminate]") == [False, False]
    await expect(page.locator("#selected")).to_be_hidden()
    await head.click()
    await head.click()
    assert await selected(page) == []


async def test_the_dead_letters_among_them_are_dismissed_with_a_note(page: Page, service: Running) -> None:
    await opened(page, service)
    await box(page, 1).click()
    await expect(page.locator("#dismiss-selected")).to_be_hidden()
    await box(page, 2).click()
    await page.click("#dismiss-selected")
    await expect(page.locator("#action-title")).to_have_text("Dismiss 1 dead letter")
    await page.fill("#action [name=note]", "a test")
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("1 event dismissed")
    assert await balanced(service) == {"received": 6, "open": 1, "applied": 3, "dead": 1, "ignored": 1}


async def test_other_filters_begin_with_nothing_selected(page: Page, service: Running) -> None:
    await opened(page, service)
    await box(page, 2).click()
    await choose(page, "outcome", "dead")
    await expect(rows(page)).to_have_count(2)
    await expect(page.locator("#selected")).to_be_hidden()
    assert await selected(page) == []


async def test_a_replay_that_fails_keeps_what_is_selected(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((503, "/replay"))

    async def answer(route: Route) -> None:
        if json.loads(route.request.post_data or "").get("dry_run"):
            await route.continue_()
        else:
            await route.fulfill(status=503, json={"error": "unavailable", "message": "The disk is full"})

    await page.route("**/api/v1/events/replay", answer)
    await opened(page, service)
    await box(page, 2).click()
    await page.click("#replay-selected")
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("The disk is full")
    await page.keyboard.press("Escape")
    assert await selected(page) == [2]


async def test_no_more_are_selected_than_one_call_may_name(page: Page, service: Running) -> None:
    store = service.service.store
    await store.append([event(number, ignored=None) for number in range(100, 620)], service.service.now())
    claims = await store.claim("supabase", 1000, lease_seconds=60.0)
    for claim in claims:
        await store.settle(settlement(claim, Outcome.APPLIED))
    await opened(page, service)
    for shown in range(50, 526, 50):
        await expect(rows(page)).to_have_count(shown)
        await page.click("#older")
    await expect(rows(page)).to_have_count(526)
    await page.get_by_label("Select all that are shown").click()
    await expect(page.locator("#selected-count")).to_have_text("500 selected, the most at once")
    await page.click("#replay-selected")
    await expect(page.locator("#action-title")).to_have_text("Replay 500 events")


async def test_on_a_phone_rows_are_selected_and_what_can_be_done_is_at_hand(page: Page, service: Running) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await opened(page, service)
    await box(page, 5).click()
    await expect(page.locator("#panel")).to_be_hidden()
    bar = await page.locator("#selected").bounding_box()
    assert bar is not None
    assert bar["y"] + bar["height"] == 800
    assert bar["x"] == 0
    assert bar["width"] == await page.evaluate("document.documentElement.clientWidth")
    size = await box(page, 5).bounding_box()
    assert size is not None
    assert min(size["width"], size["height"]) >= 20
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
