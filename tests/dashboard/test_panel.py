"""The panel at the side: what it shows is what is there, to the digit, and it is reached and left with the keyboard."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.dashboard.driving import confirm, module, opened, rows, send
from tests.support.followed import COLUMNS, Sources, loaded, sources
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

BIG = "9007199254740993"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials that has taken two events."""
    async with running(make_settings(tmp_path)) as one:
        await send(one, "1")
        await send(one, "2", "Grace")
        await wait_until(lambda: one.service.store.open_events == 0)
        yield one


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    """Sources with a row that no double can hold, and one whose name a shell would trip over."""
    async with sources() as made:
        made.supabase.create_table(
            "odd", {"id": "text", **{k: v for k, v in COLUMNS.items() if k != "id"}}, changed_at="updated_at"
        )
        made.supabase.insert("users", {"id": int(BIG), "name": "Ada"})
        yield made


@pytest.fixture
async def verified(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    """A service that has loaded them, and compares no more."""
    quiet = {"poll_seconds": 3600.0, "poll_seconds_max": 3600.0, "sweep_seconds": 3600.0}
    async with running(both.settings(tmp_path, reconcile=quiet)) as one:
        await wait_until(lambda: loaded(one))
        yield one


# -------------------------------------------------------------------------------------------------------- what it shows


async def test_an_event_shows_its_way_and_the_body_that_came(page: Page, service: Running) -> None:
    record = b'{"id":"3","10":1,"2":[],"n":%s,"f":1.10,"e":1E400}' % BIG.encode()
    raw = b'{"type":"INSERT","schema":"public","table":"users","record":%s,"old_record":null}' % record
    assert (await service.post("/api/v1/webhooks/supabase", raw)).status == 202
    await opened(page, service)
    await rows(page).first.locator(".open").press("Enter")
    panel = page.locator("#panel")
    for text in ("received", "stored", "claimed", "verified", "applied", "content-type: application/json"):
        await expect(panel).to_contain_text(text)
    body = await panel.locator("pre").nth(1).inner_text()
    assert body.split("\n")[5:11] == [
        '    "id": "3",', '    "10": 1,', '    "2": [],', f'    "n": {BIG},', '    "f": 1.10,', '    "e": 1E400',
    ]  # fmt: skip


async def test_copy_and_difference_show_every_digit(page: Page, both: Sources, verified: Running) -> None:
    await opened(page, verified, "?view=records")
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel pre").last).to_contain_text(f'"id": {BIG}')
    both.supabase.update("users", int(BIG), {"name": "Grace"})
    both.supabase.update("users", int(BIG), {"id": int(BIG) + 2})
    await page.click("#compare")
    await expect(page.locator("#diff")).to_contain_text("\u2212 *:")
    await expect(page.locator("#diff")).to_contain_text(BIG)
    both.supabase.update("users", int(BIG) + 2, {"id": int(BIG)})
    await page.click("#compare")
    await expect(page.locator("#diff")).to_contain_text('\u2212 name: "Ada"')
    await expect(page.locator("#diff")).to_contain_text('+ name: "Grace"')


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            '{"a":[],"b":{},"c":[1,{"d":null}]}',
            '{\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    {\n      "d": null\n    }\n  ]\n}',
        ),
        ('"\\"x\\\\"', '"\\"x\\\\"'),
        ("-0.0", "-0.0"),
    ],
)
async def test_json_is_shown_as_it_was_written(page: Page, service: Running, text: str, shown: str) -> None:
    await opened(page, service)
    assert await module(page, "json.js", "it.pretty(given[0])", text) == shown


async def test_members_of_json_keep_their_text(page: Page, service: Running) -> None:
    await opened(page, service)
    text = '{"10": {"x": [1, 2]}, "a:b,c}": "}", "2": 1.0 }'
    expected = [["10", '{"x": [1, 2]}'], ["a:b,c}", '"}"'], ["2", "1.0"]]
    assert await module(page, "json.js", "it.members(given[0])", text) == expected
    assert await module(page, "json.js", "it.members(given[0])", "[1, [2], {}]") == [
        [None, "1"],
        [None, "[2]"],
        [None, "{}"],
    ]


async def test_a_large_body_shows_its_beginning_and_all_when_asked(page: Page, service: Running) -> None:
    await send(service, "3", "x" * 100_000)
    await opened(page, service)
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel")).to_contain_text("Show all (100 kB)")
    shown = page.locator("#panel pre").nth(1)
    assert len(await shown.inner_text()) < 21_000
    await page.click("text=Show all")
    await expect(page.locator("text=Show all")).to_have_count(0)
    assert len(await shown.inner_text()) > 100_000


