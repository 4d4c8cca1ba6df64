"""The real `notion-client` reads from the stand-in what it would read from Notion."""

import json
from typing import Any

import httpx
import pytest
from notion_client import AsyncClient
from notion_client.errors import APIResponseError

from hookbridge.standins import NotionStandin
from tests.standins.conftest import TOKEN, Clock

SCHEMA = {
    "Name": "title",
    "Status": "select",
    "Done": "checkbox",
    "Points": "number",
    "Tags": "multi_select",
    "Related": "relation",
    "Edited": "last_edited_time",
}
UNKNOWN = "7855b161-f63e-4683-b7c7-8ca6e97ee266"


@pytest.fixture
def source(notion: NotionStandin) -> str:
    (source_id,) = notion.data_source_ids(notion.create_database("Tasks", SCHEMA))
    return source_id


async def _query(client: AsyncClient, source_id: str, **body: object) -> dict[str, Any]:
    answer: dict[str, Any] = await client.data_sources.query(data_source_id=source_id, **body)
    return answer


async def _titles(client: AsyncClient, source_id: str, **body: object) -> list[str]:
    answer = await _query(client, source_id, **body)
    return [page["properties"]["Name"]["title"][0]["plain_text"] for page in answer["results"]]


async def _refused(client: AsyncClient, path: str) -> APIResponseError:
    with pytest.raises(APIResponseError) as caught:
        await client.request(path=path, method="GET")
    return caught.value


async def test_a_database_names_its_data_sources(notion: NotionStandin, notion_client: AsyncClient) -> None:
    database = notion.create_database("Tasks", SCHEMA)
    second = notion.add_data_source(database, "Archive", {"Title": "title"})
    shown = await notion_client.databases.retrieve(database_id=database)
    assert [entry["name"] for entry in shown["data_sources"]] == ["Tasks", "Archive"]
    assert shown["created_time"] == "2026-06-27T17:00:30.250+00:00"
    schema = await notion_client.data_sources.retrieve(data_source_id=second)
    assert schema["parent"] == {"type": "database_id", "database_id": database}
    assert schema["properties"]["Title"]["type"] == "title"


