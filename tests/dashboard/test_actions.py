"""Actions: each shows a call that does the same when it is pasted, does its work once, and tells what came of it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from hookbridge.standins import PostgrestStandin
from tests.dashboard.driving import choose, confirm, in_bash, module, opened, rows, send
from tests.support.followed import KEY
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

ODD = ("O'Brien", 'say "hi" & $HOME `id`', "a/b c?d#e%", "ü,ß(1)!*")


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service with credentials and rows with odd names, which has taken an event of each."""
    async with PostgrestStandin(key=KEY) as supabase:
        supabase.create_table("users", {"id": "text", "name": "text"})
        for name in ODD:
            supabase.insert("users", {"id": name, "name": name})
        settings = make_settings(
            tmp_path,
            secrets={"supabase_url": supabase.url, "supabase_key": KEY},
            supabase={"tables": [{"name": "users"}]},
            reconcile={"enabled": False},
        )
        async with running(settings) as one:
            for name in ODD:
                await send(one, name, name)
            await wait_until(lambda: one.service.store.open_events == 0)
            yield one


async def received(service: Running) -> int:
    return (await service.service.store.totals()).books.received


def event_of(record_id: str, data: dict[str, object]) -> dict[str, object]:
    named = {"event_type": "update", "source": "supabase", "table_name": "users", "record_id": record_id}
    return {**named, "data": data}


async def shown_call(page: Page, within: str = "#action") -> str:
    """The call as somebody copies it."""
    return await page.locator(f"{within} .curl").first.inner_text()


# ---------------------------------------------------------------------------------------------------------------- calls


@pytest.mark.parametrize("name", ODD)
async def test_the_calls_of_a_record_work_pasted_whatever_its_name_is(page: Page, service: Running, name: str) -> None:
    await opened(page, service, "?view=records")
    await rows(page).filter(has=page.get_by_text(name, exact=True)).locator(".open").click()
    await expect(page.locator("#panel-title")).to_have_text(name)
    await page.click("#panel summary")
    agrees = json.loads(await in_bash(await shown_call(page, "#panel")))
    assert agrees["id"] == name
    assert agrees["agrees"]
    await page.click("#compare")
    await expect(page.locator("#diff")).to_have_text("Copy and source are equal.")
    await page.click("#verify")
    event = json.loads(await in_bash(await shown_call(page)))["event_id"]
    found = await (await service.get(f"/api/v1/events/{event}")).json()
    assert found["record_id"] == name
    await page.click("#action button.main")
    await expect(page.locator("#panel-said")).to_contain_text("the copy was equal")


async def test_the_calls_of_pause_resume_replay_and_send_work_pasted(page: Page, service: Running) -> None:
    await opened(page, service)
    lane = service.service.lanes["notion"]
    await page.click('[data-lane="notion"]')
    await in_bash(await shown_call(page))
    assert lane.state().state != "running"
    await page.keyboard.press("Escape")
    await expect(page.locator('[data-lane="notion"]')).to_have_text("Resume")
    await page.click('[data-lane="notion"]')
    await in_bash(await shown_call(page))
    assert lane.state().state == "running"
    await page.keyboard.press("Escape")
    await rows(page).first.locator(".open").click()
    await page.click("#replay")
    assert json.loads(await in_bash(await shown_call(page)))["replayed"] == 1
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await page.click("#test")
    body = event_of("O'Brien", {"n": "it's"})
    await page.fill("#action textarea", json.dumps(body, indent=1))
    before = await received(service)
    assert json.loads(await in_bash(await shown_call(page)))["status"] == "accepted"
    assert await received(service) == before + 1


async def test_the_call_of_a_small_replay_works_pasted(page: Page, service: Running) -> None:
    await opened(page, service)
    await choose(page, "record_id", "O'Brien")
    await expect(rows(page)).to_have_count(1)
    await page.click("#replay-matching")
    assert json.loads(await in_bash(await shown_call(page)))["replayed"] == 1


async def test_a_replay_of_more_than_a_page_is_shown_as_a_loop_that_works(page: Page, service: Running) -> None:
    await opened(page, service)
    loop = await module(page, "api.js", 'it.curlLoop("api/v1/events/replay", given[0])', {"q": "O'Brien", "limit": 1})
    await send(service, "O'Brien", "O'Brien")
    await wait_until(lambda: service.service.store.open_events == 0)
    before = await received(service)
    pages = [json.loads(line) for line in (await in_bash(loop)).splitlines()]
    assert sum(one["replayed"] for one in pages) == await received(service) - before == 2
    assert pages[-1]["next_cursor"] is None


async def test_a_call_is_copied_and_selected_where_there_is_no_clipboard(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    await page.click("#test")
    await page.click("#action .copyable button")
    await expect(page.locator("#action .copyable button")).to_have_text("Selected: copy it")
    assert (await page.evaluate("getSelection().toString()")).startswith("curl -X POST")
    await page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => { window.copied = text; }}})"
    )
    await page.click("#action .copyable button")
    await expect(page.locator("#action .copyable button")).to_have_text("Copied")
    assert await page.evaluate("copied") == await page.locator("#action .curl").inner_text()


