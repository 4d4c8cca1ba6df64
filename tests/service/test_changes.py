"""The feed of changes: pages, snapshots, places that are gone, answers that wait, and streams."""

import asyncio
import gc
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse, ClientSession
from msgspec.structs import replace

from hookbridge.model import Copy
from hookbridge.store.sqlite import back_up
from hookbridge.web.route import Route
from hookbridge.web.routes import ROUTES
from tests.support.changing import EVER
from tests.support.events import copy, key
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

READ_TOKEN = "read-token-for-tests"
READER = {"Authorization": f"Bearer {READ_TOKEN}"}
STREAM = {**READER, "Accept": "text/event-stream"}
READABLE = {"/api/v1/records", "/api/v1/records/{source}/{table}/{id}", "/api/v1/search", "/api/v1/changes"}


@pytest.fixture
async def bridge(tmp_path: Path, engine: str) -> AsyncIterator[Running]:
    async with asyncio.timeout(120), running(make_settings(tmp_path, secrets={"read_token": READ_TOKEN})) as one:
        yield one


async def put(one: Running, name: str, data: object = None, **changes: object) -> Copy:
    """Write a copy as a read-through does; without data the knowledge that there is none."""
    store = one.service.store
    raw = None if data is None else json.dumps(data).encode()
    written = copy(key(name), await store.ticket(), raw, fingerprint=(raw or b"").ljust(16), read_at=time.time())
    written = replace(written, **changes)
    await store.put(written, None, exclusive=False)
    return written


async def asked(one: Running, **query: object) -> dict[str, Any]:
    answer = await one.http.get("/api/v1/changes", params={k: str(v) for k, v in query.items()}, headers=READER)
    assert answer.status == 200, await answer.text()
    return dict(await answer.json())


async def refused(one: Running, since: str) -> dict[str, Any]:
    answer = await one.http.get("/api/v1/changes", params={"since": since}, headers=READER)
    assert answer.status == 410
    said = await answer.json()
    assert said["error"] == "place_gone"
    assert "since=0" in said["hint"]
    return dict(said)


def told(answer: dict[str, Any]) -> list[str]:
    return [f"{entry['type']} {entry.get('id', '')}".strip() for entry in answer["changes"]]


# Pages


async def test_an_entry_says_what_is_known_of_its_record(bridge: Running) -> None:
    read = datetime.now(UTC).replace(microsecond=0)
    read_at, settled_at = read.timestamp(), f"{read:%Y-%m-%dT%H:%M:%SZ}"
    changed_at = "2026-01-01T15:00:00Z"
    await put(bridge, "1", {"id": 1, "amount": 1.50}, title="First", changed_at=changed_at, read_at=read_at)
    await put(bridge, "2", None, read_at=read_at)
    await put(bridge, "3", {"id": 3}, verified=False)
    place = (await asked(bridge, since="now"))["next"]
    assert place == (await asked(bridge, since=place))["next"]
    await put(bridge, "2", {"id": 2})
    await put(bridge, "2", None, read_at=read_at)
    answer = await asked(bridge, since=0)
    first, third, end = answer["changes"]
    assert first == {
        "type": "upsert",
        "source": "supabase",
        "table": "public.users",
        "table_label": "users",
        "id": "1",
        "title": "First",
        "seq": first["seq"],
        "data": {"id": 1, "amount": 1.5},
        "changed_at": changed_at,
        "verification": "verified",
        "settled_at": settled_at,
    }
    assert (third["id"], third["verification"]) == ("3", "skipped")
    assert end == {"type": "snapshot_end", "seq": end["seq"]}
    (gone,) = (await asked(bridge, since=place))["changes"]
    assert {name: gone[name] for name in ("type", "id", "verification", "settled_at")} == {
        "type": "delete",
        "id": "2",
        "verification": "absent",
        "settled_at": settled_at,
    }
    assert gone["seq"] == end["seq"]
    assert "data" not in gone


async def test_a_snapshot_ends_and_goes_on_without_a_gap_whatever_changes_meanwhile(bridge: Running) -> None:
    for name in "abcde":
        await put(bridge, name, {"of": "before"})
    seen: dict[str, Any] = {}
    place, pages = "0", 0
    while True:
        answer = await asked(bridge, since=place, limit=2)
        place, pages = answer["next"], pages + 1
        for entry in answer["changes"]:
            if entry["type"] == "delete":
                seen.pop(entry["id"], None)
            elif entry["type"] == "upsert":
                seen[entry["id"]] = entry["data"]
        if pages == 1:
            await put(bridge, "a", None)
            await put(bridge, "d", {"of": "later"})
            await put(bridge, "new", {"of": "later"})
        if any(entry["type"] == "snapshot_end" for entry in answer["changes"]):
            break
    assert seen == {
        "b": {"of": "before"},
        "c": {"of": "before"},
        "e": {"of": "before"},
        "d": {"of": "later"},
        "new": {"of": "later"},
    }
    assert (await asked(bridge, since=place))["changes"] == []
    await put(bridge, "e", None)
    assert told(await asked(bridge, since=place)) == ["delete e"]


