"""The filter by when events came: spans back from now, and free times in the reader's own time zone."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.driving import choose, in_bash, module, opened, rows, send
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that has taken two events just now."""
    async with running(make_settings(tmp_path)) as one:
        await send(one, "1")
        await send(one, "2")
        await wait_until(lambda: one.service.store.open_events == 0)
        yield one


async def later(page: Page, minutes: float) -> None:
    """Let the browser believe that it is so much later."""
    await page.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=minutes))


def asked_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


async def test_a_span_shows_what_came_within_it_and_stands_in_the_address(page: Page, service: Running) -> None:
    await later(page, 30)
    await opened(page, service)
    await expect(rows(page)).to_have_count(2)
    for span, minutes, found in (("15m", 30, 0), ("1h", 30, 2), ("1h", 61, 0), ("24h", 61, 2), ("7d", 61, 2)):
        await later(page, minutes)
        await choose(page, "span", "")
        await expect(rows(page)).to_have_count(2)
        await choose(page, "span", span)
        await expect(page.locator("#empty")).to_be_visible(visible=found == 0)
        await expect(rows(page)).to_have_count(found)
        assert asked_of(page) == {"span": [span]}
    await page.reload()
    await expect(page.locator("[name=span]")).to_have_value("7d")
    await expect(rows(page)).to_have_count(2)
    await page.click("#clear")
    await expect(page.locator("[name=span]")).to_have_value("")


async def test_free_times_are_in_the_readers_zone_and_in_utc_in_the_address(page: Page, service: Running) -> None:
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kolkata"})  # 5 h 30 min before UTC
    await opened(page, service, "?since=2026-01-01T15:00:00Z&until=2026-01-01T16:00:00&source=supabase")
    await expect(page.locator("#empty")).to_contain_text("No event matches")
    await expect(page.locator("[name=span]")).to_have_value("free")
    await expect(page.locator("[name=since]")).to_have_value("2026-01-01T20:30")
    await expect(page.locator("[name=until]")).to_have_value("2026-01-01T21:30")
    await page.fill("[name=until]", "2999-01-02T03:04:05")
    await expect(rows(page)).to_have_count(2)
    assert asked_of(page)["until"] == ["2999-01-01T21:34:05Z"]
    assert asked_of(page)["since"] == ["2026-01-01T15:00:00Z"]
    await page.fill("[name=since]", "2998-01-01T00:00")
    await expect(rows(page)).to_have_count(0)
    await choose(page, "span", "")
    await expect(page.locator("[name=since]")).to_be_hidden()
    await expect(rows(page)).to_have_count(2)
    assert asked_of(page) == {"source": ["supabase"]}


async def test_free_times_fit_on_a_phone(page: Page, service: Running) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await opened(page, service, "?since=2026-01-01")
    await expect(rows(page)).to_have_count(2)
    await expect(page.locator("[name=until]")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_free_times_begin_with_what_was_shown(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("[name=since]")).to_be_hidden()
    await choose(page, "span", "free")
    await expect(page.locator("[name=since]")).to_be_visible()
    await expect(rows(page)).to_have_count(2)
    assert asked_of(page) == {}
    await choose(page, "span", "1h")
    await expect(page.locator("[name=since]")).to_be_hidden()
    await choose(page, "span", "free")
    (since,) = asked_of(page)["since"]
    assert timedelta(minutes=59) < datetime.now(UTC) - datetime.fromisoformat(since) < timedelta(minutes=61)


@pytest.mark.parametrize("filters", ["span=9y", "since=yesterday"])
async def test_a_time_that_is_none_is_said_and_never_means_all(
    page: Page, service: Running, filters: str, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((422, "/api/v1/events"))
    await opened(page, service, f"?{filters}")
    await expect(page.locator("#failed")).to_be_visible()
    await expect(rows(page)).to_have_count(0)


async def test_a_replay_of_a_span_is_of_the_events_that_are_shown(page: Page, service: Running) -> None:
    await opened(page, service, "?span=1h")
    await expect(rows(page)).to_have_count(2)
    await page.click("#replay-matching")
    await expect(page.locator("#action-title")).to_have_text("Replay 2 events")
    shown = await page.locator("#action .curl").inner_text()
    assert '"since":"2' in shown
    assert "span" not in shown
    assert json.loads(await in_bash(shown))["replayed"] == 2


@pytest.mark.parametrize(
    ("written", "field"),
    [("2026-01-01", "2026-01-01T00:00"), ("2026-01-01T15:00:00+05:30", "2026-01-01T09:30"), ("soon", "")],
)
async def test_a_field_shows_every_way_to_write_a_time(page: Page, service: Running, written: str, field: str) -> None:
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
    await opened(page, service)
    ask = "it.rangeFields(new URLSearchParams({since: given[0]}))[1].lastChild.value"
    assert await module(page, "range.js", ask, written) == field
