"""What a page object leaves out: read behind it, within the requests, and told where it is left."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hookbridge.model import RecordKey, Truth
from hookbridge.sources.notion.cuts import cut, is_cut
from hookbridge.sources.source import Changes
from hookbridge.standins import Reply
from tests.support.workspace import DATABASE, QUERY, RETRIEVE, Tasks, tasks

CASE = Path(__file__).parents[1] / "fixtures" / "notion_answers" / "10_relation_cut_at_25.json"
SCHEMA = {"Name": "title", "Linked": "relation", "Who": "people", "All": "rollup", "Sum": "rollup", "Note": "rich_text"}


def ids(count: int, first: int = 0) -> list[str]:
    return [str(UUID(int=number, version=4)) for number in range(first + 1, first + count + 1)]


def rolled(names: list[str]) -> dict[str, Any]:
    array = [{"type": "title", "title": [{"type": "text", "plain_text": name}]} for name in names]
    return {"type": "rollup", "rollup": {"type": "array", "function": "show_original", "array": array}}


class Cut:
    """A database whose pages may have many references."""

    def __init__(self, workspace: Tasks) -> None:
        self.workspace = workspace
        self.notion = workspace.notion
        self.database = self.notion.create_database("Cut", SCHEMA)
        (self.data_source,) = self.notion.data_source_ids(self.database)

    def page(self, **properties: object) -> RecordKey:
        return self.workspace.key(self.notion.create_page(self.data_source, properties), self.database)

    async def read(self, record: RecordKey) -> Truth:
        return await self.workspace.source.read(record)

    async def value(self, record: RecordKey, name: str) -> dict[str, Any]:
        columns = self.workspace.source.truth_columns(await self.read(record))
        assert columns is not None
        found: dict[str, Any] = columns["properties"][name]
        return found

    def property_requests(self) -> int:
        asked = self.workspace.asked()
        return sum(count for route, count in asked.items() if "/properties/" in route)

    @property
    def changes(self) -> Changes:
        changes = self.workspace.source.changes
        assert changes is not None
        return changes

    async def listed(self) -> dict[str, Truth]:
        return {one.record.id: one for one in (await self.changes.listing(self.database, None)).truths}


@pytest.fixture
async def pages() -> AsyncIterator[Cut]:
    async with tasks() as workspace:
        yield Cut(workspace)


def test_what_is_cut_is_known_by_its_word_or_by_its_length() -> None:
    relation = json.loads(CASE.read_text())["property"]
    assert is_cut(relation)
    assert not is_cut({**relation, "has_more": False})
    people = {"type": "people", "people": [{"id": one} for one in ids(25)]}
    assert is_cut(people)
    assert not is_cut({**people, "people": people["people"][:24]})
    assert not is_cut({**people, "has_more": False})
    assert is_cut(rolled(ids(25)))
    assert not is_cut(rolled(ids(24)))
    assert is_cut({"type": "rollup", "rollup": {"type": "incomplete", "incomplete": {}}})
    mention = {"type": "mention", "mention": {"type": "page", "page": {"id": ids(1)[0]}}, "plain_text": "x"}
    assert is_cut({"type": "rich_text", "rich_text": [mention] * 25})
    assert not is_cut({"type": "rich_text", "rich_text": [{"type": "text", "plain_text": "x"}] * 99})
    assert not is_cut({"type": "multi_select", "multi_select": [{"name": str(one)} for one in range(99)]})
    assert cut({"properties": {"A": relation, "B": None, "C": {"type": "number", "number": 25}}}) == ("A",)


@pytest.mark.parametrize(("count", "requests"), [(25, 0), (26, 1), (100, 1), (101, 2), (250, 3)])
async def test_a_relation_is_read_to_its_end(pages: Cut, count: int, requests: int) -> None:
    linked = ids(count)
    record = pages.page(Linked=linked)
    value = await pages.value(record, "Linked")
    assert [one["id"] for one in value["relation"]] == linked
    assert value["has_more"] is False
    assert pages.property_requests() == requests
    assert not (await pages.read(record)).cut


async def test_people_and_rollups_are_read_to_their_end_too(pages: Cut) -> None:
    names = [f"name {number}" for number in range(60)]
    record = pages.page(Who=ids(60), All=rolled(names), Sum=7)
    assert [one["id"] for one in (await pages.value(record, "Who"))["people"]] == ids(60)
    array = (await pages.value(record, "All"))["rollup"]["array"]
    assert [one["title"][0]["plain_text"] for one in array] == names
    assert (await pages.value(record, "Sum"))["rollup"]["number"] == 7
    columns = pages.workspace.source.truth_columns(await pages.read(record))
    assert columns is not None
    assert names[-1] in pages.workspace.source.fields(record, columns, None).properties


async def test_a_rollup_that_is_not_computed_yet_gets_its_value(pages: Cut) -> None:
    record = pages.page(Sum={"type": "rollup", "rollup": {"type": "incomplete", "incomplete": {}, "function": "sum"}})
    final = {"type": "number", "number": 1200, "function": "sum"}
    answer = {"object": "list", "results": [], "has_more": False, "property_item": {"type": "rollup", "rollup": final}}
    body = json.dumps(answer).encode()
    reply = Reply(status=200, body=body, headers={"Content-Type": "application/json"})
    pages.notion.faults.answer(reply, path=lambda path: "/properties/" in path)
    value = await pages.value(record, "Sum")
    assert (value["rollup"], value["has_more"]) == (final, False)


async def test_a_page_costs_no_more_than_its_requests_and_tells_what_is_left() -> None:
    async with tasks(property_requests_max=3) as workspace:
        pages = Cut(workspace)
        record = pages.page(Linked=ids(250), Who=ids(150, 1000))
        truth = await pages.read(record)
        assert truth.cut
        assert not truth.partial
        assert pages.property_requests() == 3
        columns = workspace.source.truth_columns(truth)
        assert columns is not None
        assert cut(columns) == ("Who",)
        assert len(columns["properties"]["Linked"]["relation"]) == 250
        assert len(columns["properties"]["Who"]["people"]) == 25


async def test_without_requests_a_page_stays_as_it_is_shown() -> None:
    async with tasks(property_requests_max=0) as workspace:
        pages = Cut(workspace)
        record = pages.page(Linked=ids(60))
        assert (await pages.read(record)).cut
        assert len((await pages.value(record, "Linked"))["relation"]) == 25
        assert pages.property_requests() == 0


async def test_a_property_that_cannot_be_read_costs_no_page(pages: Cut) -> None:
    record = pages.page(Linked=ids(60))
    pages.notion.faults.status(400, path=lambda path: "/properties/" in path)
    truth = await pages.read(record)
    assert truth.cut
    assert truth.data is not None


async def test_a_page_is_the_same_whichever_way_it_was_read(pages: Cut) -> None:
    records = [pages.page(Linked=ids(60, 100 * number), Who=ids(30)) for number in range(9)]
    alone = [await pages.read(record) for record in records]
    together = await asyncio.gather(*map(pages.read, records))
    assert [one.data for one in alone] == [one.data for one in together]
    assert pages.workspace.asked()[QUERY] == 1
    refreshed = await pages.workspace.source.refresh(records[0])
    assert refreshed.data == alone[0].data
    listed = await pages.listed()
    for one in (*alone, *together, refreshed):
        assert listed[one.record.id].partial
        assert listed[one.record.id].matches(one.fingerprint)
        assert one.matches(alone[records.index(one.record)].fingerprint)


async def test_an_edit_behind_the_cut_is_a_difference_of_the_listing(pages: Cut) -> None:
    record = pages.page(Linked=ids(60))
    pages.workspace.clock.advance(5)
    read = await pages.read(record)
    assert (await pages.listed())[record.id].matches(read.fingerprint)
    pages.notion.update_page(record.id, {"Linked": ids(61)})
    assert not (await pages.listed())[record.id].matches(read.fingerprint)


async def test_what_was_read_in_its_minute_is_read_once_more_when_that_is_over(pages: Cut) -> None:
    record = pages.page(Linked=ids(60))
    early = await pages.read(record)
    pages.notion.update_page(record.id, {"Linked": ids(61)})  # in the same minute: the listing shows no difference
    assert (await pages.listed())[record.id].matches(early.fingerprint)
    pages.workspace.clock.advance(3)
    assert not (await pages.listed())[record.id].matches(early.fingerprint)
    late = await pages.read(record)
    assert not late.matches(early.fingerprint)
    pages.workspace.clock.advance(60)
    assert (await pages.listed())[record.id].matches(late.fingerprint)


async def test_a_text_edit_changes_what_a_listing_shows_and_not_the_content(pages: Cut) -> None:
    record = pages.page(Linked=ids(60))
    pages.workspace.clock.advance(5)
    before = await pages.read(record)
    pages.notion.edit_content(record.id)
    assert (await pages.read(record)).matches(before.fingerprint)


async def test_a_listing_costs_no_request_more(pages: Cut) -> None:
    for number in range(150):
        pages.page(Linked=ids(60, number))
    slice_ = await pages.changes.listing(pages.database, None)
    assert slice_.next_cursor is not None
    assert len(slice_.truths) == 100
    assert pages.workspace.asked() == {DATABASE: 1, QUERY: 1}
    assert RETRIEVE not in pages.workspace.asked()


def contains(part: str, path: str) -> bool:
    return part in path


@pytest.mark.parametrize(
    "answer",
    [
        {"object": "property_item", "type": "number", "number": 1},
        {"object": "list", "results": [{"type": ["odd"], "relation": None}, {}], "has_more": False},
        {"object": "list", "results": [], "has_more": True, "next_cursor": None, "property_item": "odd"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "odd", [{}, {"type": "relation"}, {"type": 7}, {"type": "rollup", "rollup": None}, {"type": "rollup", "rollup": {}}]
)
async def test_an_odd_answer_about_an_odd_property_costs_no_page(
    pages: Cut, answer: dict[str, Any], odd: dict[str, Any]
) -> None:
    record = pages.page()
    shown = json.loads((await pages.read(record)).data or b"")
    shown["properties"]["Odd"] = {**odd, "id": "o", "has_more": True}
    headers = {"Content-Type": "application/json"}
    for part, body in (("/properties/", answer), (f"/pages/{record.id}", shown)):
        reply = Reply(status=200, body=json.dumps(body).encode(), headers=headers)
        pages.notion.faults.answer(reply, path=partial(contains, part))
    assert "Odd" in await columns_of(pages, record)


async def columns_of(pages: Cut, record: RecordKey) -> dict[str, Any]:
    columns = pages.workspace.source.truth_columns(await pages.read(record))
    assert columns is not None
    found: dict[str, Any] = columns["properties"]
    return found
