"""The first line, the figures, and what needs somebody: they say what has been seen, and no more."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from hookbridge.errors import SourceUnavailable
from tests.dashboard.driving import confirm, figure, looked, module, opened, rows, send
from tests.support.followed import sources
from tests.support.running import ADMIN_TOKEN, Running, make_settings, running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials."""
    async with running(make_settings(tmp_path)) as one:
        yield one


LANE: dict[str, Any] = {
    "source": "supabase", "state": "running", "reason": None, "since": None, "next_probe_at": None, "queued": 0,
    "busy": 0, "has_credentials": True, "waiting": [],
}  # fmt: skip
BOOKS = {"received": 9, "open": 0, "applied": 9, "coalesced": 0, "ignored": 0, "dead": 0}


def ago(seconds: float) -> str:
    """A time as the API writes it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def table(**more: object) -> dict[str, object]:
    now = ago(0)
    return {
        "source": "supabase", "table": "public.users", "state": "following", "reason": None, "listed": 40, "total": 900,
        "watermark": None, "last_poll_at": now, "last_sweep_at": now, "poll_gap_seconds": 30.0, "lag_seconds": 0.1,
        **more,
    }  # fmt: skip


def standing(
    lane: dict[str, object] | None = None,
    tables: list[dict[str, object]] | None = None,
    books: dict[str, int] | None = None,
    age: float | None = None,
    fault: dict[str, str] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What /readyz and /stats answer."""
    ready = {
        "ready": fault is None, "inbox_writable": fault is None, "store_fault": fault, "warnings": [],
        "lanes": [{**LANE, **(lane or {})}],
        "tables": [table()] if tables is None else tables,
    }  # fmt: skip
    all_books = {**BOOKS, **(books or {})}
    stats = {
        "books": all_books, "books_balanced": True, "oldest_open_event_age_seconds": age,
        "events_by_source": {"supabase": all_books["received"], "notion": 0},
    }  # fmt: skip
    return ready, stats


LONG_AGO = "1970-01-01T00:00:01Z"
DOWN: dict[str, object] = {"state": "down", "next_probe_at": LONG_AGO, "reason": "no answer", "since": LONG_AGO}


VERDICTS: tuple[tuple[Callable[[], tuple[object, object]], str, str], ...] = (
    (standing, "good", "Converged: every event is settled"),
    (lambda: standing(tables=[], books={"received": 0, "applied": 0}), "idle", "Nothing received yet"),
    (
        lambda: standing(lane={"has_credentials": False}),
        "idle",
        "All settled, not verified: no credentials for supabase",
    ),
    (lambda: standing(tables=[]), "idle", "All settled, not compared: no table of supabase is followed"),
    (lambda: standing(tables=[table(state="backfilling")]), "busy", "Backfilling public.users: 40 of 900"),
    (
        lambda: standing(tables=[table(last_poll_at=ago(10_800))]),
        "warn",
        "public.users was last compared 3 h ago",
    ),
    (lambda: standing(tables=[table(last_poll_at=None)]), "warn", "public.users was last compared never"),
    (lambda: standing(books={"open": 3}, age=4.0), "busy", "Working on 3 events"),
    (lambda: standing(books={"open": 1}, age=180.0), "warn", "The oldest open event waits for 3 min"),
    (lambda: standing(books={"dead": 1}), "bad", "1 dead letter"),
    (lambda: standing(books={"dead": 2, "open": 1}, lane=DOWN, age=900.0), "bad", "2 dead letters"),
    (lambda: standing(lane={"state": "refused", "reason": "401"}), "bad", "supabase refuses our key"),
    (
        lambda: standing(fault={"reason": "it was cut short", "remedy": "Restore a backup"}),
        "bad",
        "The data file cannot be relied on: webhooks are refused",
    ),
    (lambda: standing(lane={"state": "paused", "reason": "paused by an operator"}), "warn", "supabase is paused"),
    (lambda: standing(lane={"state": "down", "next_probe_at": LONG_AGO}), "warn", "supabase is down"),
    (
        lambda: standing(lane={"waiting": [{"table": "public.orders", "reason": "no such table", "hint": "make it"}]}),
        "warn",
        "public.orders cannot be read: its records wait",
    ),
)
"""What /readyz and /stats say, made when it is asked for: some of it is about now."""


async def test_the_verdict_claims_no_more_than_was_seen(page: Page, service: Running) -> None:
    await opened(page, service)
    for given, level, text in VERDICTS:
        found = await module(page, "verdict.js", "it.verdict(...given)", *given())
        assert (found["level"], found["text"]) == (level, text)


