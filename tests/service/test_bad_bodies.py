"""Bodies and titles that nobody would write: each is stored or refused with its reason, and the lane goes on."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from hookbridge.standins import Reply
from tests.support.books import hint, send, settled
from tests.support.followed import Shifted, Sources, sources
from tests.support.running import ADMIN, Running, running
from tests.support.waiting import wait_until

CHARACTERS_MAX = 1_000_000
"""What `[notion] content_characters_max` is without being set."""
JSON = {"Content-Type": "application/json; charset=utf-8"}
RIGHT_TO_LEFT = (
    "\u202b\u05e9\u05dc\u05d5\u05dd\u202c \u0645\u0631\u062d\u0628\u0627 👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 e\u0301"
)


ODD = {
    "empty": ("", ""),
    "nul": ("nul \x00 byte", "nul \x00 byte"),
    "half a pair": ("half \ud83d of a pair", "half ? of a pair"),
    "two halves": ("\udc00\ud800", "??"),
    "right to left": (RIGHT_TO_LEFT, RIGHT_TO_LEFT),
    "markup": ("<script>alert(1)</script>\r\n\u2028\ufeff", "<script>alert(1)</script>\r\n\u2028\ufeff"),
    "just short enough": ("x" * CHARACTERS_MAX, "x" * CHARACTERS_MAX),
}
"""Texts, and what is stored of each."""


class Pages:
    """A database whose pages are read with their bodies, and the service that is told of them."""

    def __init__(self, both: Sources, bridge: Running) -> None:
        self.both = both
        self.bridge = bridge

    def page(self, markdown: str = "text", title: str | None = "x") -> str:
        return self.both.notion.create_page(self.both.data_source, title=title, markdown=markdown)

    async def told(self, page: str) -> dict[str, Any]:
        """Tell of a page, and give what the API has of it once all is settled; nothing of it is a dead letter."""
        await send(self.bridge, hint(page, table=self.both.database, source="notion"), source="notion")
        assert "dead" not in await settled(self.bridge)
        answer = await self.bridge.get(f"/api/v1/records/notion/{self.both.database}/{page}")
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found

    async def hits(self, words: str) -> set[str]:
        """The ids of what a search finds."""
        answer = await self.bridge.get("/api/v1/search?" + urlencode({"q": words}))
        return {hit["id"] for hit in (await answer.json())["hits"]}

    async def goes_on(self) -> None:
        """The next page is read as if nothing had been."""
        found = await self.told(self.page("the next one"))
        assert (found["content_state"], found["content"]["markdown"]) == ("stored", "the next one")
        (lane,) = [one for one in await self._lanes() if one["source"] == "notion"]
        assert lane["state"] == "running"

    async def _lanes(self) -> list[dict[str, Any]]:
        lanes: list[dict[str, Any]] = (await (await self.bridge.get("/readyz")).json())["lanes"]
        return lanes


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[Pages]:
    async with sources() as both:
        settings = both.settings(
            tmp_path,
            notion={"databases": [{"id": both.database, "content": True}]},
            reconcile={"enabled": False},
        )
        async with running(settings) as bridge:
            yield Pages(both, bridge)


@pytest.mark.parametrize(("markdown", "stored"), ODD.values(), ids=ODD)
async def test_an_odd_text_is_stored_as_it_is_but_for_what_no_text_can_hold(
    pages: Pages, markdown: str, stored: str
) -> None:
    found = await pages.told(pages.page(markdown))
    assert found["content_state"] == "stored"
    assert found["content"]["markdown"] == stored
    assert found["content"]["truncated"] is False
    await pages.goes_on()


@pytest.mark.parametrize("letter", ["x", "é", "🗼"])
async def test_of_two_megabytes_the_first_characters_are_stored_and_said_to_be_not_all(
    pages: Pages, letter: str
) -> None:
    found = await pages.told(pages.page(letter * 2_000_000))
    assert (found["content"]["markdown"], found["content"]["truncated"]) == (letter * CHARACTERS_MAX, True)
    await pages.goes_on()


@pytest.mark.parametrize("markdown", [None, 7, ["text"], {"text": "text"}, msgspec.UNSET], ids=str)
async def test_a_body_that_is_no_text_is_refused_and_the_page_is_copied_without(pages: Pages, markdown: object) -> None:
    page = pages.page()
    told: dict[str, object] = {"object": "page_markdown", "id": page, "truncated": False, "unknown_block_ids": []}
    if markdown is not msgspec.UNSET:
        told["markdown"] = markdown
    reply = Reply(status=200, body=msgspec.json.encode(told), headers=JSON)
    pages.both.notion.faults.answer(reply, path=lambda path: path.endswith(f"{page}/markdown"))
    found = await pages.told(page)
    assert (found["content_state"], found["content"]) == ("refused", None)
    assert found["data"]["id"] == page
    await pages.goes_on()


@pytest.mark.parametrize("unknown", [None, 7, "text", [7, None], [""], ["../users/me"], ["x" * 5_000]], ids=repr)
async def test_unknown_blocks_that_are_no_ids_leave_the_rest_of_the_body(pages: Pages, unknown: object) -> None:
    page = pages.page()
    told = {"object": "page_markdown", "id": page, "markdown": "rest", "truncated": True, "unknown_block_ids": unknown}
    reply = Reply(status=200, body=msgspec.json.encode(told), headers=JSON)
    pages.both.notion.faults.answer(reply, path=lambda path: path.endswith(f"{page}/markdown"))
    content = (await pages.told(page))["content"]
    assert (content["markdown"], content["truncated"]) == ("rest", True)
    await pages.goes_on()


@pytest.mark.parametrize(
    ("title", "called"),
    [
        (None, None),
        ("", None),
        ("x" * 2_000, "x" * 299 + "…"),
        (RIGHT_TO_LEFT, RIGHT_TO_LEFT),
        ("nul \x00 byte", "nul byte"),
        ("half \ud83d of a pair", "half ? of a pair"),
    ],
    ids=ascii,
)
async def test_an_odd_title_keeps_no_body_away(pages: Pages, title: str | None, called: str | None) -> None:
    page = pages.page("the body", title)
    found = await pages.told(page)
    assert (found["content"]["markdown"], found["title"]) == ("the body", called or page)
    assert await pages.hits("body") == {page}
    await pages.goes_on()


@pytest.mark.parametrize("properties", [{}, {"Status": {"type": "select", "select": None}}, {"Name": 7}], ids=str)
async def test_a_page_that_has_no_property_for_a_title_is_called_by_its_id(pages: Pages, properties: object) -> None:
    page, both = pages.page("the body"), pages.both
    told = {
        "object": "page",
        "id": page,
        "parent": {"type": "data_source_id", "data_source_id": both.data_source, "database_id": both.database},
        "last_edited_time": "2026-01-01T15:00:00.000Z",
        "properties": properties,
    }
    reply = Reply(status=200, body=msgspec.json.encode(told), headers=JSON)
    both.notion.faults.answer(reply, path=lambda path: path.endswith(f"/pages/{page}"))
    found = await pages.told(page)
    assert (found["title"], found["content"]["markdown"]) == (page, "the body")
    await pages.goes_on()


@pytest.mark.parametrize(
    ("markdown", "word"),
    [
        ("nul \x00 byte", "byte"),
        ("half \ud83d of a pair", "pair"),
        (RIGHT_TO_LEFT, "\u05e9\u05dc\u05d5\u05dd"),
        (RIGHT_TO_LEFT, "\u0645\u0631\u062d\u0628\u0627"),
        ("grin 😀 and bear it", "😀"),
        ("first " + "other " * 400_000, "first"),
    ],
    ids=["nul", "half a pair", "hebrew", "arabic", "emoji", "two megabytes"],
)
async def test_an_odd_text_is_found_by_its_words(pages: Pages, markdown: str, word: str) -> None:
    page = pages.page(markdown)
    await pages.told(page)
    assert await pages.hits(word) == {page}


async def test_a_first_load_of_odd_bodies_is_complete_and_equal_to_its_source(tmp_path: Path) -> None:
    clock = Shifted()
    clock.by = timedelta(minutes=-30)  # else each would be read once more when its minute is over
    async with sources(clock) as both:
        odd = [markdown for markdown, _ in ODD.values()]
        for markdown in [*odd, "x" * 2_000_000]:
            both.notion.create_page(both.data_source, title="x", markdown=markdown)
        for title in (None, "", "x" * 2_000, RIGHT_TO_LEFT, "nul \x00", "half \ud83d"):
            both.notion.create_page(both.data_source, title=title, markdown="text")
        clock.by = timedelta()
        with_text = {"databases": [{"id": both.database, "content": True}]}
        async with running(both.settings(tmp_path, notion=with_text)) as bridge:
            await wait_until(lambda: without_any_left(bridge, both.database, len(odd) + 7))
            asked = {"source": "notion", "content": True}
            answer = await bridge.post("/api/v1/verify", asked, headers=ADMIN)
            *_, proof, verdict = map(msgspec.json.decode, (await answer.read()).splitlines())
            assert (proof["equal"], verdict["agrees"]) == (len(odd) + 7, True)


async def without_any_left(bridge: Running, table: str, count: int) -> bool:
    """Whether so many pages have their bodies, and none waits for one."""
    counts = await bridge.service.store.content_counts("notion", table)
    return (counts.wanting, counts.copied) == (0, count)