async def test_a_page_has_whole_minutes_and_shaped_properties(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    values = {"Name": "Write", "Status": "Open", "Done": True, "Points": 3, "Tags": ["a"]}
    page_id = notion.create_page(source, values)
    page = await notion_client.pages.retrieve(page_id=page_id)
    properties = page["properties"]
    assert page["created_time"] == page["last_edited_time"] == "2026-06-27T17:00:00.000Z"
    assert page["parent"]["type"] == "data_source_id"
    assert properties["Name"]["title"][0]["plain_text"] == "Write"
    assert properties["Status"]["select"]["name"] == "Open"
    assert (properties["Done"]["checkbox"], properties["Points"]["number"]) == (True, 3)
    assert properties["Edited"]["last_edited_time"] == "2026-06-27T17:00:00.000Z"
    assert page["url"].endswith("/Write-" + page_id.replace("-", ""))


async def test_a_page_is_found_without_dashes_in_its_id(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    page_id = notion.create_page(source, title="x")
    assert (await notion_client.pages.retrieve(page_id=page_id.replace("-", "")))["id"] == page_id


async def test_a_relation_is_cut_at_25_references(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    page_id = notion.create_page(source, {"Name": "x", "Related": [f"{number:032x}" for number in range(30)]})
    related = (await notion_client.pages.retrieve(page_id=page_id))["properties"]["Related"]
    assert (len(related["relation"]), related["has_more"]) == (25, True)


async def test_a_trashed_page_leaves_queries_but_not_retrieval(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    page_id = notion.create_page(source, title="x")
    notion.trash(page_id)
    assert (await notion_client.pages.retrieve(page_id=page_id))["in_trash"] is True
    assert await _titles(notion_client, source) == []
    notion.restore(page_id)
    assert await _titles(notion_client, source) == ["x"]


async def test_a_removed_page_is_gone_everywhere(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    page_id = notion.create_page(source, title="x")
    notion.remove(page_id)
    assert (await _refused(notion_client, f"pages/{page_id}")).code == "object_not_found"
    assert await _titles(notion_client, source) == []


async def test_what_is_not_shared_looks_unknown(notion: NotionStandin, notion_client: AsyncClient, source: str) -> None:
    page_id = notion.create_page(source, title="x")
    for revoked in (page_id, source):
        notion.revoke(revoked)
        error = await _refused(notion_client, f"pages/{page_id}")
        assert (error.status, error.code) == (404, "object_not_found")
        notion.grant(revoked)
    assert await _titles(notion_client, source) == ["x"]
    notion.revoke(source)
    with pytest.raises(APIResponseError):
        await _query(notion_client, source)


async def test_a_moved_page_keeps_what_both_schemas_know(
    notion: NotionStandin, notion_client: AsyncClient, source: str, clock: Clock
) -> None:
    database = notion.create_database("Other", {"Name": "title", "Owner": "rich_text"})
    (other,) = notion.data_source_ids(database)
    page_id = notion.create_page(source, title="x")
    clock.advance(minutes=5)
    notion.move_page(page_id, other)
    page = await notion_client.pages.retrieve(page_id=page_id)
    assert page["parent"]["data_source_id"] == other
    assert page["last_edited_time"] == "2026-06-27T17:00:00.000Z"
    assert sorted(page["properties"]) == ["Name", "Owner"]
    assert (await _titles(notion_client, source), await _titles(notion_client, other)) == ([], ["x"])


async def test_a_page_under_a_page_is_no_row(notion: NotionStandin, notion_client: AsyncClient) -> None:
    top = notion.create_page(None, title="Top")
    below = notion.create_page(top, title="Below")
    assert (await notion_client.pages.retrieve(page_id=below))["parent"] == {"type": "page_id", "page_id": top}
    assert (await notion_client.pages.retrieve(page_id=top))["parent"]["type"] == "workspace"
    assert notion.page_title(below) == "Below"


async def test_paging_reads_every_page_once(notion: NotionStandin, notion_client: AsyncClient, source: str) -> None:
    for number in range(250):
        notion.create_page(source, title=str(number))
    seen, cursor = [], None
    while True:
        answer = await _query(notion_client, source, **({"start_cursor": cursor} if cursor else {}))
        seen += [page["id"] for page in answer["results"]]
        cursor = answer["next_cursor"]
        if not answer["has_more"]:
            break
    assert len(seen) == len(set(seen)) == 250
    assert notion.requests.by_route["POST /v1/data_sources/{id}/query"] == 3


async def test_the_cursor_names_the_first_row_of_the_next_page(
    notion: NotionStandin, notion_client: AsyncClient, source: str
) -> None:
    for number in range(3):
        notion.create_page(source, title=str(number))
    first = await _query(notion_client, source, page_size=2)
    rest = await _query(notion_client, source, page_size=2, start_cursor=first["next_cursor"])
    assert first["next_cursor"].endswith(rest["results"][0]["id"])


@pytest.mark.parametrize("how", ["trash", "invalidate"])
async def test_a_cursor_can_become_invalid(
    notion: NotionStandin, notion_client: AsyncClient, source: str, how: str
) -> None:
    oldest = notion.create_page(source, title="0")
    notion.create_page(source, title="1")
    cursor = (await _query(notion_client, source, page_size=1))["next_cursor"]
    if how == "trash":
        notion.trash(oldest)
    else:
        notion.invalidate_cursors()
    with pytest.raises(APIResponseError) as caught:
        await _query(notion_client, source, start_cursor=cursor)
    assert (caught.value.status, caught.value.code) == (400, "validation_error")


async def test_a_query_gives_out_no_more_than_its_limit(clock: Clock) -> None:
    async with NotionStandin(token=TOKEN, clock=clock, result_limit=5) as notion:
        (source,) = notion.data_source_ids(notion.create_database("Tasks", SCHEMA))
        for number in range(6):
            notion.create_page(source, title=str(number))
        async with AsyncClient(auth=TOKEN, base_url=notion.url) as client:
            first = await _query(client, source, page_size=3)
            rest = await _query(client, source, page_size=3, start_cursor=first["next_cursor"])
    assert "request_status" not in first
    assert (len(rest["results"]), rest["has_more"], rest["next_cursor"]) == (2, False, None)
    assert rest["request_status"] == {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}


def _edited(word: str, minute: int) -> dict[str, Any]:
    return {"timestamp": "last_edited_time", "last_edited_time": {word: f"2026-06-27T19:{minute:02d}:00+02:00"}}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (_edited("on_or_after", 1), ["1", "2"]),
        (_edited("after", 1), ["2"]),
        (_edited("on_or_before", 1), ["0", "1"]),
        (_edited("before", 1), ["0"]),
        (_edited("equals", 1), ["1"]),
        ({"and": [_edited("after", 0), _edited("before", 2)]}, ["1"]),
        ({"or": [_edited("before", 1), {"and": [_edited("after", 1)]}]}, ["0", "2"]),
        ({"timestamp": "created_time", "created_time": {"on_or_after": "2026-06-28"}}, []),
    ],
)
async def test_a_timestamp_filter_compares_instants(
    notion: NotionStandin,
    notion_client: AsyncClient,
    source: str,
    clock: Clock,
    condition: dict[str, Any],
    expected: list[str],
) -> None:
    for number in range(3):
        notion.create_page(source, title=str(number))
        clock.advance(minutes=1)
    sorts = [{"timestamp": "last_edited_time", "direction": "ascending"}]
    assert await _titles(notion_client, source, filter=condition, sorts=sorts) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"page_size": 101},
        {"page_size": 0},
        {"start_cursor": "nonsense"},
        {"filter": {"timestamp": "last_edited_time", "last_edited_time": {"on_or_after": "yesterday"}}},
        {"filter": {"timestamp": "last_edited_time", "last_edited_time": {"near": "2026-06-27"}}},
        {"filter": {"property": "Name"}},
        {"filter": []},
        {"sorts": [{"property": "Name"}]},
    ],
)
async def test_a_query_that_is_not_understood_is_refused(
    notion: NotionStandin, http: httpx.AsyncClient, source: str, body: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Notion-Version": "2026-03-11"}
    response = await http.post(f"{notion.url}/v1/data_sources/{source}/query", json=body, headers=headers)
    expected = (200, None) if body == {"filter": []} else (400, "validation_error")
    assert (response.status_code, response.json().get("code")) == expected


@pytest.mark.parametrize(("version", "archived"), [("2025-09-03", {"archived"}), ("2026-03-11", set())])
async def test_newer_versions_drop_archived(
    notion: NotionStandin, http: httpx.AsyncClient, source: str, version: str, archived: set[str]
) -> None:
    database = next(iter(notion.databases))
    page_id = notion.create_page(source, title="x")
    headers = {"Authorization": f"Bearer {TOKEN}", "Notion-Version": version}
    for path in (f"pages/{page_id}", f"data_sources/{source}", f"databases/{database}"):
        shown = (await http.get(f"{notion.url}/v1/{path}", headers=headers)).json()
        assert shown.keys() & {"archived"} == archived
        assert shown["in_trash"] is False


async def test_the_error_for_an_unknown_page_is_worded_like_notions(notion_client: AsyncClient) -> None:
    error = await _refused(notion_client, f"pages/{UNKNOWN}")
    assert str(error) == (
        f"Could not find page with ID: {UNKNOWN}. Make sure the relevant pages and databases are shared with your "
        'integration "hookbridge".'
    )
    assert error.additional_data == {"integration_id": "00000000-0000-4000-8000-0000000000f1"}
    assert error.request_id == error.headers["x-notion-request-id"]


@pytest.mark.parametrize("text", ["12345678-1234-1234-1234-123456789abc", "nonsense", "7855b161f63e"])
async def test_the_error_for_a_bad_id_is_worded_like_notions(notion_client: AsyncClient, text: str) -> None:
    error = await _refused(notion_client, f"pages/{text}")
    message = f'path failed validation: path.page_id should be a valid uuid, instead was `"{text}"`.'
    assert (error.status, error.code, str(error)) == (400, "validation_error", message)


async def test_the_other_errors_are_worded_like_notions(notion: NotionStandin, http: httpx.AsyncClient) -> None:
    good = {"Authorization": f"Bearer {TOKEN}", "Notion-Version": "2025-09-03"}
    cases = [
        ("invalid", good, {"status": 400, "code": "invalid_request_url", "message": "Invalid request URL."}),
        ("users", {}, {"status": 401, "code": "unauthorized", "message": "API token is invalid."}),
    ]
    for path, headers, expected in cases:
        response = await http.get(f"{notion.url}/v1/{path}", headers=headers)
        body = response.json()
        assert list(body) == ["object", "status", "code", "message", "request_id"]
        assert body == {"object": "error", "request_id": body["request_id"]} | expected
        assert response.status_code == expected["status"]


async def test_ids_of_other_kinds_are_told_apart(
    notion: NotionStandin, notion_client: AsyncClient, http: httpx.AsyncClient, source: str
) -> None:
    database = next(iter(notion.databases))
    assert (await _refused(notion_client, f"pages/{database}")).code == "validation_error"
    assert (await _refused(notion_client, f"databases/{source}")).code == "object_not_found"
    assert (await _refused(notion_client, f"users/{UNKNOWN}")).code == "object_not_found"
    assert (await _refused(notion_client, f"data_sources/{source}/query")).code == "invalid_request_url"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert (await http.get(f"{notion.url}/v1/users/me", headers=headers)).json()["code"] == "missing_version"
    headers["Notion-Version"] = "2026-03-11"
    url = f"{notion.url}/v1/data_sources/{source}/query"
    assert (await http.post(url, content=b"{", headers=headers)).json()["code"] == "invalid_json"


async def test_the_integration_knows_itself(notion_client: AsyncClient) -> None:
    me = await notion_client.users.me()
    assert (me["type"], me["name"]) == ("bot", "hookbridge")


async def test_the_rate_limit_lets_three_requests_a_second_pass(
    notion: NotionStandin, notion_client: AsyncClient, clock: Clock
) -> None:
    notion.limit_rate(per_second=3, burst=3)
    for _ in range(2):
        for _ in range(3):
            await notion_client.users.me()
        error = await _refused(notion_client, "users/me")
        assert (error.status, error.code, error.headers["Retry-After"]) == (429, "rate_limited", "1")
        clock.advance(seconds=1)
    notion.unlimit_rate()
    assert json.dumps(await notion_client.users.me())