async def test_an_empty_store_is_a_snapshot_too(bridge: Running) -> None:
    answer = await asked(bridge)
    assert told(answer) == ["snapshot_end"]
    await put(bridge, "1", {})
    assert told(await asked(bridge, since=answer["next"])) == ["upsert 1"]


async def test_entries_are_narrowed_to_a_source_or_a_table_and_what_is_asked_for(bridge: Running) -> None:
    await put(bridge, "1", {"id": 1})
    database = "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d"
    page = copy(
        key("p", table=database, source="notion"),
        await bridge.service.store.ticket(),
        b"{}",
        content='{"markdown": "text", "truncated": false, "edited_at": null, "links_expire_at": null}',
    )
    await bridge.service.store.put(page, None, exclusive=True)
    for query, ids in (
        ({"source": "notion"}, ["upsert p"]),
        ({"source": "supabase"}, ["upsert 1"]),
        ({"table": "users"}, ["upsert 1"]),
        ({"source": "supabase", "table": "public.users"}, ["upsert 1"]),
        ({"source": "supabase", "table": "tasks"}, []),
    ):
        answer = await asked(bridge, since=0, **query)
        assert told(answer) == [*ids, "snapshot_end"], query
        assert answer["next"] == (await asked(bridge, since="now"))["next"]
    for include, names in (
        ("", set()),
        ("data", {"data"}),
        ("content", {"content"}),
        ("data,content", {"data", "content"}),
    ):
        first = (await asked(bridge, since=0, include=include))["changes"][0]
        assert {"data", "content"} & set(first) == names


async def test_a_record_that_is_read_again_and_is_as_it_was_is_no_change(bridge: Running) -> None:
    written = await put(bridge, "1", {"id": 1})
    place = (await asked(bridge, since="now"))["next"]
    again = replace(written, ticket=await bridge.service.store.ticket(), read_at=written.read_at + 60)
    await bridge.service.store.put(again, None, exclusive=False)
    assert await asked(bridge, since=place) == {"changes": [], "next": place}


# Places that are gone


async def test_a_place_behind_forgotten_deletions_is_gone_and_later_ones_are_not(bridge: Running) -> None:
    await put(bridge, "1", {})
    early = (await asked(bridge, since="now"))["next"]
    unfinished = (await asked(bridge, since=0, limit=1, source="notion"))["next"]
    await put(bridge, "1", None)
    late = (await asked(bridge, since="now"))["next"]
    await put(bridge, "2", {})
    assert told(await asked(bridge, since=early)) == ["delete 1", "upsert 2"]
    assert await bridge.service.store.remove_tombstones(EVER, 10) == 1
    assert "tombstone_days" in (await refused(bridge, early))["message"]
    await refused(bridge, unfinished)
    assert told(await asked(bridge, since=late)) == ["upsert 2"]
    assert told(await asked(bridge, since=0)) == ["upsert 2", "snapshot_end"]


async def test_a_snapshot_that_takes_longer_than_deletions_are_kept_is_gone(bridge: Running) -> None:
    for name in "abc":
        await put(bridge, name, {})
    begun = (await asked(bridge, since=0, limit=1))["next"]
    assert told(await asked(bridge, since=begun, limit=1)) == ["upsert b"]
    await put(bridge, "a", None)
    await put(bridge, "c", {"new": True})
    assert await bridge.service.store.remove_tombstones(EVER, 10) == 1
    await refused(bridge, begun)
    fresh = await asked(bridge, since=0, limit=1)
    assert told(await asked(bridge, since=fresh["next"])) == ["upsert c", "snapshot_end"]


async def test_a_place_of_another_feed_or_beyond_the_newest_is_gone(bridge: Running) -> None:
    await put(bridge, "1", {})
    feed, _, seq = str((await asked(bridge, since="now"))["next"]).rpartition("-")
    assert "restored" in (await refused(bridge, f"{'0' * 32}-{seq}"))["message"]
    await refused(bridge, f"{feed}-{int(seq) + 1}")
    await refused(bridge, f"{feed}-{seq}-{int(seq) + 1}")
    await refused(bridge, f"{feed}-{'9' * 18}")