# --------------------------------------------------------------------------------------------------------------- replay


@pytest.mark.parametrize(
    ("filters", "body"),
    [
        ("", {"all": True}),
        ("source=supabase&q=a b", {"source": "supabase", "q": "a b"}),
        ("state=settled&outcome=dead", {"outcome": "dead"}),
        ("state=settled", None),
        ("state=open", None),
        ("state=open&source=supabase", None),
    ],
)
async def test_a_filter_that_a_replay_does_not_know_never_becomes_everything(
    page: Page, service: Running, filters: str, body: object
) -> None:
    await opened(page, service)
    found = await module(page, "replay.js", "it.replayOf(new URLSearchParams(given[0]))", filters)
    assert found.get("body") == body
    assert ("refusal" in found) == (body is None)


async def test_of_open_events_nothing_is_replayed(page: Page, service: Running) -> None:
    await opened(page, service, "?state=open")
    await expect(page.locator("#empty")).to_be_visible()
    await page.click("#replay-matching")
    await expect(page.locator("#action-title")).to_have_text("Nothing to replay")
    await expect(page.locator("#action")).to_contain_text("Only settled events can be replayed")
    await page.click("#action button.main")
    assert await received(service) == len(ODD)


async def test_an_event_that_is_replayed_is_followed_to_its_end(page: Page, service: Running) -> None:
    await opened(page, service)
    await rows(page).first.locator(".open").click()
    await page.click("#replay")
    await confirm(page, "/replay")
    await expect(page.locator("#panel-said")).to_contain_text("the copy was equal")
    await page.locator("#panel-said button").click()
    await expect(page.locator("#panel")).to_contain_text("by replay")


async def test_a_replay_that_fails_half_way_goes_on_from_there(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((503, "/replay"))
    bodies: list[dict[str, object]] = []

    async def answer(route: Route) -> None:
        asked = json.loads(route.request.post_data or "")
        if asked.get("dry_run"):
            found = {"matching": 1500, "replayed": 0, "next_cursor": None}
        elif len(bodies) == 1:
            bodies.append(asked)
            await route.fulfill(status=503, json={"error": "unavailable", "message": "The disk is full"})
            return
        else:
            bodies.append(asked)
            found = {"matching": None, "replayed": 500, "next_cursor": {1: 1000, 3: 500}.get(len(bodies))}
        await route.fulfill(json=found)

    await page.route("**/api/v1/events/replay", answer)
    await opened(page, service, "?source=supabase")
    await page.click("#replay-matching")
    await expect(page.locator("#action .curl")).to_contain_text('"limit":500')
    await expect(page.locator("#action .curl")).to_contain_text("while page=")
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("The disk is full 500 events of 1\u202f500 replayed")
    await page.click("text=Go on")
    await expect(page.locator("#action .said")).to_contain_text("1\u202f500 events replayed")
    assert [one.get("cursor") for one in bodies] == [None, 1000, 1000, 500]


# ----------------------------------------------------------------------------------------------------------- test event


async def test_a_test_event_is_tried_sent_once_and_followed(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((400, "/api/v1/webhooks/test"))
    await opened(page, service)
    await page.click("#test")
    await page.fill("#action textarea", "{")
    await page.click("text=Only try")
    await expect(page.locator("#action .bad")).to_be_visible()
    body = event_of("O'Brien", {"id": "O'Brien"})
    await page.fill("#action textarea", json.dumps(body))
    await page.click("text=Only try")
    await expect(page.locator("#action")).to_contain_text("It would be processed, for supabase:public.users:O'Brien")
    before = await received(service)
    await page.locator("#action button.main").dblclick()
    await expect(page.locator("#action .said")).to_contain_text(re.compile(r"Event \d+: .*the copy was equal"))
    assert await received(service) == before + 1
    await page.click("text=Send it again")
    await expect(page.locator("#show-news")).to_have_text("2 newer – show")
    await expect(page.locator("#action .said")).to_contain_text("the copy was equal")
    await page.locator("#action .said button").first.click()
    await expect(page.locator("#action")).to_be_hidden()
    await expect(page.locator("#panel")).to_contain_text("verified")


async def test_a_test_event_of_a_paused_source_waits_and_says_so(page: Page, service: Running) -> None:
    await service.service.holds.pause("supabase")
    await opened(page, service)
    await page.click("#test")
    await page.click("#action button.main")
    await expect(page.locator("#action .said")).to_contain_text("waits for its turn")
    await service.service.holds.resume("supabase")
    await expect(page.locator("#action .said")).to_contain_text("The source has no such record")


async def test_an_action_whose_answer_is_slow_is_done_once(page: Page, service: Running) -> None:
    await opened(page, service)
    calls: list[str] = []
    gate = asyncio.Event()

    async def slow(route: Route) -> None:
        calls.append(route.request.url)
        await gate.wait()
        await route.continue_()

    await page.route("**/pause", slow)
    await page.click('[data-lane="supabase"]')
    await page.locator("#action button.main").dblclick()
    gate.set()
    await expect(page.locator("#action")).to_be_hidden()
    await expect(page.locator('[data-lane="supabase"]')).to_have_text("Resume")
    assert len(calls) == 1
