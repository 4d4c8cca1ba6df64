"""What people call records and tables, beside the ids, wherever a service shows one."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import structlog

from hookbridge import naming
from hookbridge.config import LoggingConfig, Secrets
from hookbridge.model import RecordKey
from hookbridge.observe.logs import QUIET, configure
from hookbridge.sources.carrying import CARRIED_BYTES_MAX
from tests.support.books import event, hint, send, settled
from tests.support.followed import has, loaded, sources, user
from tests.support.running import ADMIN, Client, Running, make_settings, running
from tests.support.waiting import wait_until

DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
STILL = {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0}
PAGE = "a1b2c3d4-e5f6-4890-abcd-ef1234567890"


def page(title: str) -> dict[str, Any]:
    """A page as a webhook in the guide's format brings it."""
    said = [{"type": "text", "plain_text": title, "text": {"content": title}}]
    return {"object": "page", "id": PAGE, "properties": {"Name": {"type": "title", "title": said}}}


async def told(client: Client, data: dict[str, Any], *, source: str = "supabase", **which: object) -> None:
    """Send what a record is now; without credentials that is its copy."""
    await send(client, {**hint(source=source, data=data), **which}, source=source)
    await settled(client)


async def answered(client: Client, path: str) -> dict[str, Any]:
    """What an operator is answered."""
    answer = await client.get(path)
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def shown(client: Client, source: str, table: str, id_: str, word: str) -> list[tuple[str, str]]:
    """Title and label of one record, from every answer that has them."""
    events = (await answered(client, f"/api/v1/events?source={source}&record_id={id_}"))["events"]
    records = (await answered(client, f"/api/v1/records?source={source}&record_id={id_}"))["records"]
    hits = (await answered(client, f"/api/v1/search?q={quote(word)}&source={source}"))["hits"]
    one = [await event(client, events[0]["id"]), await answered(client, f"/api/v1/records/{source}/{table}/{id_}")]
    found = [(each["title"], each["table_label"]) for each in (*events, *records, *hits, *one)]
    assert len(found) >= 5
    return found


async def test_a_record_has_title_and_label_wherever_it_is_shown(client: Running) -> None:
    await client.service.store.put_label("notion", DATABASE, "Tasks")
    await told(client, {"id": 7, "email": "ada@example.org", "name": "Ada Lovelace"}, record_id="7")
    await told(client, page("Buy milk"), record_id=PAGE, table_name=DATABASE, source="notion")
    assert {*await shown(client, "supabase", "users", "7", "lovelace")} == {("Ada Lovelace", "users")}
    assert {*await shown(client, "notion", DATABASE, PAGE, "milk")} == {("Buy milk", "Tasks")}
    await told(client, page("Buy bread"), record_id=PAGE, table_name=DATABASE, source="notion")
    assert {*await shown(client, "notion", DATABASE, PAGE, "bread")} == {("Buy bread", "Tasks")}


async def test_what_nothing_names_is_called_by_its_id(client: Running) -> None:
    await told(client, {"id": 7, "city": "London"}, record_id="7", metadata={"schema": "crm"})
    await told(client, page(" \n "), record_id=PAGE, table_name=DATABASE, source="notion")
    assert {*await shown(client, "supabase", "crm.users", "7", "london")} == {("7", "crm.users")}
    records = (await answered(client, "/api/v1/records?source=notion"))["records"]
    assert [(one["title"], one["table_label"]) for one in records] == [(PAGE, DATABASE)]


async def test_a_record_without_a_copy_is_called_as_its_event_says(stored: Running) -> None:
    native = {"type": "DELETE", "schema": "public", "table": "users", "record": None}
    await send(stored, hint(8, data={"id": 8, "name": "Grace"}))
    await send(stored, {**native, "old_record": {"id": 9, "email": "e@example.org"}})
    await send(stored, hint(10, data={"id": 10, "name": "n" * CARRIED_BYTES_MAX}))
    await send(stored, hint(PAGE, table=DATABASE, source="notion", data=page("Buy milk")), source="notion")
    listed = (await answered(stored, "/api/v1/events"))["events"]
    assert [one["title"] for one in listed] == ["Buy milk", "10", "e@example.org", "Grace"]
    assert [(await event(stored, one["id"]))["title"] for one in listed] == [one["title"] for one in listed]
    (waiting, *_) = (await answered(stored, "/api/v1/records?state=waiting&source=supabase"))["records"]
    assert waiting["title"] == waiting["id"]