@pytest.mark.on("sqlite")
async def test_who_followed_a_store_that_was_restored_since_is_told_so(tmp_path: Path, engine: str) -> None:
    settings = make_settings(tmp_path, secrets={"read_token": READ_TOKEN})
    async with running(settings) as one:
        await put(one, "1", {})
        place = (await asked(one, since="now"))["next"]
        back_up(settings.data_file, tmp_path / "backup.db")
    async with running(settings) as one:
        assert (await asked(one, since=place))["changes"] == []
    for file in settings.data_file.parent.iterdir():
        file.unlink()
    (tmp_path / "backup.db").rename(settings.data_file)
    async with running(settings) as one:
        await refused(one, place)
        assert told(await asked(one)) == ["upsert 1", "snapshot_end"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("since=yesterday", "since"),
        ("since=12", "since"),
        ("since=-1", "since"),
        (f"since={'g' * 32}-1", "since"),
        ("since=", "since"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("wait=61", "wait"),
        ("wait=-1", "wait"),
        ("wait=soon", "wait"),
        ("include=everything", "include"),
        ("source=mysql", "source"),
        ("table=a:b", "table"),
        ("after=1", "after"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(bridge: Running, query: str, name: str) -> None:
    answer = await bridge.http.get(f"/api/v1/changes?{query}", headers=READER)
    assert answer.status == 422
    assert [one["loc"] for one in (await answer.json())["detail"]] == [["query", name]]


# Answers that wait


async def test_an_answer_waits_for_a_change_that_is_meant(bridge: Running) -> None:
    place = (await asked(bridge, since="now"))["next"]
    waiting = asyncio.create_task(asked(bridge, since=place, wait=60, source="supabase"))
    database = key("p", table="e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d", source="notion")
    await bridge.service.store.put(copy(database, await bridge.service.store.ticket()), None, exclusive=False)
    assert not waiting.done()
    await put(bridge, "1", {})
    assert told(await waiting) == ["upsert 1"]


async def test_an_answer_without_a_change_comes_when_it_is_time(bridge: Running) -> None:
    place = (await asked(bridge, since="now"))["next"]
    assert await asked(bridge, since=place, wait=0.01) == {"changes": [], "next": place}


async def test_answers_that_wait_and_streams_end_with_the_service(tmp_path: Path, engine: str) -> None:
    settings = make_settings(tmp_path, secrets={"read_token": READ_TOKEN})
    async with asyncio.timeout(60), AsyncExitStack() as outside:
        async with running(settings) as one:
            http = await outside.enter_async_context(ClientSession(one.url))  # it outlives the service
            listener = Running(one.service, http, one.url)
            await put(one, "1", {"text": "x" * 4_000_000})
            waits = asyncio.create_task(asked(listener, since="now", wait=60))
            stream = await streamed(listener, since="now")
            unread = await unread_stream(one)
            await wait_until(lambda: len(tasks("Feed.beyond")) == 2 and len(tasks("StreamResponse.write")) == 1)
        assert told(await waits) == []
        rest = [line async for line in stream.answer.content if line.strip(b"\r\n")]
        assert rest == [b"retry: 1000\n"], "and it has ended whole"
        unread.close()


# Streams


class Stream:
    """A stream of events as its client reads it."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer
        self._rest = b""

    async def event(self) -> dict[str, str]:
        """Give the next event that has data."""
        while True:
            while b"\n\n" not in self._rest:
                got = await self.answer.content.readany()
                assert got, "it has ended"
                self._rest += got
            block, _, self._rest = self._rest.partition(b"\n\n")
            fields = dict(line.split(": ", 1) for line in block.decode().splitlines() if ": " in line)
            if "data" in fields:
                return fields

    def close(self) -> None:
        """Hang up."""
        self.answer.close()


async def unread_stream(bridge: Running) -> asyncio.StreamWriter:
    """Begin a stream of which nothing is read: with so small a window what is sent fits into no buffer on the way."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(0)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", bridge.port))
    _, writer = await asyncio.open_connection(sock=connection)
    head = f"GET /api/v1/changes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {READ_TOKEN}\r\n"
    writer.write(f"{head}Accept: text/event-stream\r\n\r\n".encode())
    return writer


def tasks(name: str) -> list[asyncio.Task[Any]]:
    """What goes on under this name."""
    return [one for one in asyncio.all_tasks() if getattr(one.get_coro(), "__qualname__", "") == name]


async def streamed(one: Running, last: str | None = None, **query: object) -> Stream:
    headers = STREAM if last is None else {**STREAM, "Last-Event-ID": last}
    answer = await one.http.get("/api/v1/changes", params={k: str(v) for k, v in query.items()}, headers=headers)
    assert answer.status == 200, await answer.text()
    assert answer.content_type == "text/event-stream"
    return Stream(answer)


async def test_a_stream_tells_a_snapshot_and_goes_on_where_its_client_was(bridge: Running) -> None:
    for name in "ab":
        await put(bridge, name, {"name": name})
    stream = await streamed(bridge, since=0, limit=1)
    got = [await stream.event() for _ in range(3)]
    assert [one["event"] for one in got] == ["upsert", "upsert", "snapshot_end"]
    assert msgspec.json.decode(got[0]["data"])["data"] == {"name": "a"}
    await put(bridge, "c", {})
    assert msgspec.json.decode((await stream.event())["data"])["id"] == "c"
    stream.close()
    again = await streamed(bridge, last=got[0]["id"], since=0)  # the snapshot that it had begun
    assert [(await again.event())["event"] for _ in range(3)] == ["upsert", "upsert", "snapshot_end"]
    again.close()
    later = await streamed(bridge, last=got[2]["id"], since=0)
    assert msgspec.json.decode((await later.event())["data"])["id"] == "c"
    later.close()


async def test_a_stream_without_changes_says_that_it_lives_and_how_far_it_is(
    bridge: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookbridge.web.changes.HEARTBEAT_SECONDS", 0.01)
    stream = await streamed(bridge, since="now", source="notion")
    await put(bridge, "1", {})
    place = (await asked(bridge, since="now"))["next"]
    while (await stream.answer.content.readuntil(b"\n")).strip() != f"id: {place}".encode():
        pass
    stream.close()


async def test_a_stream_whose_beginning_cannot_be_told_says_so_and_does_not_begin(bridge: Running) -> None:
    await put(bridge, "1", {"a": 1}, content="no JSON")
    query = {"since": "0", "include": "content"}
    async with bridge.http.get("/api/v1/changes", params=query, headers=STREAM) as answer:
        assert (answer.status, answer.content_type) == (500, "application/json")


async def test_a_stream_is_refused_at_its_place_and_not_within(bridge: Running) -> None:
    answer = await bridge.http.get("/api/v1/changes", headers={**STREAM, "Last-Event-ID": f"{'0' * 32}-1"})
    assert answer.status == 410
    answer = await bridge.http.get("/api/v1/changes", headers={**STREAM, "Last-Event-ID": "one"})
    assert answer.status == 422
    assert (await answer.json())["detail"][0]["loc"] == ["header", "Last-Event-ID"]
    answer = await bridge.http.head("/api/v1/changes", headers=STREAM)
    assert answer.status == 200


async def test_nobody_waits_for_a_client_that_went_away(bridge: Running) -> None:
    stream = await streamed(bridge, since="now")
    waits = asyncio.create_task(asked(bridge, since="now", wait=60))
    await wait_until(lambda: len(tasks("Feed.beyond")) == 2)
    stream.close()
    waits.cancel()
    await wait_until(lambda: not tasks("Feed.beyond"))


async def test_a_client_that_breaks_off_what_it_does_not_read_is_no_failure_of_ours(bridge: Running) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, failure: failures.append(failure))
    await put(bridge, "1", {"text": "x" * 4_000_000})
    for _ in range(3):
        writer = await unread_stream(bridge)
        await wait_until(lambda: tasks("StreamResponse.write"))
        writer.transport.abort()
        await wait_until(lambda: not tasks("StreamResponse.write"))
    gc.collect()
    assert [one["message"] for one in failures] == []


# Who may


@pytest.mark.parametrize("route", [one for one in ROUTES if one.access == "operators"], ids=lambda one: one.name)
@pytest.mark.on("sqlite")
async def test_a_reader_may_read_and_nothing_else(bridge: Running, route: Route) -> None:
    path = (
        route.path.replace("{source}", "supabase")
        .replace("{table}", "users")
        .replace("{id}", "1")
        .replace("{name}", "search")
    )
    answer = await bridge.http.request(route.method, path, headers=READER)
    assert answer.status == 401


async def test_reader_and_operator_read_records_search_and_changes(bridge: Running) -> None:
    await put(bridge, "1", {"id": 1})
    assert {route.path for route in ROUTES if route.access == "readers"} == READABLE
    for path in ("/api/v1/records", "/api/v1/records/supabase/users/1", "/api/v1/search?q=a", "/api/v1/changes"):
        for headers, status in (
            (READER, 200),
            (ADMIN, 200),
            ({}, 401),
            ({"Authorization": "Bearer "}, 401),
            ({"Authorization": f"Basic {READ_TOKEN}"}, 401),
            ({"Authorization": f"Bearer {READ_TOKEN[:-1]}"}, 401),
        ):
            answer = await bridge.http.get(path, headers=headers)
            assert answer.status == status, (path, headers)


async def test_without_a_read_token_only_operators_read(tmp_path: Path, engine: str) -> None:
    async with running(make_settings(tmp_path)) as one:
        for token in ("", "None", READ_TOKEN):
            answer = await one.http.get("/api/v1/changes", headers={"Authorization": f"Bearer {token}"})
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await one.get("/api/v1/changes")).status == 200