# --------------------------------------------------------------------------------------------------- it follows actions


async def test_a_record_that_is_verified_says_what_came_and_shows_it(
    page: Page, both: Sources, verified: Running
) -> None:
    await opened(page, verified, "?view=records")
    await rows(page).first.locator(".open").click()
    await page.click("#verify")
    await confirm(page, f"{BIG}/verify")
    await expect(page.locator("#panel-said")).to_contain_text(
        "Verified: the source has what the event said; the copy was equal"
    )
    both.supabase.update("users", int(BIG), {"name": "Grace"})
    await page.click("#verify")
    await confirm(page, "/verify")
    await expect(page.locator("#panel-said")).to_contain_text("the copy has changed")
    await expect(page.locator("#panel pre").last).to_contain_text('"name": "Grace"')
    both.supabase.delete("users", int(BIG))
    await page.click("#verify")
    await confirm(page, "/verify")
    await expect(page.locator("#panel-said")).to_contain_text("The source has no such record; the copy is removed")
    await expect(rows(page).first).to_contain_text("absent")
    await page.locator("#panel-said button").click()
    await expect(page.locator("#panel-title")).to_contain_text("Event")
    await expect(page.locator("#panel")).to_contain_text("absent")


async def test_the_panel_of_an_open_event_tells_when_it_has_ended(page: Page, service: Running) -> None:
    await service.service.holds.pause("supabase")
    await send(service, "3")
    await opened(page, service)
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel .state")).to_have_text("open")
    await expect(page.locator("#replay")).to_be_disabled()
    await service.service.holds.resume("supabase")
    await expect(page.locator("#panel .state")).to_have_text("applied")
    await expect(page.locator("#replay")).to_be_enabled()
    await expect(rows(page).first).to_contain_text("applied")


async def test_an_event_leads_to_its_record_and_to_its_other_events(page: Page, service: Running) -> None:
    await send(service, "1", "Ada again")
    await opened(page, service)
    await rows(page).first.locator(".open").click()
    await page.click("#its-record")
    await expect(page.locator("#panel pre").last).to_contain_text('"name": "Ada again"')
    await page.click("#its-events")
    await expect(rows(page)).to_have_count(2)
    assert "record_id=1" in page.url
    await expect(page.locator("#panel")).to_be_hidden()


# ---------------------------------------------------------------------------------------------------- focus and address


