"""Reading pages: many cost few requests, each answer is newer than its question, and nobody's failure is another's."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator

import pytest

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig
from hookbridge.errors import RecordImpossible, SourceRefused, SourceUnavailable
from hookbridge.model import RecordKey
from hookbridge.sources.notion import NotionSource, pages
from hookbridge.sources.source import unordered
from hookbridge.standins import Reply
from tests.support.waiting import wait_until
from tests.support.workspace import DATA_SOURCE, DATABASE, QUERY, RETRIEVE, SCHEMA, Tasks, tasks

UNKNOWN = "7855b161-f63e-4683-b7c7-8ca6e97ee266"


@pytest.fixture
async def workspace() -> AsyncIterator[Tasks]:
    async with tasks() as one:
        yield one


async def test_a_thousand_pages_of_one_database_cost_eleven_requests(workspace: Tasks) -> None:
    records = workspace.pages(1_000)
    names = await asyncio.gather(*map(workspace.name, records))
    assert names == [f"task {number}" for number in range(1_000)]
    assert workspace.asked() == {DATABASE: 1, QUERY: 10}


async def test_few_pages_are_retrieved_one_by_one(workspace: Tasks) -> None:
    records = workspace.pages(7)
    assert await asyncio.gather(*map(workspace.name, records)) == [f"task {number}" for number in range(7)]
    assert workspace.asked() == {RETRIEVE: 7}


async def test_the_data_sources_of_a_database_are_asked_for_once(workspace: Tasks) -> None:
    records = workspace.pages(8)
    for _ in range(3):
        await asyncio.gather(*map(workspace.name, records))
    assert workspace.asked() == {DATABASE: 1, QUERY: 3}


async def test_what_a_query_does_not_find_is_retrieved(workspace: Tasks) -> None:
    records = workspace.pages(250)
    wanted = [records[0], *records[-8:]]
    assert await asyncio.gather(*map(workspace.name, wanted)) == [
        "task 0",
        *(f"task {number}" for number in range(242, 250)),
    ]
    # The second page of results had no hit, so the third was not asked for.
    assert workspace.asked() == {DATABASE: 1, QUERY: 2, RETRIEVE: 1}


async def test_all_data_sources_of_a_database_are_searched(workspace: Tasks) -> None:
    second = workspace.notion.add_data_source(workspace.database, "Archive", SCHEMA)
    records = [
        *workspace.pages(8),
        *(workspace.key(workspace.notion.create_page(second, title="old")) for _ in range(8)),
    ]
    names = await asyncio.gather(*map(workspace.name, records))
    assert names[8:] == ["old"] * 8
    assert workspace.asked() == {DATABASE: 1, QUERY: 2}


async def test_a_data_source_named_as_a_table_is_searched_too(workspace: Tasks) -> None:
    records = [workspace.key(record.id, workspace.data_source) for record in workspace.pages(8)]
    assert await asyncio.gather(*map(workspace.name, records)) == [f"task {number}" for number in range(8)]
    assert workspace.asked() == {DATABASE: 1, DATA_SOURCE: 1, QUERY: 1}


async def test_a_table_that_cannot_be_queried_is_not_asked_twice(workspace: Tasks) -> None:
    records = [workspace.key(record.id, UNKNOWN) for record in workspace.pages(8)]
    for _ in range(2):
        await asyncio.gather(*map(workspace.source.read, records))
    assert workspace.asked() == {DATABASE: 1, DATA_SOURCE: 1, QUERY: 1, RETRIEVE: 16}


async def test_a_cursor_that_ends_leaves_the_rest_to_be_retrieved(workspace: Tasks) -> None:
    records = workspace.pages(150)
    wanted = [*records[:3], *records[-8:]]
    queries = itertools.count(1)
    second = workspace.notion.faults.hang(path=lambda path_qs: path_qs.endswith("/query") and next(queries) == 2)
    reading = asyncio.gather(*map(workspace.name, wanted))
    await wait_until(lambda: second.hits)
    workspace.notion.invalidate_cursors()
    second.clear()
    assert (await reading)[:3] == ["task 0", "task 1", "task 2"]
    assert workspace.asked() == {DATABASE: 1, QUERY: 2, RETRIEVE: 3}


async def test_calls_for_one_page_at_once_share_a_request(workspace: Tasks) -> None:
    record = workspace.page()
    assert await asyncio.gather(*[workspace.name(record) for _ in range(20)]) == ["Write"] * 20
    assert workspace.asked() == {RETRIEVE: 1}


async def test_a_call_is_never_answered_by_a_request_that_was_sent_before_it(workspace: Tasks) -> None:
    record = workspace.page("before")
    late = workspace.notion.faults.hang(times=1)
    first = asyncio.create_task(workspace.source.read(record))
    await wait_until(lambda: late.hits)
    workspace.notion.update_page(record.id, {"Name": "after"})
    assert await workspace.name(record) == "after"
    assert not first.done()
    late.clear()
    assert (await first).ticket < (await workspace.source.read(record)).ticket


async def test_the_ticket_is_taken_before_the_request_is_sent(workspace: Tasks) -> None:
    tickets: list[int] = []

    async def ticket() -> int:
        tickets.append(workspace.notion.requests.total)
        return len(tickets)

    config = NotionConfig(base_url=workspace.notion.url)
    source = NotionSource(config, SignaturesConfig(), Secrets(notion_token="ntn_for_tests"), ticket, None)
    truth = await source.read(workspace.page())
    await source.close()
    assert (truth.ticket, tickets) == (1, [0])


async def test_who_stops_waiting_harms_nobody(workspace: Tasks) -> None:
    record, other = workspace.page(), workspace.page("other")
    late = workspace.notion.faults.hang()
    calls = [asyncio.create_task(workspace.name(one)) for one in (record, record, other)]
    await wait_until(lambda: late.hits == 2)
    calls[0].cancel()
    late.clear()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == ["Write", "other"]


async def test_what_nobody_waits_for_is_not_read(workspace: Tasks) -> None:
    record, other = workspace.page(), workspace.page("other")
    given_up = asyncio.create_task(workspace.name(record))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await workspace.name(other) == "other"
    assert workspace.asked() == {RETRIEVE: 1}


async def test_one_pages_failure_is_its_own(workspace: Tasks) -> None:
    records = [workspace.page(), workspace.key(workspace.database), workspace.key("page-id"), workspace.page("other")]
    results = await asyncio.gather(*map(workspace.name, records), return_exceptions=True)
    assert (results[0], results[3]) == ("Write", "other")
    assert isinstance(results[1], RecordImpossible)
    assert isinstance(results[2], RecordImpossible)
    assert workspace.asked() == {RETRIEVE: 3}  # what cannot be an id is not asked for


async def test_a_source_that_is_down_fails_every_call_and_answers_when_it_is_back(workspace: Tasks) -> None:
    records = workspace.pages(20)
    async with workspace.notion.down():
        results = await asyncio.gather(*map(workspace.name, records), return_exceptions=True)
    assert {type(result) for result in results} == {SourceUnavailable}
    assert None not in await asyncio.gather(*map(workspace.name, records))


async def test_a_query_that_fails_for_its_own_reason_costs_only_itself(workspace: Tasks) -> None:
    records = workspace.pages(8)
    workspace.notion.faults.status(409, times=1, path=lambda path_qs: path_qs.endswith("/query"))
    assert None not in await asyncio.gather(*map(workspace.name, records))
    assert workspace.asked() == {DATABASE: 1, QUERY: 1, RETRIEVE: 8}


async def test_a_page_in_the_trash_is_absent_until_it_is_restored(workspace: Tasks) -> None:
    record = workspace.page()
    workspace.notion.trash(record.id)
    assert (await workspace.source.read(record)).data is None
    workspace.notion.restore(record.id)
    assert await workspace.name(record) == "Write"


async def test_trashed_pages_are_absent_for_a_query_too(workspace: Tasks) -> None:
    records = workspace.pages(9)
    workspace.notion.trash(records[4].id)
    names = await asyncio.gather(*map(workspace.name, records))
    assert names == [None if number == 4 else f"task {number}" for number in range(9)]


@pytest.mark.parametrize("how", ["removed", "page revoked", "database revoked", "never there"])
async def test_a_page_that_notion_does_not_show_is_absent(workspace: Tasks, how: str) -> None:
    record = workspace.key(UNKNOWN) if how == "never there" else workspace.page()
    if how == "removed":
        workspace.notion.remove(record.id)
    elif how == "page revoked":
        workspace.notion.revoke(record.id)
    elif how == "database revoked":
        workspace.notion.revoke(workspace.database)
    truth = await workspace.source.read(record)
    assert (truth.data, truth.record) == (None, record)


async def test_a_page_that_moved_has_the_name_of_where_it_lies(workspace: Tasks) -> None:
    record = workspace.page()
    other = workspace.notion.create_database("Other", {"Name": "title"})
    workspace.notion.move_page(record.id, workspace.notion.data_source_ids(other)[0])
    for table in (workspace.database, other):
        truth = await workspace.source.read(workspace.key(record.id, table))
        assert truth.record == workspace.key(record.id, other)
        assert truth.data is not None


async def test_a_page_has_one_name_by_whichever_it_is_asked_for(workspace: Tasks) -> None:
    page = workspace.page()
    for table in (workspace.database, workspace.data_source, "database-id", "pages"):
        truth = await workspace.source.read(workspace.key(page.id, table))
        assert (truth.record, truth.data is None) == (page, False)


async def test_a_page_outside_of_databases_lies_in_pages(workspace: Tasks) -> None:
    page = workspace.notion.create_page(None, title="Top")
    assert await workspace.name(workspace.key(page, "pages")) == "Top"
    assert await workspace.name(workspace.key(page)) is None


async def test_a_senders_own_table_is_never_queried(workspace: Tasks) -> None:
    records = [workspace.key(record.id, "database-id") for record in workspace.pages(9)]
    assert None not in await asyncio.gather(*map(workspace.name, records))
    assert workspace.asked() == {RETRIEVE: 9}


async def test_the_truth_is_the_page_without_the_name_of_its_answer(workspace: Tasks) -> None:
    truth = await workspace.source.read(workspace.page())
    columns = workspace.source.truth_columns(truth)
    assert columns is not None
    assert "request_id" not in columns
    assert truth.changed_at == columns["last_edited_time"] == "2026-06-27T17:00:00.000Z"
    assert truth.fingerprint == pages.fingerprint(columns)


async def test_half_a_character_does_not_make_a_page_unreadable(workspace: Tasks) -> None:
    record = workspace.page("caf")
    columns = await workspace.columns(record)
    halved = json.dumps(columns).replace('"caf"', '"caf\\ud83d"').encode()
    workspace.notion.faults.answer(Reply(status=200, body=halved, headers={"Content-Type": "application/json"}))
    assert await workspace.name(record) == "caf?"


async def test_closing_ends_every_task_and_tells_who_waits() -> None:
    async with tasks() as workspace:
        workspace.notion.faults.hang()
        records = workspace.pages(20)
        calls = [asyncio.create_task(workspace.name(record)) for record in records]
        await wait_until(lambda: workspace.notion.requests.total)
        await workspace.source.close()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {SourceUnavailable}
        assert not [task for task in asyncio.all_tasks() if task.get_name() in ("batched-load", "notion-budget")]
        with pytest.raises(SourceUnavailable):
            await workspace.source.read(records[0])
        await workspace.source.close()


async def test_the_probe_asks_the_cheapest_question(workspace: Tasks) -> None:
    await workspace.source.probe()
    assert workspace.asked() == {"GET /v1/users/me": 1}
    workspace.notion.faults.refuse_key()
    with pytest.raises(SourceRefused):
        await workspace.source.probe()


async def test_without_a_token_nothing_is_read() -> None:
    source = NotionSource(NotionConfig(), SignaturesConfig(), Secrets(), unordered, None)
    assert not source.has_credentials
    with pytest.raises(SourceRefused) as caught:
        await source.read(RecordKey("notion", "pages", UNKNOWN))
    assert caught.value.hint == "set NOTION_TOKEN"
    with pytest.raises(SourceRefused):
        await source.probe()
    await source.close()


async def test_a_fresh_read_goes_behind_whatever_else_wants_to_ask() -> None:
    async with tasks(requests_per_second=2.0) as workspace:
        first, second, fresh, urgent = workspace.pages(4)
        await asyncio.gather(workspace.name(first), workspace.name(second))  # all that may go at once
        patient = asyncio.create_task(workspace.source.refresh(fresh))
        await wait_until(lambda: workspace.source.budget.state().waiting == 1)
        assert await workspace.name(urgent) == "task 3"
        assert (await patient).record == fresh
        asked = [seen.path_qs.rpartition("/")[2] for seen in workspace.notion.requests.entries]
        assert asked[2:] == [urgent.id, fresh.id]
