"""The list of records: a table that a person can read, narrow, sort, and choose the columns of."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.driving import choose, looked, module, opened, place_of, rows
from tests.support.followed import Sources, loaded, sources
from tests.support.running import Running, running
from tests.support.waiting import wait_until

BODY = "# Launch\nAsk the harbour master about the **zanzibar** valve.\n- [ ] Order it\n"
ODD = "100 %, net"


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    """Sources with 60 rows, and a page with a body."""
    async with sources() as made:
        made.clock.by = timedelta(days=-2)
        made.supabase.insert_many("users", [{"id": number, "name": f"Person {number}"} for number in range(1, 61)])
        made.notion.create_page(made.data_source, {"Name": "Winter plan", "Status": "Open"}, markdown=BODY)
        made.clock.by = timedelta()
        yield made


@pytest.fixture
async def service(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    """A service that has loaded them, bodies included."""
    settings = both.settings(tmp_path, notion={"databases": [{"id": both.database, "content": True}]})
    async with running(settings) as one:
        await wait_until(lambda: loaded(one))
        yield one


def cells(page: Page, name: str) -> str:
    return f'#rows td[data-label="{name}"]'


async def titles(page: Page) -> list[str]:
    return await page.locator("#rows .open bdi:first-child").all_inner_texts()


async def test_a_page_is_found_by_a_word_of_its_body_and_reads_as_people_call_it(page: Page, service: Running) -> None:
    await opened(page, service, "?view=records")
    await expect(rows(page)).to_have_count(50)
    await choose(page, "q", "Zanzi")
    await expect(rows(page)).to_have_count(1)
    await expect(rows(page).locator(".open")).to_contain_text("Winter plan")
    await expect(page.locator(cells(page, "Table"))).to_have_text("Tasks")
    await expect(page.locator(cells(page, "Words around"))).to_contain_text("harbour master about the zanzibar valve")
    assert await page.locator("#rows mark").all_inner_texts() == ["zanzibar"]


@pytest.mark.parametrize(
    ("snippet", "query", "marks"),
    [
        ("Ada [Lovelace] and [more]", "lovel", ["Lovelace"]),
        ("see [1] of the [Übung]", "ubung -see", ["Übung"]),
        ("[[plan]]", "plan", ["plan"]),
        ("[STRASSE]", "straße", ["STRASSE"]),
        ("[a [b", "a", []),
        ("<b>[x]</b>", '"x y"', ["x"]),
        ("", "x", []),
    ],
)
async def test_matches_are_marked_and_brackets_of_the_text_stay(
    page: Page, service: Running, snippet: str, query: str, marks: list[str]
) -> None:
    await opened(page, service)
    shown = await module(
        page, "marks.js", "it.marked(...given).map(one => [one.nodeName, one.textContent])", snippet, query
    )
    assert [text for name, text in shown if name == "MARK"] == marks
    plain = "".join(text if name == "BDI" else f"[{text}]" for name, text in shown)
    assert plain == snippet


async def test_keys_are_in_the_order_of_numbers_and_more_keeps_the_place(page: Page, service: Running) -> None:
    await opened(page, service, "?view=records&source=supabase&table=users")
    await expect(rows(page)).to_have_count(50)
    await rows(page).nth(49).scroll_into_view_if_needed()
    before = await place_of(page, 40)
    await page.click("#older")
    await expect(rows(page)).to_have_count(60)
    assert await place_of(page, 40) == before
    assert await titles(page) == [f"Person {number}" for number in range(1, 61)]
    assert await page.locator("#rows .key").all_inner_texts() == [f"{number}" for number in range(1, 61)]


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_last_change_comes_first_where_that_is_asked_for(
    page: Page, both: Sources, service: Running, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 860})
    await opened(page, service, "?view=records&source=supabase")
    await expect(rows(page)).to_have_count(50)
    if width > 1000:
        await page.locator("#columns").get_by_role("button", name="Changed").press("Enter")
        await expect(page.locator("#columns [aria-sort=descending]")).to_have_text("Changed")
        await expect(page.locator("#columns [aria-sort=none]")).to_have_text("Record")
    else:
        await expect(page.locator("#columns .sort")).to_have_count(2)
        await expect(page.locator("#columns .sort").first).to_be_hidden()  # nobody would see where the focus is
        await page.get_by_label("Order").select_option("changed")
    await expect(rows(page)).to_have_count(50)
    assert "order=changed" in page.url
    await looked(page)
    await expect(page.locator("#news")).to_be_hidden()
    before = await place_of(page, 5)
    changed = (
        await page.locator("#rows .key").nth(5).inner_text(),
        await page.locator("#rows .key").nth(0).inner_text(),
    )
    both.supabase.update("users", int(changed[0]), {"name": "Grace"})
    await expect(rows(page).nth(5)).to_contain_text("Grace")
    await expect(page.locator("#show-news")).to_have_text("1 newer – show")
    assert await place_of(page, 5) == before
    await page.click("#older")
    await expect(rows(page)).to_have_count(60)
    await page.click("#show-news")
    await expect(rows(page).first).to_contain_text("Grace")
    await expect(rows(page).nth(1)).to_contain_text(f"Person {changed[1]}")
    await page.reload()
    await expect(rows(page).first).to_contain_text("Grace")
    await expect(page.locator("#filter [name=order]")).to_have_value("changed")


async def test_by_change_too_what_has_come_is_counted_and_what_has_left_is_struck_through(
    page: Page, both: Sources, service: Running
) -> None:
    await opened(page, service, "?view=records&source=supabase&order=changed")
    await expect(rows(page)).to_have_count(50)
    key = await page.locator("#rows .key").nth(3).inner_text()
    both.supabase.delete("users", int(key))
    await expect(page.locator("#rows tr.left")).to_contain_text("absent")
    await expect(rows(page).nth(3)).to_have_class("left")
    await expect(page.locator("#news")).to_be_hidden()
    for number in (61, 62):
        both.supabase.insert("users", {"id": number, "name": f"Person {number}"})
    await expect(page.locator("#show-news")).to_have_text("2 newer – show")
    await expect(rows(page)).to_have_count(50)
    await page.click("#show-news")
    await expect(rows(page).first).to_contain_text("Person 6")
    await expect(page.locator("#rows tr.left")).to_have_count(0)


async def test_absent_records_are_behind_a_filter(page: Page, both: Sources, service: Running) -> None:
    await opened(page, service, "?view=records&source=supabase&record_id=7")
    await expect(rows(page)).to_have_count(1)
    both.supabase.delete("users", 7)
    await expect(page.locator("#rows tr.left")).to_contain_text("absent")
    await page.reload()
    await expect(page.locator("#empty")).to_contain_text("absent records are behind the filter")
    for state in ("absent", "all"):
        await choose(page, "state", state)
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("absent")
        await looked(page)
        await expect(page.locator("#rows tr.left")).to_have_count(0)
    await page.click("#clear")
    await expect(rows(page)).to_have_count(50)
    await expect(page.locator("#filter [name=state] option:checked")).to_have_text("present")


async def test_columns_are_chosen_from_those_that_there_are_and_stand_in_the_address(
    page: Page, both: Sources, tmp_path: Path
) -> None:
    both.supabase.create_table("prices", {"id": "bigint", ODD: "text", "net": "text", "constructor": "text"})
    both.supabase.insert("prices", {"id": 1, ODD: "<b>12</b>", "net": "wrong", "constructor": None})
    tables = {"tables": [{"name": "prices"}, {"name": "users", "changed_at": "updated_at"}]}
    async with running(both.settings(tmp_path, supabase=tables)) as service:
        await wait_until(lambda: loaded(service))
        await opened(page, service, "?view=records&q=person&columns=constructor")
        await expect(rows(page)).to_have_count(50)
        await choose(page, "q", "")
        await page.click("#choose-columns")
        await page.get_by_label(ODD).check()
        await page.get_by_label("constructor").uncheck()
        await page.get_by_label("Status").check()
        await page.click("#action button.main")
        await expect(page.locator("#columns")).to_contain_text(ODD)
        price = rows(page).filter(has=page.get_by_text("prices", exact=True))
        await expect(price.locator("td.chosen").last).to_have_text("<b>12</b>")
        await expect(rows(page).filter(has_text="Winter plan").locator("td.chosen")).to_have_text(["Open", ""])
        await page.reload()
        await expect(page.locator("#columns")).to_contain_text(ODD)
        await choose(page, "source", "notion")
        await expect(rows(page).locator("td.chosen")).to_have_text(["Open", ""])
        await page.click("#clear")
        await expect(page.locator("#columns th.chosen")).to_have_text(["Status", ODD])
        await page.click("#choose-columns")
        await expect(page.get_by_label(ODD)).to_be_checked()
        await page.get_by_role("button", name="None").click()
        await expect(page.locator("#columns th.chosen")).to_have_count(0)
        await page.go_back()
        await expect(page.locator("#columns th.chosen")).to_have_text(["Status", ODD])


async def test_no_more_columns_are_chosen_than_can_be_read(page: Page, both: Sources, tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(9)]
    both.supabase.create_table("wide", {"id": "bigint", **dict.fromkeys(names, "text")})
    both.supabase.insert("wide", {"id": 1, **{name: f"value of {name}" for name in names}})
    async with running(both.settings(tmp_path, supabase={"tables": [{"name": "wide"}]})) as service:
        await wait_until(lambda: loaded(service))
        await opened(page, service, "?view=records&source=supabase")
        await page.click("#choose-columns")
        for name in names[:6]:
            await page.get_by_label(name).check()
        await expect(page.get_by_label(names[6])).to_be_disabled()
        await page.get_by_label(names[0]).uncheck()
        await page.get_by_label(names[8]).check()
        await page.click("#action button.main")
        await expect(page.locator("#rows td.chosen")).to_have_text(
            [f"value of {name}" for name in [*names[1:6], names[8]]]
        )
        await choose(page, "q", "value")
        await expect(page.locator("#rows mark").first).to_have_text("value")
        widths = "() => [...document.querySelectorAll('#columns th')].map(one => one.offsetWidth).filter(Boolean)"
        assert min(await page.evaluate(widths)) > 60
        await rows(page).first.locator(".open").click()
        await expect(page.locator("#panel")).to_be_visible()
        assert min(await page.evaluate(widths)) > 60
        await page.keyboard.press("Escape")
        await page.set_viewport_size({"width": 800, "height": 860})
        assert min(await page.evaluate(widths)) > 60
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 860})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_columns_stay_as_they_are_where_nobody_knows_which_there_are(
    page: Page, service: Running, refusals: set[tuple[int, str]]
) -> None:
    refusals.add((503, "/api/v1/records/supabase/public.users/7"))
    await opened(page, service, "?view=records&record_id=7&columns=name")
    refused = json.dumps({"error": "unavailable", "message": "The disk is full"})
    await page.route("**/api/v1/records/*/*/7?values=1", lambda route: route.fulfill(status=503, body=refused))
    await page.click("#choose-columns")
    await expect(page.locator("#action")).to_contain_text("The disk is full")
    await expect(page.get_by_role("button", name="Show", exact=True)).to_be_disabled()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#rows td.chosen")).to_have_text("Person 7")