async def test_the_copy_of_a_deleted_record_leaves_no_title_behind(client: Running) -> None:
    await told(client, {"id": 7, "name": "Ada Lovelace"}, record_id="7")
    await told(client, {}, record_id="7", event_type="delete")
    (gone,) = (await answered(client, "/api/v1/records"))["records"]
    assert (gone["present"], gone["title"]) == (False, "7")
    assert [one["title"] for one in (await answered(client, "/api/v1/events"))["events"]] == ["7", "Ada Lovelace"]


async def test_the_configured_column_is_the_title(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, supabase={"tables": [{"name": "users", "title": "sku"}]})
    async with running(settings) as client:
        await told(client, {"id": 7, "name": "Screw", "sku": "A-100"}, record_id="7")
        assert {*await shown(client, "supabase", "users", "7", "screw")} == {("A-100", "users")}


async def test_another_title_column_names_the_copies_that_are_there(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as client:
        await told(client, {"id": 7, "name": "Screw", "sku": "A-100"}, record_id="7")
    settings = make_settings(tmp_path, supabase={"tables": [{"name": "users", "title": "sku"}]})
    async with running(settings) as client:
        await wait_until(lambda: client.service.indexing.progress is None)
        assert {*await shown(client, "supabase", "users", "7", "screw")} == {("A-100", "users")}


# Tables


async def test_a_followed_database_is_called_by_its_title_as_that_was_last_read(tmp_path: Path) -> None:
    async with sources() as both:
        both.notion.databases[both.database].title = "Tasks \U0001f600\nof\x1b[31m all"
        page = both.notion.create_page(both.data_source, {"Name": "Buy milk"})
        both.supabase.insert("users", {"id": 7, "name": "Ada Lovelace"})
        async with running(both.settings(tmp_path)) as client:
            await wait_until(has(client, RecordKey("notion", both.database, page)))
            names = {*await shown_record(client, "notion", both.database, page)}
            assert names == {("Buy milk", "Tasks \U0001f600 of [31m all")}
            await wait_until(has(client, user(7)))
            assert {*await shown_record(client, "supabase", "users", "7")} == {("Ada Lovelace", "users")}
        both.notion.databases[both.database].title = "Errands"
        both.notion.update_page(page, {"Name": "Buy bread"})
        async with running(both.settings(tmp_path)) as client:
            await wait_until(lambda: labelled(client, page, "Errands"))


async def test_a_database_that_only_webhooks_speak_of_is_called_by_its_title_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "LOOK_SECONDS", 0.01)
    async with sources() as both:
        page = both.notion.create_page(both.data_source, {"Name": "Buy milk"})
        fault = both.notion.faults.status(503, path=lambda path: "/databases/" in path)
        async with running(both.settings(tmp_path, notion={"databases": []})) as client:
            told_of = hint(page, table=both.database, source="notion")
            await send(client, told_of, source="notion")
            await wait_until(lambda: bool(fault.hits))
            assert await labelled(client, page, both.database)
            fault.clear()
            await send(client, told_of, source="notion")
            await wait_until(lambda: labelled(client, page, "Tasks"))


async def shown_record(client: Client, source: str, table: str, id_: str) -> list[tuple[str, str]]:
    """Title and label of a record that no event told of."""
    (listed,) = (await answered(client, f"/api/v1/records?source={source}&record_id={id_}"))["records"]
    found = [listed, *[await answered(client, f"/api/v1/records/{source}/{table}/{id_}{end}") for end in ("", "/diff")]]
    return [(one["title"], one["table_label"]) for one in found]


