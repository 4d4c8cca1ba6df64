"""What a hand does: a key too many does no harm, typing filters, a press is answered at once, a phone shows a list."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import FloatRect, Locator, Page, Route, expect

from tests.dashboard.driving import opened, rows, send
from tests.support.followed import sources
from tests.support.running import ADMIN_TOKEN, Running, make_settings, running
from tests.support.waiting import wait_until


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials that has taken three events."""
    async with running(make_settings(tmp_path)) as one:
        for number, name in enumerate(("Ada", "Grace", "Greta"), start=1):
            await send(one, str(number), name)
        await wait_until(lambda: one.service.store.open_events == 0)
        yield one


@pytest.fixture
def gate() -> asyncio.Event:
    """What is held opens with it."""
    return asyncio.Event()


async def hold(page: Page, gate: asyncio.Event, path: str) -> None:
    """Let no answer of this path through before the gate opens."""

    async def wait(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await page.route(re.compile(path), wait)


async def kept_token(page: Page) -> object:
    return await page.evaluate("sessionStorage.getItem('token')")


# ---------------------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("key", ["Enter", "Space"])
@pytest.mark.parametrize("opener", ["?", "#help"])
async def test_a_key_too_many_behind_the_list_of_keys_closes_it_and_forgets_nothing(
    page: Page, service: Running, opener: str, key: str
) -> None:
    await opened(page, service)
    if opener == "?":
        await page.keyboard.press("?")
    else:
        await page.click(opener)
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press(key)
    await expect(page.locator("#keys")).to_be_hidden()
    assert await kept_token(page) == ADMIN_TOKEN
    await expect(page.locator("#ask")).to_be_hidden()


# ------------------------------------------------------------------------------------------------- verified or skipped


async def test_what_nobody_verified_is_nowhere_called_verified(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page).first).to_contain_text("applied unverified")
    await rows(page).first.locator(".open").click()
    steps = page.locator("#panel .timeline li span:first-child")
    await expect(steps).to_have_text(["received", "stored", "claimed", "unverified", "applied"])
    await expect(page.locator("#panel .timeline .pending")).to_have_text("unverified–")


async def test_an_event_older_than_the_copy_is_not_called_older_than_a_source_that_nobody_asked(
    page: Page, tmp_path: Path
) -> None:
    async with running(make_settings(tmp_path)) as service:
        for at in ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"):
            body = {"event_type": "update", "source": "supabase", "table_name": "users", "record_id": "1"}
            await service.post("/api/v1/webhooks/supabase", {**body, "data": {"id": 1}, "timestamp": at})
            await wait_until(lambda: service.service.store.open_events == 0)
        await opened(page, service)
        await rows(page).first.locator(".open").click()
        await expect(page.locator("#panel .state").first).to_have_text("applied")
        await expect(page.locator("#panel .timeline .pending")).to_have_text("unverified–")


async def test_what_the_source_has_confirmed_is_called_verified_and_when(page: Page, tmp_path: Path) -> None:
    async with sources() as both:
        row = both.supabase.insert("users", {"id": 1, "name": "Ada"})
        async with running(both.settings(tmp_path)) as service:
            body = {"type": "UPDATE", "schema": "public", "table": "users", "record": row, "old_record": None}
            await service.post("/api/v1/webhooks/supabase", body)
            await wait_until(lambda: service.service.store.open_events == 0)
            await opened(page, service, "?origin=webhook")
            await expect(rows(page).locator("td").last).to_have_text("applied")
            await rows(page).first.locator(".open").click()
            step = page.locator("#panel .timeline li").nth(3)
            await expect(step).to_contain_text("verified")
            await expect(step.locator("time")).to_have_count(1)


# -------------------------------------------------------------------------------------------------------------- typing


async def test_a_filter_applies_while_it_is_typed_and_is_one_step_of_the_way_back(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page)).to_have_count(3)
    await page.locator("[name=q]").press_sequentially("gr")
    await expect(rows(page)).to_have_count(2)
    await page.locator("[name=q]").press_sequentially("ace")
    await expect(rows(page)).to_have_count(1)
    await expect(page.locator("[name=q]")).to_be_focused()
    assert "q=grace" in page.url
    await page.go_back()
    await expect(rows(page)).to_have_count(3)
    assert "q=" not in page.url


@pytest.mark.parametrize(
    ("view", "field", "value", "left"),
    [("events", "table", "public.users", 3), ("events", "record_id", "2", 1), ("records", "q", "3", 1)],
)
async def test_every_field_of_every_list_applies_while_it_is_typed(
    page: Page, service: Running, view: str, field: str, value: str, left: int
) -> None:
    await opened(page, service, f"?view={view}")
    await page.locator(f"[name={field}]").press_sequentially(value)
    await page.wait_for_url(f"**{field}={value}*")
    await expect(rows(page)).to_have_count(left)


