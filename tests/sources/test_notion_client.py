"""What the SDK raises becomes one of our errors: every code, every status and every way that a connection can fail."""

import json
import logging
import time

import httpx
import pytest
from notion_client.errors import APIErrorCode, InvalidPathParameterError, RequestTimeoutError

from hookbridge.config import NotionConfig
from hookbridge.errors import RecordImpossible, RecordUnreadable, SourceError, SourceRefused, SourceUnavailable
from hookbridge.sources.notion.budget import Budget, Urgency
from hookbridge.sources.notion.client import BY_CODE, SHOWN_MAX, NotionClient, translate
from hookbridge.sources.statuses import retry_after_seconds
from hookbridge.standins import Reply
from hookbridge.standins.notion import errors
from scripts.faulting.proxy import UNTRUSTED, proxied
from tests.support.tickets import counting
from tests.support.workspace import RETRIEVE, TOKEN, Tasks, tasks

ANOTHER = "99999999-9999-4999-8999-999999999999"
JSON = {"Content-Type": "application/json"}


def json_reply(value: object) -> Reply:
    return Reply(status=200, body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


async def failure(workspace: Tasks) -> SourceError:
    """The error of reading a page now, with nothing secret in it."""
    with pytest.raises(SourceError) as caught:
        await workspace.source.read(workspace.page())
    assert TOKEN not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None
    return caught.value


def test_every_code_of_the_api_has_its_meaning() -> None:
    assert set(BY_CODE) == set(APIErrorCode)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, RecordImpossible),
        (401, SourceRefused),
        (403, SourceRefused),
        (409, RecordUnreadable),
        (429, SourceUnavailable),
        (500, SourceUnavailable),
        (502, SourceUnavailable),
        (503, SourceUnavailable),
        (504, SourceUnavailable),
        (520, SourceUnavailable),
        (529, SourceUnavailable),
    ],
)
async def test_each_answer_of_notion_has_its_error(status: int, expected: type[SourceError]) -> None:
    async with tasks() as workspace:
        workspace.notion.faults.status(status)
        assert type(await failure(workspace)) is expected
        # The SDK would have asked again, for as long as seven seconds.
        assert workspace.asked() == {RETRIEVE: 1}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, SourceUnavailable),
        (400, RecordUnreadable),
        (401, SourceRefused),
        (403, SourceRefused),
        (404, SourceUnavailable),
        (408, SourceUnavailable),
        (402, SourceUnavailable),
        (418, SourceUnavailable),
        (422, RecordUnreadable),
        (429, SourceUnavailable),
        (500, SourceUnavailable),
    ],
)
async def test_each_answer_of_a_proxy_has_its_error(status: int, expected: type[SourceError]) -> None:
    async with tasks() as workspace:
        workspace.notion.faults.html(status=status)
        assert type(await failure(workspace)) is expected


async def test_a_page_is_not_absent_because_a_proxy_does_not_know_the_path() -> None:
    async with tasks() as workspace:
        workspace.notion.faults.html(status=404)
        assert "base_url" in (await failure(workspace)).hint


@pytest.mark.parametrize("code", ["invalid_json", "invalid_request", "missing_version", "made_up_next_year"])
async def test_a_code_without_a_better_meaning_is_the_records_own_failure(code: str) -> None:
    async with tasks() as workspace:
        workspace.notion.faults.answer(errors.error(400, code, "why").reply)
        assert type(await failure(workspace)) is RecordUnreadable


async def test_a_refusal_that_names_the_page_is_the_pages_own() -> None:
    async with tasks() as workspace:
        page = workspace.page()
        bare = page.id.replace("-", "")
        message = f"No permission to read page {bare}."
        workspace.notion.faults.answer(errors.error(403, "restricted_resource", message).reply)
        with pytest.raises(RecordImpossible):
            await workspace.source.read(page)


@pytest.mark.parametrize("trouble", ["cut", "reset", "page instead of JSON", "nothing", "down"])
async def test_whatever_breaks_on_the_way_is_an_outage(trouble: str) -> None:
    async with tasks() as workspace:
        if trouble == "cut":
            workspace.notion.faults.cut()
        elif trouble == "reset":
            workspace.notion.faults.reset()
        elif trouble == "page instead of JSON":
            workspace.notion.faults.html()
        elif trouble == "nothing":
            workspace.notion.faults.empty()
        else:
            await workspace.notion.stop()
        assert type(await failure(workspace)) is SourceUnavailable


@pytest.mark.parametrize("kind", ["page", "database", "data source"])
async def test_an_answer_about_something_else_is_an_outage(kind: str) -> None:
    """A cache that takes one question for another one answers so."""
    async with tasks() as workspace:
        config = NotionConfig(base_url=workspace.notion.url)
        client = NotionClient(config, TOKEN, Budget(1e6), counting(), clock=time.time)
        asked, ask = {
            "page": (workspace.page().id, client.page),
            "database": (workspace.database, client.database),
            "data source": (workspace.data_source, client.data_source),
        }[kind]
        await ask(asked.replace("-", "").upper(), Urgency.READ)
        told = {"object": kind, "id": ANOTHER, "properties": {}, "data_sources": []}
        workspace.notion.faults.answer(json_reply(told))
        with pytest.raises(SourceUnavailable) as caught:
            await ask(asked, Urgency.READ)
        await client.close()
    assert caught.value.message == f"Notion answered with {kind} {ANOTHER} where {asked} was asked for"


