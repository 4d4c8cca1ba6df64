"""The panel of a record: its properties as a person reads them, and the text behind it, of which nothing is markup."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.driving import module, opened, rows, send
from tests.support.followed import Sources, loaded, sources
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

HOSTILE = """<script>globalThis.struck = 1</script>
<img src="/docs/assets/favicon-32x32.png" onerror="globalThis.struck = 1">
<svg onload=globalThis.struck=1><iframe src="javascript:alert(1)"></iframe>
![A map](https://elsewhere.example/map.png)
[one](javascript:globalThis.struck=1) [two](data:text/html,struck) [three](JaVaScRiPt:struck) [four](/readyz)
[five](https://good.example/?q=1) <https://also.example/> <page url="javascript:struck">Six</page>
# <b>bold</b> \u202eturned\u2066 \x00
- [x] <u onclick="struck">under</u>
| <style>*{display:none}</style> | b |
"""


@asynccontextmanager
async def shown(page: Page, folder: Path, markdown: str, **notion: Any) -> AsyncIterator[tuple[Sources, Running]]:  # noqa: ANN401
    """Open the panel of a page with this body."""
    async with sources() as both:
        both.clock.by = timedelta(days=-2)
        both.notion.create_page(both.data_source, {"Name": "Plan", "Status": "Open"}, markdown=markdown)
        both.clock.by = timedelta()
        both.notion.blocks_max = 10_000_000
        both.notion.bodies_readable = notion.pop("bodies_readable", True)
        if notion.pop("hangs", False):
            both.notion.faults.hang(path=lambda path: path.endswith("/markdown"))
        databases = [{"id": both.database, "content": notion.pop("content", True)}]
        async with running(both.settings(folder, notion={"databases": databases, **notion})) as service:
            await wait_until(lambda: loaded(service))
            await opened(page, service, "?view=records")
            await rows(page).first.locator(".open").click()
            await expect(page.locator("#panel-title")).to_have_text("Plan")
            yield both, service


async def test_a_page_reads_as_its_people_wrote_it(page: Page, tmp_path: Path) -> None:
    markdown = "# Launch\nAsk **Ada** for [the map](https://example.com/map).\n- [x] order\n\t- [ ] the valve\n> Soon."
    async with shown(page, tmp_path, markdown) as (both, _):
        panel, body = page.locator("#panel"), page.locator("#panel .markdown")
        await expect(panel).to_contain_text("notion · Tasks")
        await expect(panel.locator("dl").last).to_have_text("NamePlanStatusOpen")
        await expect(body.locator("h4")).to_have_text("Launch")
        await expect(body.locator("strong")).to_have_text("Ada")
        link = body.get_by_role("link", name="the map")
        await expect(link).to_have_attribute("href", "https://example.com/map")
        await expect(link).to_have_attribute("rel", "noopener noreferrer")
        assert [await one.is_checked() for one in await body.get_by_role("checkbox").all()] == [True, False]
        await expect(body.locator("li li")).to_have_text("the valve")
        await expect(body.locator("blockquote")).to_have_text("Soon.")
        await expect(panel).to_contain_text("As it was edited")
        await expect(panel.locator("pre").last).to_contain_text('"object": "page"')
        both.notion.edit_content(next(iter(both.notion.pages)), "Another text")
        await page.click("#verify")
        await page.click("#action button.main")
        await expect(body).to_have_text("Another text")


async def test_titles_and_labels_stand_beside_ids_wherever_records_and_tables_are_named(
    page: Page, tmp_path: Path
) -> None:
    async with shown(page, tmp_path, "A text") as (both, service):
        (id_,) = both.notion.pages
        assert (await service.post(f"/api/v1/records/notion/{both.database}/{id_}/verify", {}, ADMIN)).status == 202
        await wait_until(lambda: service.service.store.open_events == 0)
        await expect(page.locator("#panel .content")).to_contain_text(id_)
        await page.click("#verify")
        await expect(page.locator("#action-title")).to_have_text(f"Verify Plan ({id_})")
        await page.get_by_role("button", name="Cancel").click()
        card = page.locator("#sources [data-source=notion]")
        await expect(card.locator("li").first).to_contain_text("Tasks following")
        await expect(card.locator("bdi").first).to_have_attribute("title", both.database)
        await page.click("#its-events")
        await expect(rows(page).first.locator(".open")).to_have_text(f"Plan {id_}")
        await expect(rows(page).first.locator("td[data-label=Table]")).to_have_text("Tasks")
        await rows(page).first.locator(".open").click()
        await expect(page.locator("#panel .name")).to_have_text(f"Plan {id_}")
        await page.click("#replay")
        await expect(page.locator("#action")).to_contain_text(f"Its record, Plan ({id_}), is read")
        await page.get_by_role("button", name="Cancel").click()
        await page.click("#its-record")
        await expect(page.locator("#panel-title")).to_have_text("Plan")


async def test_a_hostile_body_is_text(page: Page, tmp_path: Path) -> None:
    async with shown(page, tmp_path, HOSTILE):
        body = page.locator("#panel .markdown")
        for text in (
            "<script>globalThis.struck = 1</script>", "<svg onload=globalThis.struck=1>", "Picture: A map",
            "one (javascript:globalThis.struck=1)", "three (JaVaScRiPt:struck)", "four (/readyz)", "Six",
            "<b>bold</b> \\u202eturned\\u2066 \\u0000", "<style>*{display:none}</style>",
        ):  # fmt: skip
            await expect(body).to_contain_text(text)
        links = await body.locator("a").evaluate_all("all => all.map(one => one.href)")
        assert links == ["https://elsewhere.example/map.png", "https://good.example/?q=1", "https://also.example/"]
        assert await body.locator("script, img, svg, iframe, style, object, form, [onclick], [style]").count() == 0
        assert await page.evaluate("globalThis.struck") is None


@pytest.mark.parametrize(
    "piece", ["<script>x</script>\n- *a [b](javascript:c)\n", "[", "*a ", "\t- a\n", "|a|\n", '"\\\n']
)
async def test_two_megabytes_show_their_beginning_and_more_at_each_press(
    page: Page, tmp_path: Path, piece: str
) -> None:
    whole = piece * (2_000_000 // len(piece))
    async with shown(page, tmp_path, whole, content_characters_max=3_000_000):
        body = page.locator("#panel .markdown")
        first = len(await body.inner_text())
        assert first < 60_000
        more = page.get_by_role("button", name="Show more")
        await expect(more).to_have_text(re.compile(r"Show more \(2\d kB of 2\.0 MB\)"))
        await more.click()
        await expect(more).to_have_text(re.compile(r"Show more \(2[234]\d kB of 2\.0 MB\)"))
        assert len(await body.inner_text()) > first
        await expect(page.locator("#health-text")).to_have_text("Converged: every event is settled")


async def test_a_body_that_comes_while_its_panel_is_open_shows_more_at_a_press(page: Page, tmp_path: Path) -> None:
    async with shown(page, tmp_path, "word " * 20_000, hangs=True) as (both, _):
        await expect(page.locator("#panel")).to_contain_text("It is still to be read.")
        both.notion.faults.clear()
        await expect(page.locator("#panel")).to_contain_text("Search knows only the beginning of its text.")
        more = page.get_by_role("button", name="Show more")
        await more.click()
        await expect(more).to_be_hidden()
        assert (await page.locator("#panel .markdown").inner_text()).count("word") == 20_000
        await page.click("#compare")  # what stands below it has moved
        await expect(page.locator("#diff")).to_have_text(re.compile("^Copy and source are equal"))


async def test_a_long_value_that_changes_while_its_panel_is_open_is_shown_whole_at_a_press(
    page: Page, tmp_path: Path
) -> None:
    async with running(make_settings(tmp_path)) as service:
        await send(service, "7", "a" * 30_000)
        await wait_until(lambda: service.service.store.open_events == 0)
        await opened(page, service, "?view=records")
        await rows(page).first.locator(".open").click()
        value = page.locator("#panel dl").last.locator("pre")
        await expect(value).to_have_text(f"{'a' * 20_000}…")
        await send(service, "7", "b" * 30_000)
        await expect(value).to_have_text(f"{'b' * 20_000}…")
        await page.get_by_role("button", name="Show all").first.click()
        await expect(value).to_have_text("b" * 30_000)


@pytest.mark.parametrize(
    ("notion", "says"),
    [
        ({"bodies_readable": False}, "The source gives none"),
        ({"hangs": True}, "It is still to be read."),
        ({"content_characters_max": 1000}, "There is more of it at the source than was read."),
        ({"content": False}, None),
    ],
    ids=["refused", "waiting", "cut", "off"],
)
async def test_what_there_is_not_of_a_body_is_said(
    page: Page, tmp_path: Path, notion: dict[str, Any], says: str | None
) -> None:
    async with shown(page, tmp_path, "word " * 300, **notion) as (both, _):
        panel = page.locator("#panel")
        if says is None:
            await expect(panel.get_by_role("heading", name="Body")).to_have_count(0)
        else:
            await expect(panel).to_contain_text(says)
        if "hangs" in notion:
            both.notion.faults.clear()
            await expect(panel.locator(".markdown")).to_contain_text("word word")


async def test_an_empty_body_says_so(page: Page, tmp_path: Path) -> None:
    async with shown(page, tmp_path, ""):
        await expect(page.locator("#panel")).to_contain_text("It is empty.")


async def test_a_row_shows_its_columns_in_their_order_and_those_that_are_empty(page: Page, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        await send(service, "7", "A\nB", **{"10": 9007199254740993, "2": [1, {"a": "<b>"}], "none": None, "blank": ""})
        await wait_until(lambda: service.service.store.open_events == 0)
        await opened(page, service, "?view=records")
        await rows(page).first.locator(".open").click()
        properties = page.locator("#panel dl").last
        await expect(properties.locator("dt")).to_have_text(["id", "name", "10", "2"])
        assert await properties.locator("dd").all_inner_texts() == ["7", "A\nB", "9007199254740993", '[1,{"a":"<b>"}]']
        await expect(page.locator("#panel")).to_contain_text("Empty: none, blank")


RENDERED = {
    "headings": (
        '# A {color="red"}\n###### *B*\n#no',
        "<h4>A</h4><h6><em>B</em></h6><p>#no</p>",
    ),
    "lists": (
        "- a\n\t- b\n\t1. c\n- d\n3. e\n4. f\n* ",
        (
            '<ul><li>a<ul><li>b</li></ul><ol><li>c</li></ol></li><li>d</li></ul><ol start="3"><li>e</li><li>'
            "f</li></ol><ul><li></li></ul>"
        ),
    ),
    "paragraphs within an item": (
        "- a\n\tb\nc",
        "<ul><li>a<p>b</p></li></ul><p>c</p>",
    ),
    "quotes": (
        "> a<br>b\n> c\n\n> d",
        "<blockquote><p>a<br>b</p><p>c</p></blockquote><blockquote><p>d</p></blockquote>",
    ),
    "code": (
        "```js\n*a*\n\n\tb\n```\n`c*`d*",
        "<pre>*a*\n\n\tb</pre><p><code>c*</code>d*</p>",
    ),
    "code that does not end": (
        "````\n```\n*a*",
        "<pre>```\n*a*</pre>",
    ),
    "marks": (
        "un**do**ne a_b_c _d_ 2 * 3 * ~~e~~ **f",
        "<p>un<strong>do</strong>ne a_b_c <em>d</em> 2 * 3 * <s>e</s> **f</p>",
    ),
    "marks that cross": (
        "**a *b** c*",
        "<p><strong>a *b</strong> c*</p>",
    ),
    "escapes": (
        "\\*a\\* \\[b\\](c) \\<u>",
        "<p>*a* [b](c) &lt;u&gt;</p>",
    ),
    "brackets": (
        "[a [b] c](d ] [",
        "<p>[a [b] c](d ] [</p>",
    ),
    "notion's tags": (
        '<callout icon="!">\n\t**a**\n</callout>\n<columns>\n\t<column>\n\t\tb\n\t</column>\n</columns>\n<br>c',
        '<div class="callout"><p><strong>a</strong></p></div><div><div><p>b</p></div></div><p><br>c</p>',
    ),
    "mentions": (
        '<mention-user url="user://1">Ada</mention-user> <mention-date start="2026-03-12" end="2026-03-14"/>',
        "<p>Ada 2026-03-12 → 2026-03-14</p>",
    ),
    "tables": (
        "| a | b\\|c |\n|---|:-:|\n| *d* | |",
        (
            '<div class="table" role="table"><div role="row"><span role="cell">a</span><span role="cell">b|c'
            '</span></div><div role="row"><span role="cell"><em>d</em></span><span role="cell"></span></div>'
            "</div>"
        ),
    ),
    "notion's tables": (
        '<table header-row="true">\n\t<tr>\n\t\t<td>a</td>\n\t</tr>\n</table>\nb',
        '<div class="table" role="table"><div role="row"><span role="cell">a</span></div></div><p>b</p>',
    ),
    "notion's tables without lines": (
        "\t<table><tr><td>a</td><td>b</td></tr>\n<tr><td></td></tr></table>",
        (
            '<div class="table" role="table"><div role="row"><span role="cell">a</span><span role="cell">b</span>'
            '</div><div role="row"><span role="cell"></span></div></div>'
        ),
    ),
    "what only begins like a table": (
        "<table>\nhello\n*x*",
        "<p>&lt;table&gt;</p><p>hello</p><p><em>x</em></p>",
    ),
    "a table with something outside of its cells": (
        "<table>\n<tr><td>a</td>hidden</tr>\n</table>",
        "<p>&lt;table&gt;</p><p>&lt;tr&gt;&lt;td&gt;a&lt;/td&gt;hidden&lt;/tr&gt;</p><p>&lt;/table&gt;</p>",
    ),
    "rules and equations": (
        "---\n$$\nx*y*\n$$\n$`E=mc^2`$",
        "<hr><pre>x*y*</pre><p><code>E=mc^2</code></p>",
    ),
    "what has no text": (
        '<unknown url="https://n/u" alt="bookmark"/>',
        '<p><span class="soft">[something that has no text here: bookmark]</span></p>',
    ),
}


async def test_markdown_becomes_elements(page: Page, tmp_path: Path) -> None:
    html = "[...it.blocks(given[0])].flatMap(one => one.nodes).map(one => one.outerHTML).join('')"
    async with running(make_settings(tmp_path)) as service:
        await opened(page, service)
        for name, (markdown, expected) in RENDERED.items():
            made = await module(page, "markdown.js", html, markdown)
            assert re.sub(r' (dir="auto"|tabindex="0")', "", made) == expected, name


async def test_every_word_of_a_text_is_shown_whatever_stands_around_it(page: Page, tmp_path: Path) -> None:
    """A text of random pieces of syntax, with a word after each: none of the words may be gone."""
    pieces = [
        "\n", "\n\t", "# ", "- ", "- [x] ", "1. ", "> ", "```\n", "\n```\n", "| ", " |\n", "|---|\n", "**", "*",
        "_", "~~", "`", "[", "](", "](https://x.y)", ")", "<", ">", "<u>", "</u>", "<td>", "</td>", "\n<table>\n",
        "</table>", "<tr>", '<page url="https://x.y">', "</page>", "<callout>\n", "\n</callout>\n", "<script>",
        "\\", "$", "$$\n", "---\n", "\n:::", "https://x.y/",
    ]  # fmt: skip
    script = """[...it.blocks(given[0])].flatMap(one => one.nodes).map(one => one.textContent + ' '
        + [...one.querySelectorAll?.('a') ?? []].map(link => link.href).join(' ')).join(' ')"""
    random = Random(7)
    async with running(make_settings(tmp_path)) as service:
        await opened(page, service)
        for _ in range(300):
            chosen = random.choices(pieces, k=12)
            text = "".join(f"{piece}word{number}" for number, piece in enumerate(chosen))
            made = await module(page, "markdown.js", script, text)
            lost = [f"word{number}" for number in range(len(chosen)) if f"word{number}" not in made]
            assert not lost, text