async def test_the_focus_goes_to_the_heading_and_comes_back_to_the_row(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page)).to_have_count(2)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("#panel-title")).to_be_focused()
    await expect(page.locator("#panel")).to_have_attribute("aria-labelledby", "panel-title")
    await page.keyboard.press("k")
    await expect(page.locator("#panel-title")).to_have_text(await id_of(page, 0))
    await page.click("#replay")
    await page.keyboard.press("Escape")
    await expect(page.locator("#action")).to_be_hidden()
    await expect(page.locator("#panel")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#panel")).to_be_hidden()
    await expect(rows(page).first.locator(".open")).to_be_focused()
    await expect(page.locator("#panel")).to_be_hidden()


async def id_of(page: Page, number: int) -> str:
    key = await rows(page).nth(number).get_attribute("data-key")
    assert key is not None
    return f"Event {key.partition('@')[0]}"


async def test_what_is_open_stands_in_the_address_and_back_closes_it(page: Page, service: Running) -> None:
    await opened(page, service)
    await rows(page).nth(1).locator(".open").click()
    await expect(page.locator("#panel-title")).to_have_text(await id_of(page, 1))
    assert page.url.endswith("?open=1")
    await page.reload()
    await expect(page.locator("#panel-title")).to_have_text("Event 1")
    await page.click("#panel-close")
    await expect(page.locator("#panel")).to_be_hidden()
    assert "open" not in page.url
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel")).to_be_visible()
    await page.go_back()
    await expect(page.locator("#panel")).to_be_hidden()
    await page.goto(f"{service.url}/?view=records&open=supabase:public.users:2")
    await expect(page.locator("#panel pre").last).to_contain_text("Grace")


async def test_what_is_not_there_says_so_in_the_panel(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((404, "/api/v1/events/4711"))
    await opened(page, service, "?open=4711")
    await expect(page.locator("#panel")).to_contain_text("There is no event 4711")
    await expect(page.locator("#failed")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(rows(page)).to_have_count(2)


async def test_of_two_quick_presses_the_last_one_is_shown(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page)).to_have_count(2)
    gate = asyncio.Event()

    async def slow(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await page.route(re.compile(r"/api/v1/events/2$"), slow)
    await rows(page).first.locator(".open").click()
    await rows(page).nth(1).locator(".open").click()
    await expect(page.locator("#panel-title")).to_have_text("Event 1")
    gate.set()
    await page.unroute_all(behavior="wait")
    await expect(page.locator("#panel-title")).to_have_text("Event 1")


async def test_the_keys_move_open_search_and_replay(page: Page, service: Running) -> None:
    await opened(page, service)
    await expect(rows(page)).to_have_count(2)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(rows(page).nth(1).locator(".open")).to_be_focused()
    await page.keyboard.press("k")
    await expect(rows(page).first.locator(".open")).to_be_focused()
    await page.keyboard.press("r")
    await expect(page.locator("#action-title")).to_have_text("Replay event 2")
    await page.click("#action button.main")
    await expect(page.locator("#note")).to_contain_text("Not verified")
    await page.click("#note > button")
    await expect(page.locator("#note")).to_be_empty()
    await page.keyboard.press("/")
    await expect(page.locator("[name=q]")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).to_be_hidden()


async def test_tabs_are_turned_with_the_arrows(page: Page, service: Running) -> None:
    await opened(page, service)
    await page.locator("#tab-events").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#tab-dead")).to_be_focused()
    await expect(page.locator("#tab-dead")).to_have_attribute("aria-selected", "true")
    await expect(page.locator("#tab-events")).to_have_attribute("tabindex", "-1")
    await page.keyboard.press("End")
    await expect(page.locator("#list")).to_have_attribute("aria-labelledby", "tab-destinations")


# --------------------------------------------------------------------------------------------------------- how it looks


async def test_at_a_desk_the_panel_covers_nothing_of_the_list(page: Page, service: Running) -> None:
    await opened(page, service)
    await rows(page).first.locator(".open").click()
    edge = await page.locator("#panel").evaluate("one => one.getBoundingClientRect().x")
    for name in ("#replay-matching", "header nav", "#columns th:last-child", "#figures"):
        box = await page.locator(name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= edge, name


@pytest.mark.parametrize("width", [390, 900])
async def test_where_there_is_no_room_the_panel_lies_over_the_page(page: Page, service: Running, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await opened(page, service)
    await rows(page).first.locator(".open").click()
    await expect(page.locator("#panel-title")).to_be_focused()
    assert await page.locator("main").evaluate("one => one.inert")
    await page.locator("#panel").evaluate("one => { one.scrollTop = one.scrollHeight; }")
    box = await page.locator("#panel-close").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 60
    await page.click("#panel-close")
    assert not await page.locator("main").evaluate("one => one.inert")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_on_a_phone_each_value_of_a_row_has_its_name(page: Page, service: Running) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await opened(page, service)
    names = (
        await rows(page)
        .first.locator("td")
        .evaluate_all("all => all.map(one => getComputedStyle(one, '::before').content)")
    )
    assert names == ['"Select"', '"Received"', '"Source"', '"Table"', '"Record"', '"Type"', '"Origin"', '"State"']


CONTRAST = """one => {
  const rgb = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const linear = part => part / 255 <= .03928 ? part / 255 / 12.92 : ((part / 255 + .055) / 1.055) ** 2.4;
  const weigh = (sum, part, place) => sum + linear(part) * [.2126, .7152, .0722][place];
  const light = color => rgb(color).reduce(weigh, 0);
  const against = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
  const style = getComputedStyle(one);
  const behind = getComputedStyle(one.closest('dialog, .card, body')).backgroundColor;
  return [against(style.color, style.backgroundColor), against(style.borderTopColor, behind)];
}"""
"""Of a control: text against its own ground, border against what is around it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_what_is_pressed_can_be_read_also_under_the_pointer(page: Page, service: Running, scheme: str) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await opened(page, service)
    for press, name in (
        ("#test", "#action button.main"),
        ("", "[data-hours='1']"),
        ("", "#replay-matching"),
        ("", "[name=q]"),
    ):
        if press:
            await page.click(press)
        one = page.locator(name)
        await one.hover()
        text, border = await one.evaluate(CONTRAST)
        assert text >= 4.5, name
        assert border >= 3, name
        if press:
            await page.keyboard.press("Escape")