async def test_an_answer_that_does_not_come_is_an_outage() -> None:
    async with tasks(timeout_seconds=0.05) as workspace:
        workspace.notion.faults.hang()
        assert (await failure(workspace)).message == "Notion did not answer within 0.05 s"


async def test_a_server_without_tls_is_named_as_that() -> None:
    async with (
        tasks() as plain,
        tasks(base_url=plain.notion.url.replace("http://", "https://")) as workspace,
    ):
        found = await failure(workspace)
    assert type(found) is SourceUnavailable
    assert found.message.startswith("No secure connection to Notion")


async def test_a_certificate_that_nobody_trusts_is_named_with_where_its_ca_belongs() -> None:
    async with (
        tasks() as plain,
        proxied(plain.notion.url, UNTRUSTED) as proxy,
        tasks(base_url=proxy.url) as workspace,
    ):
        found = await failure(workspace)
    assert type(found) is SourceUnavailable
    assert found.message == "The certificate of Notion is not trusted: self-signed certificate"
    assert found.hint == "name the certificate of its CA in SSL_CERT_FILE"


@pytest.mark.parametrize("answer", [[], "text", {}, {"object": "list"}, {"object": "page"}])
async def test_json_that_is_no_page_is_an_outage(answer: object) -> None:
    async with tasks() as workspace:
        workspace.notion.faults.answer(Reply(status=200, body=json.dumps(answer).encode(), headers=JSON))
        assert type(await failure(workspace)) is SourceUnavailable


@pytest.mark.parametrize("missing", ["created_time", "last_edited_time"])
async def test_a_listed_page_without_its_times_is_an_outage(missing: str) -> None:
    page = {"object": "page", "id": "x", "properties": {}, "created_time": "t", "last_edited_time": "t"}
    del page[missing]
    async with tasks() as workspace:
        workspace.notion.faults.answer(json_reply({"results": [page]}), path=lambda path: "/query" in path)
        changes = workspace.source.changes
        assert changes is not None
        with pytest.raises(SourceUnavailable, match="a page without its times"):
            await changes.listing(workspace.database, None)


async def test_a_database_whose_data_source_has_no_id_is_an_outage() -> None:
    async with tasks() as workspace:
        workspace.notion.faults.answer(json_reply({"data_sources": [{"name": "Tasks"}]}))
        changes = workspace.source.changes
        assert changes is not None
        with pytest.raises(SourceUnavailable, match="a data source without its id"):
            await changes.listing(workspace.database, None)


async def test_pages_without_properties_are_a_refusal() -> None:
    async with tasks() as workspace:
        partial = b'{"object":"page","id":"7855b161-f63e-4683-b7c7-8ca6e97ee266"}'
        workspace.notion.faults.answer(Reply(status=200, body=partial, headers=JSON))
        found = await failure(workspace)
    assert type(found) is SourceRefused
    assert "read content" in found.hint


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("All connection attempts failed"),
        httpx.ReadError(""),
        httpx.PoolTimeout("no connection was free"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx.TooManyRedirects("too many"),
        httpx.DecodingError("not gzip"),
        httpx.InvalidURL("no scheme"),
        RequestTimeoutError(),
        TimeoutError(),
        json.JSONDecodeError("Expecting value", "", 0),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_failure_of_the_connection_is_an_outage(error: Exception) -> None:
    assert type(translate(error, about="x", seconds=1, now=0, token=TOKEN)) is SourceUnavailable


def test_a_path_that_the_sdk_refuses_is_no_id() -> None:
    error = InvalidPathParameterError("two dots")
    assert type(translate(error, about="..", seconds=1, now=0, token=TOKEN)) is RecordImpossible


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        ("Thu, 02 Jan 2025 00:00:30 GMT", 3600.0),
        ("Wed, 01 Jan 2025 00:00:30 GMT", 30.0),
        ("Tue, 31 Dec 2024 23:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("٣", None),
        ("1.5", None),
        ("Wed, 99 Jan 2025 00:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(written: str, expected: float | None) -> None:
    assert retry_after_seconds(written, now=1_735_689_600.0) == expected


@pytest.mark.parametrize(("given", "expected"), [(7, 7.0), (None, 1.0)])
async def test_a_rate_limit_says_when_to_come_back(given: int | None, expected: float) -> None:
    async with tasks() as workspace:
        workspace.notion.faults.status(429, retry_after=given)
        found = await failure(workspace)
    assert isinstance(found, SourceUnavailable)
    assert found.retry_after_seconds == expected


async def test_the_sdk_writes_no_lines_of_its_own(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        async with tasks() as workspace:
            workspace.notion.faults.refuse_key()
            await failure(workspace)
    assert not [record for record in caplog.records if record.name.startswith("notion_client")]
    assert "unauthorized" not in capfd.readouterr().err


async def test_a_server_that_repeats_the_token_does_not_make_it_known() -> None:
    async with tasks() as workspace:
        workspace.notion.faults.answer(errors.error(400, "validation_error", f"what is {TOKEN}?").reply)
        found = await failure(workspace)
        assert "what is [secret]?" in found.message
        assert TOKEN not in str(found)


async def test_no_part_of_the_token_stays_where_a_long_answer_is_cut() -> None:
    async with tasks() as workspace:
        long = "x" * (SHOWN_MAX - 6) + TOKEN
        workspace.notion.faults.answer(errors.error(400, "validation_error", long).reply)
        assert TOKEN[:5] not in (await failure(workspace)).message