async def test_all_problems_are_listed_the_worst_first_each_with_what_to_do(page: Page, service: Running) -> None:
    await opened(page, service)
    given = standing(
        books={"dead": 2, "open": 1}, lane=DOWN, tables=[table(state="failing", reason="no answer")], age=900.0
    )
    found = await module(page, "verdict.js", "it.problems(...given)", *given)
    assert [one["level"] for one in found] == ["bad", "warn", "warn"]
    assert [one["text"][:20] for one in found] == ["2 dead letters", "supabase is down for", "public.users cannot "]
    assert all(one["todo"] for one in found)


async def test_a_data_file_that_is_gone_is_told_with_its_reason_and_remedy(page: Page, service: Running) -> None:
    await opened(page, service)
    given = standing(fault={"reason": "The data file was cut short", "remedy": "Restore a backup"})
    found = await module(page, "verdict.js", "it.problems(...given)", *given)
    assert [one["todo"] for one in found] == ["The data file was cut short. Restore a backup."]


async def test_a_service_that_has_nothing_says_so_and_what_to_do(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#health-text")).to_have_text("Nothing received yet")
    await expect(page.locator("#attention")).to_contain_text("Send a test event")
    await expect(page.locator("#empty")).to_contain_text("trigger-sql")
    await expect(page.locator("#sources")).to_contain_text("No credentials")
    await send(service, "1")
    await expect(page.locator("#health-text")).to_have_text("All settled, not verified: no credentials for supabase")
    await expect(page.locator("#attention")).to_contain_text("SUPABASE_URL and SUPABASE_KEY")


async def test_copies_that_were_compared_lately_are_converged(page: Page, tmp_path: Path) -> None:
    async with sources() as both:
        both.supabase.insert("users", {"id": 1, "name": "Ada"})
        async with running(both.settings(tmp_path)) as service:
            await opened(page, service)
            await expect(page.locator("#health-text")).to_have_text("Converged: every event is settled")
            await expect(page.locator("#health")).to_have_class("good")
            await expect(page.locator("#attention")).to_contain_text("public.users: compared")
            async with both.supabase.down():
                await expect(page.locator("#attention")).to_contain_text("public.users cannot be compared")
                assert await page.title() != "hookbridge"


async def test_a_source_is_paused_also_while_it_is_down_and_resumed(page: Page, tmp_path: Path) -> None:
    async with sources() as both, running(both.settings(tmp_path, reconcile={"enabled": False})) as service:
        lane = service.service.lanes["supabase"]
        await opened(page, service)
        await lane._go_down(SourceUnavailable("It does not answer", retry_after_seconds=60.0))
        card = page.locator("#sources [data-source=supabase]")
        await expect(card).to_contain_text("down")
        await page.click('[data-lane="supabase"]')
        await confirm(page, "/api/v1/sources/supabase/pause")
        await expect(card).to_contain_text("paused")
        assert lane.state().state == "paused"
        await page.click('[data-lane="supabase"]')
        await confirm(page, "/api/v1/sources/supabase/resume")
        await expect(card.locator(".state")).to_have_text("up")


async def test_a_service_that_hangs_is_not_shown_as_well(page: Page, service: Running) -> None:
    await opened(page, service)

    async def hang(route: Route) -> None:
        await asyncio.Event().wait()

    await page.route("**/readyz", hang)
    await expect(page.locator("#health")).to_have_class("bad", timeout=30_000)
    await expect(page.locator("#health-text")).to_have_text("The service did not answer within 10 s.")
    await expect(page.locator("#as-of")).to_have_text(re.compile(r"Figures as of \d"))
    await expect(page.locator("body")).to_have_class(re.compile("stale"))
    assert "did not answer" in await page.title()
    await page.unroute("**/readyz")
    await expect(page.locator("#health-text")).to_have_text("Nothing received yet", timeout=30_000)
    await expect(page.locator("#as-of")).to_be_empty()
    await expect(page.locator("body")).not_to_have_class(re.compile("stale"))


async def test_a_change_of_the_verdict_is_announced_and_a_figure_is_not(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(page.locator("#announce")).to_have_text("Nothing received yet")
    changes = "one => { window.changes = []; new MutationObserver(() => changes.push(one.textContent)).observe(one, "
    changes += "{childList: true, subtree: true, characterData: true}); }"
    await page.locator("#announce").evaluate(changes)
    for number in range(3):
        await send(service, str(number))
        await looked(page)
    await expect(figure(page, "Received")).to_have_text("3")
    assert set(await page.evaluate("changes")) <= {
        "Working on 1 event",
        "All settled, not verified: no credentials for supabase",
    }


async def test_a_refresh_leaves_what_is_marked_and_pressed(page: Page, service: Running) -> None:
    await send(service, "1")
    await opened(page, service)
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#figures dt'))")
    place = await page.locator('[data-lane="supabase"]').bounding_box()
    assert place is not None
    await page.mouse.move(place["x"] + 5, place["y"] + 5)
    await page.mouse.down()
    await looked(page)
    await looked(page)
    await page.mouse.up()
    await expect(page.locator("#action")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#figures dt'))")
    await looked(page)
    await looked(page)
    assert await page.evaluate("getSelection().toString()") == "Oldest open"


async def test_a_figure_leads_to_its_events(page: Page, service: Running) -> None:
    await send(service, "1")
    await opened(page, service)
    await expect(rows(page)).to_have_count(1)
    await figure(page, "Dead letters").locator("a").click()
    await expect(page.locator("#empty")).to_have_text("No event matches. Fewer filters show more.")
    assert page.url.endswith("?outcome=dead")
    await page.click("#clear")
    await expect(rows(page)).to_have_count(1)


# ---------------------------------------------------------------------------------------------------------------- chart


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))


def history(*samples: tuple[float, int, int, int]) -> dict[str, object]:
    """Samples so many seconds ago."""
    now = time.time()
    return {
        "hours": 1, "step_seconds": 10.0, "per_second": None,
        "samples": [
            {"at": stamp(now - ago), "received": got, "applied": done, "open": left} for ago, got, done, left in samples
        ],
    }  # fmt: skip


async def test_the_chart_goes_by_time_and_leaves_gaps(page: Page, service: Running) -> None:
    await opened(page, service)
    steps = [(100.0, 10, 10, 0), (90.0, 20, 10, 10), (40.0, 5, 5, 0), (30.0, 5, 5, 0)]
    await module(page, "chart.js", "it.showChart(given[0])", history(*steps))
    lines = page.locator("#chart path.received:not(.area)")
    assert await lines.count() == 2
    first, second = [await lines.nth(place).bounding_box() for place in range(2)]
    assert first is not None
    assert second is not None
    assert second["x"] - (first["x"] + first["width"]) > 3 * first["width"]
    await expect(page.locator("#since")).to_contain_text("since")
    await expect(page.locator("#chart text").first).to_have_text("2.0/s")
    label = await page.locator("#chart").get_attribute("aria-label")
    assert label is not None
    assert "40 events received" in label
    assert "at most 10 open" in label
    await page.locator("#chart").focus()
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("#chart-values")).to_contain_text("20 received")
    await expect(page.locator("#announce")).to_contain_text("20 received")


