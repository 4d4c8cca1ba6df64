"""The real `notion-client` reads and edits bodies at the stand-in as it would at Notion."""

import json
import re
from functools import partial
from typing import Any

import pytest
from notion_client import AsyncClient
from notion_client.errors import APIResponseError

from hookbridge.standins import NotionStandin, Webhook
from hookbridge.standins.notion.properties import FILES
from tests.standins.conftest import Clock


@pytest.fixture
def source(notion: NotionStandin) -> str:
    (source_id,) = notion.data_source_ids(notion.create_database("Notes", {"Name": "title"}))
    return source_id


async def _body(client: AsyncClient, object_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = await client.pages.retrieve_markdown(page_id=object_id)
    return answer


async def _refused(client: AsyncClient, object_id: str) -> tuple[int, str]:
    with pytest.raises(APIResponseError) as caught:
        await _body(client, object_id)
    return caught.value.status, caught.value.code


async def test_a_body_is_markdown(notion: NotionStandin, notion_client: AsyncClient, source: str) -> None:
    page = notion.create_page(source, title="x", markdown="# Plan\n- [ ] Zoë 🗼")
    answer = await _body(notion_client, page.replace("-", ""))
    del answer["request_id"]
    assert answer == {
        "object": "page_markdown",
        "id": page,
        "markdown": "# Plan\n- [ ] Zoë 🗼",
        "truncated": False,
        "unknown_block_ids": [],
    }
    assert (await _body(notion_client, notion.create_page(source, title="y")))["markdown"] == ""
    assert notion.requests.by_route == {"GET /v1/pages/{id}/markdown": 2}


async def test_an_edit_of_a_body_has_a_whole_minute_and_a_webhook(
    notion: NotionStandin, notion_client: AsyncClient, source: str, clock: Clock
) -> None:
    heard: list[Webhook] = []
    page = notion.create_page(source, title="x", markdown="old")
    notion.listen(heard.append)
    clock.advance(minutes=2)
    notion.edit_content(page, "new")
    assert (await _body(notion_client, page))["markdown"] == "new"
    assert (await notion_client.pages.retrieve(page_id=page))["last_edited_time"] == "2026-06-27T17:02:00.000Z"
    assert [json.loads(webhook.body)["type"] for webhook in heard] == ["page.content_updated"]


async def test_a_body_is_edited_over_the_api(
    notion: NotionStandin, notion_client: AsyncClient, source: str, clock: Clock
) -> None:
    page = notion.create_page(source, title="x", markdown="old")
    clock.advance(minutes=2)
    first = await notion_client.pages.update_markdown(page, type="replace_content", replace_content={"new_str": "a b"})
    assert (first["markdown"], notion.pages[page].edited.minute) == ("a b", 2)
    for update, expected in [
        ({"old_str": "b", "new_str": "a"}, "a a"),
        ({"old_str": "a", "new_str": "c"}, None),
        ({"old_str": "a", "new_str": "c", "replace_all_matches": True}, "c c"),
        ({"old_str": "a", "new_str": "d"}, None),
    ]:
        command = {"type": "update_content", "update_content": {"content_updates": [update]}}
        if expected is None:
            with pytest.raises(APIResponseError, match="exactly one location"):
                await notion_client.pages.update_markdown(page, **command)
        else:
            assert (await notion_client.pages.update_markdown(page, **command))["markdown"] == expected
    with pytest.raises(APIResponseError, match="body failed validation"):
        await notion_client.pages.update_markdown(page, type="replace_content", replace_content={})


async def _all(client: AsyncClient, object_id: str) -> str:
    """Follow every unknown block, each at its place."""
    answer = await _body(client, object_id)
    assert answer["truncated"] is bool(answer["unknown_block_ids"])
    text: str = answer["markdown"]
    for block in answer["unknown_block_ids"]:
        (tag,) = re.findall(rf'<unknown url="[^"]*#{block.replace("-", "")}" alt="toggle"/>', text)
        text = text.replace(tag, await _all(client, block))
    return text


@pytest.mark.parametrize(("lines", "requests"), [(4, 1), (5, 2), (6, 3), (40, 15)])
async def test_what_is_too_long_is_asked_for_by_its_blocks(
    notion: NotionStandin, notion_client: AsyncClient, source: str, lines: int, requests: int
) -> None:
    notion.blocks_max = 4
    text = "\n".join(f"line {number}" for number in range(lines))
    page = notion.create_page(source, title="x", markdown=text)
    assert await _all(notion_client, page) == text
    assert notion.requests.total == requests


async def test_a_child_page_that_is_not_shared_is_an_unknown_block(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    page = notion.create_page(source, title="x", markdown="text")
    child = notion.create_page(page, title="Below")
    url = f"https://app.notion.com/p/{child.replace('-', '')}"
    assert (await _body(notion_client, page))["markdown"] == f'text\n<page url="{url}">Below</page>'
    notion.revoke(child)
    answer = await _body(notion_client, page)
    assert (answer["truncated"], answer["unknown_block_ids"]) == (True, [child])
    assert await _refused(notion_client, child) == (404, "object_not_found")
    notion.trash(child)
    assert (await _body(notion_client, page))["markdown"] == "text"


async def test_a_page_that_gets_or_loses_a_child_is_edited(notion: NotionStandin, source: str, clock: Clock) -> None:
    page = notion.create_page(source, title="x")
    clock.advance(minutes=1)
    child = notion.create_page(page, title="Below")
    edits = [notion.pages[page].edited.minute]
    for change in (notion.trash, notion.restore, partial(notion.move_page, parent_id=source)):
        clock.advance(minutes=1)
        change(child)
        edits.append(notion.pages[page].edited.minute)
    assert edits == [1, 2, 3, 4]
    assert notion.pages[page].children == {}


async def test_a_link_to_a_file_is_signed_anew_with_every_read(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    text = f'![plan]({FILES}a/plan.png)\n<file src="{FILES}b/x.pdf">x</file>\nhttps://example.com/plan.png?a=1'
    page = notion.create_page(source, title="x", markdown=text)
    first, second = [(await _body(notion_client, page))["markdown"] for _ in range(2)]
    assert first != second
    assert first.count("X-Amz-Expires=3600&") == 2
    assert re.sub(r"\?X-Amz[^)\"]*", "", first) == re.sub(r"\?X-Amz[^)\"]*", "", second) == text
    notion.edit_content(page, first)
    assert (await _body(notion_client, page))["markdown"].count("X-Amz-Date") == 2


async def test_without_the_capability_only_bodies_are_refused(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    page = notion.create_page(source, title="x")
    notion.bodies_readable = False
    assert await _refused(notion_client, page) == (403, "restricted_resource")
    assert (await notion_client.pages.retrieve(page_id=page))["id"] == page
    notion.bodies_readable = True
    assert (await _body(notion_client, page))["id"] == page


async def test_a_page_that_is_gone_has_no_body(notion: NotionStandin, notion_client: AsyncClient, source: str) -> None:
    notion.blocks_max = 1
    page = notion.create_page(source, title="x", markdown="a\nb")
    (block,) = (await _body(notion_client, page))["unknown_block_ids"]
    assert (await _body(notion_client, block))["markdown"] == "b"
    notion.revoke(page)
    assert await _refused(notion_client, page) == (404, "object_not_found")
    assert await _refused(notion_client, block) == (404, "object_not_found")
    assert await _refused(notion_client, "nonsense") == (400, "validation_error")


async def test_half_of_a_surrogate_pair_is_sent_as_javascript_sends_it(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    page = notion.create_page(source, title="x", markdown="half \ud83d and \x00")
    assert (await _body(notion_client, page))["markdown"] == "half \ud83d and \x00"