async def labelled(client: Client, page: str, label: str) -> bool:
    """Whether the page's database is called so."""
    (listed,) = (await answered(client, f"/api/v1/records?source=notion&record_id={page}"))["records"]
    return bool(listed["table_label"] == label)


# Where no name belongs


FAILING = """
from hookbridge import Bridge, Change

hooks = Bridge()  # a handler of all of Notion, which no later test shall have

@hooks.on("supabase", table="users")
@hooks.on("notion")
async def fail(change: Change) -> None:
    raise KeyError("no")
"""


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    stream = io.StringIO()
    configure(LoggingConfig(format="json", level="debug"), Secrets(), stream=stream)
    # A logger that is kept from its first use on would write into this stream in every later test, too.
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.reset_defaults()
    root.handlers = before
    root.setLevel(level)
    for name, one in levels.items():
        logging.getLogger(name).setLevel(one)


async def test_no_title_and_no_label_is_in_a_log_a_metric_or_what_anybody_may_see(
    tmp_path: Path, log: io.StringIO
) -> None:
    (tmp_path / "failing_handlers.py").write_text(FAILING)
    async with sources() as both:
        both.notion.databases[both.database].title = "Planted in a database"
        both.notion.create_page(both.data_source, {"Name": "Planted in a page"})
        both.supabase.insert("users", {"id": 7, "name": "Planted in a row"})
        settings = both.settings(
            tmp_path, handlers={"module": "failing_handlers"}, server={"access_log": "all"}, reconcile=STILL
        )
        async with running(settings) as client:
            await wait_until(lambda: are_dead(client, {"Planted in a page", "Planted in a row"}))
            listed = (await answered(client, "/api/v1/events?outcome=dead"))["events"]
            assert {one["table_label"] for one in listed} == {"Planted in a database", "users"}
            for path in ("/readyz", "/api/v1/reconcile"):
                tables = (await answered(client, path))["tables"]
                assert {one["table_label"] for one in tables} == {"Planted in a database", "users", "plain"}, path
            for path in ("/metrics", "/api/v1/webhooks/stats"):
                assert "Planted" not in await (await client.get(path)).text(), path
            assert "Planted" not in await (await client.get("/readyz", {})).text()
    assert "KeyError" in log.getvalue()
    assert "Planted" not in log.getvalue()


async def test_no_title_and_no_label_of_a_proof_or_a_difference_is_in_a_log_or_a_metric(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with sources() as both:
        both.notion.databases[both.database].title = "Planted in a database"
        page = both.notion.create_page(both.data_source, {"Name": "Planted in a page"})
        async with running(both.settings(tmp_path, server={"access_log": "all"}, reconcile=STILL)) as client:
            await wait_until(lambda: loaded(client))
            both.notion.update_page(page, {"Name": "Planted in another"})
            answer = await client.post("/api/v1/verify", {"source": "notion", "heal": False}, headers=ADMIN)
            *_, proof, verdict = map(msgspec.json.decode, (await answer.read()).splitlines())
            assert (proof["table_label"], proof["titles"]) == ("Planted in a database", {page: "Planted in a page"})
            assert verdict["agrees"] is False
            compared = await answered(client, f"/api/v1/records/notion/{both.database}/{page}/diff")
            assert (compared["title"], compared["table_label"]) == ("Planted in a page", "Planted in a database")
            both.notion.faults.status(503)
            answer = await client.post("/api/v1/verify", {"source": "notion"}, headers=ADMIN)
            unproven, _ = map(msgspec.json.decode, (await answer.read()).splitlines())
            assert (unproven["type"], unproven["table_label"]) == ("unproven", "Planted in a database")
            assert "Planted" not in unproven["message"] + unproven["hint"]
            assert "Planted" not in await (await client.get("/metrics")).text()
    assert "/api/v1/verify" in log.getvalue()
    assert "Planted" not in log.getvalue()


async def are_dead(client: Client, titles: set[str]) -> bool:
    """Whether these are the records of dead letters, each of which a later pass finds once more."""
    return {one["title"] for one in (await answered(client, "/api/v1/events?outcome=dead"))["events"]} == titles