async def test_what_was_asked_for_a_beginning_is_given_up_when_more_is_typed(
    page: Page, service: Running, gate: asyncio.Event
) -> None:
    await opened(page, service)
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    await hold(page, gate, r"q=g&")
    async with page.expect_request(re.compile(r"q=g&")):
        await page.locator("[name=q]").press_sequentially("g")
    await page.locator("[name=q]").press_sequentially("race")
    await expect(rows(page)).to_have_count(1)
    assert [url for url in given_up if "q=g&" in url]
    await expect(page.locator("#failed")).to_be_hidden()
    gate.set()
    await page.unroute_all(behavior="ignoreErrors")


# ------------------------------------------------------------------------------------------------------------- loading


async def test_a_row_that_is_pressed_shows_that_it_loads_until_it_is_there(
    page: Page, service: Running, gate: asyncio.Event
) -> None:
    await opened(page, service)
    await hold(page, gate, r"/api/v1/events/\d+$")
    await rows(page).nth(1).locator(".open").click()
    await expect(rows(page).nth(1)).to_have_attribute("aria-busy", "true")
    await expect(page.locator("#rows [aria-busy]")).to_have_count(1)
    await expect(rows(page).nth(1)).to_have_css("cursor", "progress")
    gate.set()
    await expect(page.locator("#panel-title")).to_have_text("Event 2")
    await expect(page.locator("#rows [aria-busy]")).to_have_count(0)


async def test_a_row_that_is_left_while_it_loads_does_not_load_any_more(
    page: Page, service: Running, gate: asyncio.Event
) -> None:
    await opened(page, service)
    await hold(page, gate, r"/api/v1/events/\d+$")
    await rows(page).first.locator(".open").click()
    await expect(rows(page).first).to_have_attribute("aria-busy", "true")
    await page.keyboard.press("Escape")
    await expect(page.locator("#rows [aria-busy]")).to_have_count(0)
    gate.set()
    await page.unroute_all(behavior="wait")
    await expect(page.locator("#panel")).to_be_hidden()


async def test_a_panel_a_list_and_a_page_of_it_show_that_they_load(
    page: Page, service: Running, gate: asyncio.Event
) -> None:
    for number in range(60):
        await send(service, f"more-{number}")
    await wait_until(lambda: service.service.store.open_events == 0)
    await opened(page, service)
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel-title")).to_be_focused()
    await hold(page, gate, r"/api/v1/(records|events)\?.*(record_id|cursor|limit=50)")
    await page.click("#its-record")
    await expect(page.locator("#panel")).to_have_attribute("aria-busy", "true")
    await page.click("#older")
    await expect(page.locator("#older")).to_have_text("Loading…")
    await page.click("#tab-records")
    await expect(page.locator("#loading")).to_be_visible()
    gate.set()
    await expect(rows(page)).to_have_count(50)
    await expect(page.locator("#loading")).to_be_hidden()
    await expect(page.locator("#panel")).to_have_attribute("aria-busy", "false")
    await expect(page.locator("#older")).to_have_text("More")


# --------------------------------------------------------------------------------------------------------- how it looks


async def box(one: Locator) -> FloatRect:
    found = await one.bounding_box()
    assert found is not None
    return found


@pytest.mark.parametrize("scrolled", [0, 700])
@pytest.mark.parametrize("side", ["closed", "open"])
async def test_the_news_cover_no_head_of_a_column(page: Page, service: Running, side: str, scrolled: int) -> None:
    for number in range(60):
        await send(service, f"more-{number}")
    await wait_until(lambda: service.service.store.open_events == 0)
    await opened(page, service)
    await expect(rows(page)).to_have_count(50)
    if side == "open":
        await rows(page).first.locator(".open").click()
        await expect(page.locator("#panel-title")).to_be_focused()
    await page.evaluate("to => scrollTo({top: to, behavior: 'instant'})", scrolled)
    await send(service, "new")
    await expect(page.locator("#show-news")).to_be_visible()
    news = await box(page.locator("#show-news"))
    for name in ("header", "#filter", "#columns th:nth-child(4)"):
        other = await box(page.locator(name))
        assert other["y"] + other["height"] <= news["y"] or news["y"] + news["height"] <= other["y"], name


@pytest.mark.parametrize(("view", "most"), [("events", 60), ("records", 60), ("rejected", 80)])
async def test_on_a_phone_a_row_is_two_lines_and_hides_nothing(
    page: Page, service: Running, view: str, most: int
) -> None:
    assert (await service.post("/api/v1/webhooks/supabase", b"{")).status == 400
    await page.set_viewport_size({"width": 390, "height": 800})
    await opened(page, service, f"?view={view}")
    row = rows(page).first
    await expect(row).to_be_visible()
    outer = await box(row)
    assert 40 <= outer["height"] <= most
    for cell in await row.locator("td").all():
        inner = await box(cell)
        assert inner["width"] > 0
        assert outer["x"] <= inner["x"]
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
