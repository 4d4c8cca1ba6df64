"""The switches: what a client meets while one is on, and that it is gone afterwards."""

import asyncio
import json

import httpx
import pytest
from notion_client import AsyncClient as NotionClient
from notion_client.errors import APIResponseError, UnknownHTTPResponseError
from postgrest import APIError
from supabase import AsyncClient

from hookbridge.standins import Fault, NotionStandin, PostgrestStandin, Standin
from tests.standins.conftest import KEY, TOKEN

HEADERS = {"apikey": KEY, "Authorization": f"Bearer {TOKEN}", "Notion-Version": "2026-03-11"}


@pytest.fixture(params=["supabase", "notion"])
def standin(request: pytest.FixtureRequest, supabase: PostgrestStandin, notion: NotionStandin) -> Standin:
    supabase.create_table("users", {"id": "bigint"})
    supabase.insert("users", {"id": 1})
    return supabase if request.param == "supabase" else notion


def _url(standin: Standin) -> str:
    return standin.url + ("/rest/v1/users" if isinstance(standin, PostgrestStandin) else "/v1/users/me")


async def _status(standin: Standin, http: httpx.AsyncClient) -> int:
    return (await http.get(_url(standin), headers=HEADERS)).status_code


async def _met(fault: Fault) -> None:
    while not fault.hits:  # noqa: ASYNC110 - the request is on its way through real sockets; there is no event to await
        await asyncio.sleep(0)


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504, 520, 529])
async def test_a_status_is_answered_as_often_as_told(standin: Standin, http: httpx.AsyncClient, status: int) -> None:
    standin.faults.status(status, times=2)
    assert [await _status(standin, http) for _ in range(3)] == [status, status, 200]
    assert standin.requests.by_status[status] == 2


async def test_a_status_stays_until_it_is_cleared(standin: Standin, http: httpx.AsyncClient) -> None:
    fault = standin.faults.status(503)
    assert [await _status(standin, http) for _ in range(3)] == [503] * 3
    fault.clear()
    assert await _status(standin, http) == 200
    assert fault.hits == 3


async def test_retry_after_comes_with_the_status_when_given(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.status(429, retry_after=7, times=1)
    standin.faults.status(429, times=1)
    answers = [await http.get(_url(standin), headers=HEADERS) for _ in range(2)]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["7", None]


async def test_a_fault_can_be_for_some_paths_only(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.status(500, path=lambda path_qs: "elsewhere" in path_qs)
    assert await _status(standin, http) == 200
    response = await http.get(f"{_url(standin)}?elsewhere=1", headers=HEADERS)
    assert response.status_code == 500


async def test_a_bad_gateway_has_an_html_page(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.status(502, times=1)
    response = await http.get(_url(standin), headers=HEADERS)
    assert response.headers["Content-Type"].startswith("text/html")
    assert "502 Bad Gateway" in response.text


async def test_a_good_status_can_hide_a_page_or_nothing(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.html(times=1)
    standin.faults.empty(times=1)
    page, nothing = [await http.get(_url(standin), headers=HEADERS) for _ in range(2)]
    assert (page.status_code, page.text[:6]) == (200, "<html>")
    assert (nothing.status_code, nothing.content) == (200, b"")


async def test_a_cut_body_breaks_off_before_its_length(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.cut(times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await _status(standin, http)
    assert await _status(standin, http) == 200


async def test_a_reset_connection_is_no_orderly_end(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.reset(times=1)
    with pytest.raises(httpx.ReadError):
        await _status(standin, http)
    assert await _status(standin, http) == 200


async def test_a_refused_key_is_unauthorized(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.refuse_key(times=1)
    assert [await _status(standin, http) for _ in range(2)] == [401, 200]


async def test_a_service_that_is_down_refuses_connections_and_comes_back_on_its_port(
    standin: Standin, http: httpx.AsyncClient
) -> None:
    url = standin.url
    assert await _status(standin, http) == 200
    async with standin.down():
        with pytest.raises(httpx.ConnectError):
            await _status(standin, http)
    assert (standin.url, await _status(standin, http)) == (url, 200)


async def test_a_hanging_request_is_answered_when_the_fault_is_cleared(
    standin: Standin, http: httpx.AsyncClient
) -> None:
    fault = standin.faults.hang(times=1)
    request = asyncio.create_task(_status(standin, http))
    await _met(fault)
    assert not request.done()
    fault.clear()
    assert await request == 200


async def test_a_hanging_request_ends_with_the_service(standin: Standin, http: httpx.AsyncClient) -> None:
    fault = standin.faults.hang()
    request = asyncio.create_task(_status(standin, http))
    await _met(fault)
    await standin.stop()
    with pytest.raises(httpx.TransportError):
        await request


async def test_a_slow_answer_is_later_than_an_impatient_client(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.slow(3600, times=1)
    with pytest.raises(httpx.ReadTimeout):
        await http.get(_url(standin), headers=HEADERS, timeout=0.05)
    standin.faults.slow(0, times=1)
    assert await _status(standin, http) == 200


async def test_everything_can_be_cleared_at_once(standin: Standin, http: httpx.AsyncClient) -> None:
    standin.faults.status(500)
    standin.faults.reset()
    standin.faults.clear()
    assert await _status(standin, http) == 200


async def test_requests_are_logged_and_counted(standin: Standin, http: httpx.AsyncClient) -> None:
    for _ in range(3):
        await _status(standin, http)
    last = standin.requests.entries[-1]
    path = _url(standin).removeprefix(standin.url)
    assert (last.method, last.path_qs, last.body) == ("GET", path, b"")
    assert (standin.requests.total, standin.requests.by_route[f"GET {path}"]) == (3, 3)
    assert len(standin.requests.matching(lambda seen: seen.path_qs == path)) == 3
    standin.requests.clear()
    assert len(standin.requests) == 0


async def test_ids_in_paths_are_counted_as_one_route(notion: NotionStandin, http: httpx.AsyncClient) -> None:
    for page_id in ("7855b161-f63e-4683-b7c7-8ca6e97ee266", "7855b161f63e4683b7c78ca6e97ee267"):
        await http.get(f"{notion.url}/v1/pages/{page_id}", headers=HEADERS)
    assert notion.requests.by_route["GET /v1/pages/{id}"] == 2


async def test_the_supabase_client_meets_the_traps_it_is_known_for(
    supabase: PostgrestStandin, supabase_client: AsyncClient
) -> None:
    supabase.create_table("users", {"id": "bigint"})
    query = supabase_client.table("users").select("*")
    supabase.faults.status(502, times=1)
    with pytest.raises(APIError) as caught:
        await query.execute()
    assert str(caught.value.code) == "502"
    supabase.faults.html(times=1)
    assert isinstance((await supabase_client.table("users").select("*").execute()).data, str)


async def test_the_notion_client_meets_the_traps_it_is_known_for(
    notion: NotionStandin, notion_client: NotionClient
) -> None:
    for status in (502, 529):
        notion.faults.status(status, times=1)
        with pytest.raises(UnknownHTTPResponseError):
            await notion_client.users.me()
    notion.faults.html(times=1)
    with pytest.raises(json.JSONDecodeError):
        await notion_client.users.me()
    notion.faults.status(409, times=1)
    with pytest.raises(APIResponseError) as caught:
        await notion_client.users.me()
    assert caught.value.code == "conflict_error"