async def test_an_empty_chart_says_when_there_will_be_something(page: Page, service: Running) -> None:
    await opened(page, service)
    await module(page, "chart.js", "it.showChart(given[0])", history())
    await expect(page.locator("#chart-empty")).to_contain_text("ten seconds after the start")
    await page.click("[data-hours='24']")
    await expect(page.locator("#chart-empty")).to_contain_text("five minutes after the start")
    assert "hours=24" in page.url
    await expect(page.locator("[data-hours='24']")).to_have_attribute("aria-pressed", "true")


# ---------------------------------------------------------------------------------------------------------------- token


async def test_the_token_is_asked_for_until_it_is_right_and_kept_by_the_tab(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.update({(401, "/api/v1/events"), (401, "/api/v1/history")})
    await page.goto(service.url)
    await page.fill("#token", "wrong")
    await page.click("#ask button")
    await expect(page.locator("#refused")).to_have_text("This token was refused.")
    await page.fill("#token", "tökén€")
    await page.click("#ask button")
    await expect(page.locator("#refused")).to_contain_text("ASCII")
    await page.fill("#token", f" {ADMIN_TOKEN} ")
    await page.click("#ask button")
    await expect(page.locator("#health-text")).to_have_text("Nothing received yet")
    await page.reload()
    await expect(page.locator("#health-text")).to_have_text("Nothing received yet")
    await expect(page.locator("#ask")).to_be_hidden()
    await page.click("#help")
    await page.click("#forget")
    await expect(page.locator("#ask")).to_be_visible()
    await expect(page.locator("#figures")).to_be_empty()


async def test_the_address_gives_the_token_and_does_not_keep_it(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.update({(401, "/api/v1/events"), (401, "/api/v1/history")})
    await send(service, "1")
    await page.goto(f"{service.url}/#token=wrong")
    await expect(page.locator("#refused")).to_have_text("This token was refused.")
    assert "wrong" not in page.url
    await page.evaluate(f"location.hash = 'token={ADMIN_TOKEN}'")
    await expect(rows(page)).to_have_count(1)
    await expect(page.locator("#ask")).to_be_hidden()
    assert ADMIN_TOKEN not in page.url


async def test_its_files_are_all_that_is_served(service: Running) -> None:
    assert (await service.get("/dashboard/__init__.py", headers={})).status == 404
    page = await service.get("/", headers={})
    assert page.status == 200
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]
