"""Destinations on the page: how each stands, what an operator does to one, and how to have the first."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Locator, Page, Route, expect

from hookbridge.destinations import standing
from hookbridge.feed import Place
from hookbridge.settings.loading import load
from hookbridge.store import note_names
from tests.dashboard.driving import confirm, in_bash, opened, rows, send
from tests.support.receivers import Receiver, receiver
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

EVIL = "<img src=x onerror=alert(1)> \u202egnp.exe"
HEADS = (
    *(
        "Destination",
        "Leads to",
        "Changes behind",
        "Waiting for",
        "Next try",
        "Delivered",
        "Rejected",
        "Last error",
        "State",
    ),
)


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    """A destination that takes everything until it is told otherwise."""
    async with receiver() as one:
        yield one


@pytest.fixture
async def service(tmp_path: Path, there: Receiver) -> AsyncIterator[Running]:
    """A service that delivers to it, and has delivered the beginning."""
    async with running(make_settings(tmp_path, secrets={"destinations": (there.destination(batch=1),)})) as one:
        await wait_until(lambda: len(there.taken) == 2)  # where the snapshot begins and ends
        yield one


def refuses(status: int, text: str = "") -> web.Response:
    return web.Response(status=status, text=text)


async def row(page: Page, service: Running, query: str = "?view=destinations") -> dict[str, Locator]:
    """The cells of the only row, by the heads of their columns."""
    await opened(page, service, query)
    await expect(page.locator("#columns th")).to_have_text(list(HEADS))
    await expect(rows(page)).to_have_count(1)
    return {head: rows(page).locator("td").nth(number) for number, head in enumerate(HEADS)}


async def panel(page: Page, service: Running) -> Locator:
    """Open the panel."""
    await row(page, service)
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel-title")).to_be_focused()
    return page.locator("#panel")


def fact(page: Page, name: str) -> Locator:
    return page.locator("#panel .facts div", has=page.locator("dt", has_text=re.compile(f"^{name}$"))).locator("dd")


async def state(service: Running) -> dict[str, Any]:
    answer = await service.get("/api/v1/destinations/search")
    found: dict[str, Any] = await answer.json()
    return found


async def begins(there: Receiver) -> int:
    return sum(one["type"] == "snapshot_begin" for one in there.taken)


# ------------------------------------------------------------------------------------------------------- how it stands


async def test_one_goes_down_catches_up_and_is_well_again(page: Page, service: Running, there: Receiver) -> None:
    cells = await row(page, service)
    await expect(cells["Destination"]).to_have_text("search")
    await expect(cells["Leads to"]).to_have_text(f"http://127.0.0.1:{there.port}")
    await expect(cells["State"]).to_have_text("up")
    await expect(cells["Changes behind"]).to_have_text("0")
    for blank in ("Waiting for", "Next try", "Last error"):
        await expect(cells[blank]).to_have_text("")

    there.otherwise = lambda: refuses(503, "the index is being built")
    for number in range(3):
        await send(service, str(number))
    await expect(cells["State"]).to_have_text("down")
    await expect(cells["Last error"]).to_have_text("it answered 503: the index is being built")
    await expect(cells["Changes behind"]).to_have_text("3")
    await expect(cells["Waiting for"]).to_have_text(re.compile(r"^\d+ s$"))
    await expect(cells["Next try"]).to_have_text(re.compile(r"^(in \d+ s|now)$"))
    await expect(cells["Delivered"]).to_have_text("0")

    await page.locator("#attention li", has_text="destination search is down").get_by_text("Show it").click()
    await expect(page.locator("#panel-title")).to_have_text("search")
    await expect(page.locator("#panel .reason")).to_have_text("it answered 503: the index is being built")
    await expect(fact(page, "Behind")).to_have_text("3 changes")
    await expect(fact(page, "Failed")).to_have_text(re.compile(r"^\d+ times? in a row$"))
    await expect(fact(page, "Next try").locator("time")).to_have_count(1)

    gate = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        """Take the first at once, and the others behind the gate, however often each is tried."""
        (change,) = (await request.json())["changes"]
        if change["id"] != "0":
            await gate.wait()
        return web.Response(status=204)

    await page.click("[data-deed=retry]")
    there.otherwise = lambda: slow  # not before: there is no such press where it was tried again by itself, and is up
    await confirm(page, "/api/v1/destinations/search/resume")
    await expect(cells["State"]).to_have_text("up catches up")
    await expect(page.locator("#panel .state")).to_have_text("up")
    await expect(page.locator("#panel .reason")).to_be_hidden()
    await expect(cells["Delivered"]).to_have_text("1")
    gate.set()
    await expect(cells["State"]).to_have_text("up")
    await expect(cells["Delivered"]).to_have_text("3")
    await expect(cells["Changes behind"]).to_have_text("0")
    await expect(cells["Waiting for"]).to_have_text("")
    await expect(fact(page, "Delivered")).to_have_text("3 changes")
    await expect(page.locator("#attention")).not_to_contain_text("destination")


@pytest.mark.parametrize(
    ("status", "word", "level", "deeds"),
    [
        (401, "refused", "bad", ["Pause", "Try now"]),
        (410, "stopped", "bad", ["Resume"]),
        (500, "down", "warn", ["Pause", "Try now"]),
    ],
)
async def test_each_state_has_its_colour_its_reason_and_what_can_be_done(
    page: Page, service: Running, there: Receiver, status: int, word: str, level: str, deeds: list[str]
) -> None:
    there.otherwise = lambda: refuses(status, EVIL)
    await send(service, "1")
    shown = await panel(page, service)
    await expect(shown.locator(".state")).to_have_text(word)
    await expect(shown.locator(".state")).to_have_class(f"state {level}")
    await expect(shown.locator(".reason")).to_have_text(
        f"it answered {status}: <img src=x onerror=alert(1)> \\u202egnp.exe"
    )
    always = ["Test", "Tell everything anew…", "Skip to now…"]
    await expect(shown.locator("[data-deed]:visible")).to_have_text([*deeds, *always])
    await expect(rows(page).locator("td.how span").first).to_have_class(level)
    await expect(rows(page)).not_to_contain_text("\u202e")


async def test_one_that_is_told_everything_says_so(page: Page, tmp_path: Path, there: Receiver) -> None:
    there.answers = [there.never]
    settings = make_settings(tmp_path, secrets={"destinations": (there.destination(),)})
    async with running(settings) as service:
        cells = await row(page, service)
        await expect(cells["State"]).to_have_text("up is told everything")


async def test_one_whose_place_is_gone_is_behind_and_says_why(page: Page, tmp_path: Path, there: Receiver) -> None:
    settings = make_settings(tmp_path, secrets={"destinations": (there.destination(),)})
    async with running(make_settings(tmp_path)) as service:
        kept = standing.Standing().begun(Place("0" * 32, 5), 0.0)  # of another feed
        await service.service.store.put_note(note_names.destination("search"), standing.written(kept))
    there.answers = [there.never]
    async with running(settings) as service:
        shown = await panel(page, service)
        await expect(rows(page).locator("td.how")).to_have_text("behind")
        await expect(shown.locator(".state")).to_have_class("state warn")
        await expect(shown.locator(".reason")).to_contain_text("so it is told everything anew")
        await expect(page.locator("[data-deed]:visible").first).to_have_text("Pause")


async def test_one_that_the_service_does_not_have_any_more_is_struck_through(page: Page, service: Running) -> None:
    cells = await row(page, service)

    async def none(route: Route) -> None:
        await route.fulfill(json={"destinations": []})

    await page.route("**/api/v1/destinations?", none)
    await expect(rows(page)).to_have_class("left")
    await expect(cells["State"]).to_have_text("gone")
    await page.unroute("**/api/v1/destinations?")
    await expect(cells["State"]).to_have_text("up")
    await expect(rows(page)).to_have_class("")


async def test_an_address_opens_one_and_says_where_there_is_none(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((404, "/api/v1/destinations/other"))
    await opened(page, service, "?open=destination:search")
    await expect(page.locator("#panel-title")).to_have_text("search")
    await opened(page, service, "?open=destination:other")
    await expect(page.locator("#panel .bad")).to_contain_text("There is no destination other")


async def test_whoever_may_only_read_sees_no_destination(
    page: Page, tmp_path: Path, there: Receiver, refusals: set[tuple[int, str]]
) -> None:
    refusals |= {(401, "/api/v1/destinations"), (401, "/api/v1/history")}
    token = "a-token-that-only-reads"
    secrets = {"destinations": (there.destination(),), "read_token": token}
    async with running(make_settings(tmp_path, secrets=secrets)) as service:
        await page.goto(f"{service.url}/?view=destinations#token={token}")
        await expect(page.locator("#refused")).to_have_text("This token was refused.")
        await expect(page.locator("#ask")).to_be_visible()
        await expect(rows(page)).to_have_count(0)
        assert str(there.port) not in await page.locator("body").inner_text()


# ------------------------------------------------------------------------------------------------------------- actions


async def test_the_call_of_each_action_works_pasted(page: Page, service: Running) -> None:
    await panel(page, service)

    async def pasted(deed: str) -> dict[str, Any]:
        await page.click(f"[data-deed={deed}]")
        answered: dict[str, Any] = json.loads(await in_bash(await page.locator("#action .curl").inner_text()))
        await page.keyboard.press("Escape")
        return answered

    assert (await pasted("test"))["taken"] is True
    assert (await pasted("pause"))["state"] == "paused"
    await expect(page.locator("[data-deed=resume]")).to_have_text("Resume")
    assert (await pasted("resume"))["state"] == "running"
    assert (await pasted("start"))["name"] == "search"
    assert (await pasted("now"))["name"] == "search"


async def test_one_is_paused_and_resumed(page: Page, service: Running, there: Receiver) -> None:
    shown = await panel(page, service)
    await page.click("[data-deed=pause]")
    await confirm(page, "/api/v1/destinations/search/pause")
    await expect(page.locator("#panel-said")).to_have_text("It is paused.")
    await expect(shown.locator(".state")).to_have_text("paused")
    await expect(shown.locator(".reason")).to_be_hidden()
    await expect(rows(page).locator("td.how")).to_have_text("paused")
    await expect(page.locator("#attention")).to_contain_text("The destination search is paused")
    await send(service, "1")
    await page.click("[data-deed=resume]")
    await confirm(page, "/api/v1/destinations/search/resume")
    await expect(shown.locator(".state")).to_have_text("up")
    await expect(fact(page, "Delivered")).to_have_text("1 change")
    assert there.taken[-1]["id"] == "1"


async def test_a_trial_says_whether_it_was_taken_and_changes_nothing(
    page: Page, service: Running, there: Receiver
) -> None:
    shown = await panel(page, service)
    there.answers = [refuses(403, "wrong signature")]
    for said, level in (("Not taken: it answered 403: wrong signature", "bad"), ("It takes what is sent.", "good")):
        before = len(there.bodies)
        await page.click("[data-deed=test]")
        await confirm(page, "/api/v1/destinations/search/test")
        await expect(page.locator("#panel-said")).to_have_text(said)
        await expect(page.locator("#panel-said")).to_have_class(level)
        await expect(shown.locator(".state")).to_have_text("up")
        assert [one["changes"] for one in there.bodies[before:]] == [[]]


@pytest.mark.parametrize(("deed", "anew"), [("start", 2), ("now", 1)])
async def test_another_place_is_asked_about_before_it_is_given(
    page: Page, service: Running, there: Receiver, deed: str, anew: int
) -> None:
    there.otherwise = lambda: refuses(503)
    await send(service, "old")
    await panel(page, service)
    await expect(fact(page, "Behind")).to_have_text("1 change")
    place = (await state(service))["seq"]
    await page.click(f"[data-deed={deed}]")
    await page.click("#action >> text=Cancel")
    assert (await state(service))["seq"] == place
    await page.click(f"[data-deed={deed}]")
    await confirm(page, f'{{"to":"{deed}"}}')
    there.otherwise = lambda: web.Response(status=204)  # not before: it would be tried with what waits meanwhile
    await expect(page.locator("#panel .state")).to_have_text("up")
    await expect(fact(page, "Behind")).to_have_text("0 changes")
    await send(service, "new")
    await wait_until(lambda: there.taken[-1].get("id") == "new")
    assert await begins(there) == anew
    assert any(one.get("id") == "old" for one in there.taken) == (deed == "start")


def refuses_alone(there: Receiver, id_: str) -> None:
    """Let it refuse every message in which a record is."""

    def answer() -> web.Response:
        is_bad = any(one.get("id") == id_ for one in there.bodies[-1]["changes"])
        return refuses(422, f"bad: {EVIL}") if is_bad else web.Response(status=204)

    there.otherwise = answer


async def order(page: Page, by: str, deed: str, *, key: str, says: str) -> None:
    """Have this done to the one destination, by its button, its key or the call that is shown."""
    if by == "key":
        await page.keyboard.press("Escape")
        await page.keyboard.press("j")
        await page.keyboard.press(key)
    else:
        await page.click(f"[data-deed={deed}]")
    if by == "call":
        await in_bash(await page.locator("#action .curl").inner_text())
        await page.keyboard.press("Escape")
    else:
        await confirm(page, f"/api/v1/destinations/search/{deed}")
        await expect(page.locator("#note" if by == "key" else "#panel-said")).to_contain_text(says)


@pytest.mark.parametrize("by", ["button", "key", "call"])
async def test_what_one_has_rejected_is_shown_and_sent_again(
    page: Page, service: Running, there: Receiver, by: str
) -> None:
    refuses_alone(there, "2")
    for number in range(1, 4):
        await send(service, str(number))
    cells = await row(page, service)
    await expect(cells["Rejected"]).to_have_text("1")
    await expect(cells["Rejected"].locator("span")).to_have_class("bad")
    await expect(cells["State"]).to_have_text("up")
    await page.locator("#attention li", has_text="search has rejected 1 change").get_by_text("Show it").click()
    line = page.locator("#panel .tables li")
    await expect(line).to_contain_text("supabase · ")
    await expect(line.locator(".bad")).to_have_text("it answered 422: bad: <img src=x onerror=alert(1)> \\u202egnp.exe")
    there.otherwise = lambda: web.Response(status=204)
    await order(page, by, "replay", key="r", says="They are sent again.")
    await expect(cells["Rejected"]).to_have_text("0")
    await expect(page.locator("#panel .tables")).to_be_hidden()
    assert there.taken[-1]["id"] == "2"


@pytest.mark.parametrize("by", ["button", "key", "call"])
async def test_what_one_has_rejected_is_given_up(page: Page, service: Running, there: Receiver, by: str) -> None:
    refuses_alone(there, "2")
    for number in range(1, 4):
        await send(service, str(number))
    cells = await row(page, service)
    await expect(cells["Rejected"]).to_have_text("1")
    await rows(page).locator(".open").click()
    await expect(page.locator("#panel .tables li")).to_have_count(1)
    before = len(there.bodies)
    await order(page, by, "dismiss", key="d", says="1 rejected change dismissed.")
    await expect(cells["Rejected"]).to_have_text("0")
    await expect(page.locator("#panel .tables")).to_be_hidden()
    assert len(there.bodies) == before


async def test_while_that_lasts_it_says_that_it_is_sent_again(page: Page, service: Running, there: Receiver) -> None:
    refuses_alone(there, "2")
    for number in range(1, 4):
        await send(service, str(number))
    cells = await row(page, service)
    await expect(cells["Rejected"]).to_have_text("1")
    there.answers = [there.never]
    assert (await service.post("/api/v1/destinations/search/replay", b"", ADMIN)).status == 200
    await expect(cells["State"]).to_have_text("up is sent again what it rejected")


async def test_a_record_that_was_rejected_is_looked_at_from_there(
    page: Page, service: Running, there: Receiver
) -> None:
    refuses_alone(there, "2")
    for number in range(1, 4):
        await send(service, str(number))
    cells = await row(page, service)
    await expect(cells["Rejected"]).to_have_text("1")
    await rows(page).locator(".open").click()
    await page.locator("#panel .tables button").click()
    await expect(page.locator("#panel-title")).to_have_text("Ada")
    assert "open=supabase%3Apublic.users%3A2" in page.url


async def test_what_has_the_focus_stays_what_it_is_when_the_state_changes(
    page: Page, service: Running, there: Receiver
) -> None:
    there.otherwise = lambda: refuses(503)
    await send(service, "1")
    shown = await panel(page, service)
    await expect(shown.locator(".state")).to_have_text("down")
    await page.locator("[data-deed=test]").focus()
    there.otherwise = lambda: web.Response(status=204)
    await service.service.destinations.resume("search")
    await expect(shown.locator(".state")).to_have_text("up")
    await expect(page.locator("[data-deed=retry]")).to_be_hidden()
    await expect(page.locator("[data-deed=test]")).to_be_focused()


async def test_keys_lead_to_one_open_it_and_close_it(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.locator("#tab-events").focus()
    await page.keyboard.press("End")
    await expect(page.locator("#tab-destinations")).to_have_attribute("aria-selected", "true")
    await expect(rows(page)).to_have_count(1)
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("#panel-title")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.locator("[data-deed=pause]")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#action-title")).to_have_text("Pause search")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(page.locator("#panel")).to_be_hidden()
    await expect(rows(page).locator(".open")).to_be_focused()


async def test_on_a_phone_a_row_hides_nothing_and_the_panel_fits(page: Page, service: Running, there: Receiver) -> None:
    there.otherwise = lambda: refuses(503, "x" * 190)
    await send(service, "1")
    await page.set_viewport_size({"width": 390, "height": 800})
    await opened(page, service, "?view=destinations")
    await expect(rows(page).locator("td.how")).to_have_text("down")
    await expect(rows(page).locator("td:visible")).to_have_count(len(HEADS))
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await rows(page).locator(".open").click()
    await expect(page.locator("#panel .reason")).to_be_visible()
    assert await page.locator("#panel").evaluate("one => one.scrollWidth <= one.clientWidth")


# ------------------------------------------------------------------------------------------------------ where none is


async def test_where_there_is_none_the_page_says_how_to_have_one_and_that_is_right(page: Page, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        await opened(page, service, "?view=destinations")
        await expect(page.locator("#empty")).to_contain_text("There is no destination")
        await expect(page.locator("#partial")).to_be_hidden()
        section, command = await page.locator("#empty pre").all_inner_texts()
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "config.toml").write_text(section)
    await in_bash(f"cd '{folder}' && {command}")
    (to,) = load(folder / "config.toml", {}, folder).secrets.destinations
    assert to.name == "search"
    assert to.secret.startswith("whsec_")
