"""The examples that follow the feed: each has in the end what the copies have, whatever it missed meanwhile."""

import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from aiohttp import web

from hookbridge.config import Destination
from hookbridge.sources import signing
from scripts.programs import Program, free_port, program
from tests.support.changing import go_unnoticed, put
from tests.support.engines import ENGINES, chosen
from tests.support.examples import EXAMPLES
from tests.support.postgres import database
from tests.support.processes import REPOSITORY
from tests.support.receivers import SECRET
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.search_engines import KEY, Meilisearch, Typesense, served
from tests.support.waiting import wait_until

READ_TOKEN = "read-token-for-tests"
CONSUMERS = EXAMPLES / "consumers"
USERS = "supabase:public.users:"
ODD = 'b/ä "x" $1'

Known = dict[str, Any]
"""What a consumer has, by its record."""


class Target(msgspec.Struct, kw_only=True):
    """A consumer, and what one sees of what it has."""

    command: tuple[str | Path, ...]
    environ: Mapping[str, str] = {}
    known: Callable[[], Awaitable[Known]]


Made = Callable[[Path], AbstractAsyncContextManager[Target]]


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncIterator[Target]:
    async def known() -> Known:
        with closing(sqlite3.connect(folder / "mine.db")) as mine:
            try:
                return {name: json.loads(data) for name, data in mine.execute("SELECT name, data FROM records")}
            except sqlite3.OperationalError:
                return {}

    yield Target(command=(sys.executable, CONSUMERS / "consumer.py"), known=known)


def in_a_file(folder: Path, *command: str | Path, **environ: str) -> Target:
    file = folder / "mine.json"

    async def known() -> Known:
        if not file.exists():
            return {}
        return {name: record["data"] for name, record in json.loads(file.read_text())["records"].items()}

    return Target(command=(*command, file), known=known, environ=environ)


@asynccontextmanager
async def by_node(folder: Path) -> AsyncIterator[Target]:
    yield in_a_file(folder, "node", CONSUMERS / "consumer.mjs")


@asynccontextmanager
async def by_shell(folder: Path) -> AsyncIterator[Target]:
    yield in_a_file(folder, "sh", CONSUMERS / "consumer.sh")


def named(document: Mapping[str, Any]) -> str:
    return f"{document['source']}:{document['table']}:{document['record_id']}"


@asynccontextmanager
async def in_meilisearch(_folder: Path) -> AsyncIterator[Target]:
    engine = Meilisearch()

    async def known() -> Known:
        return {named(one): one["data"] for one in engine.indexes.get("records", {}).values()}

    async with served(engine.app()) as url:
        command = (sys.executable, CONSUMERS / "to_meilisearch.py")
        yield Target(command=command, environ={"MEILI_URL": url, "MEILI_KEY": KEY}, known=known)


@asynccontextmanager
async def in_typesense(_folder: Path) -> AsyncIterator[Target]:
    engine = Typesense()

    async def known() -> Known:
        return {named(one): one["data"] for one in engine.collections.get("records", {}).values()}

    async with served(engine.app()) as url:
        command = (sys.executable, CONSUMERS / "to_typesense.py")
        yield Target(command=command, environ={"TYPESENSE_URL": url, "TYPESENSE_KEY": KEY}, known=known)


@asynccontextmanager
async def in_postgres(url: str) -> AsyncIterator[Target]:
    async with database(url) as mine, await_closed(await asyncpg.connect(mine)) as connection:

        async def known() -> Known:
            if await connection.fetchval("SELECT to_regclass('records')") is None:
                return {}
            rows = await connection.fetch('SELECT source, "table", id, data FROM records')
            return {f"{row[0]}:{row[1]}:{row[2]}": json.loads(row[3]) for row in rows}

        command = (sys.executable, CONSUMERS / "to_postgres.py")
        yield Target(command=command, environ={"DATABASE_URL": mine}, known=known)


@asynccontextmanager
async def await_closed(connection: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    try:
        yield connection
    finally:
        await connection.close()


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


TARGETS = [
    pytest.param(by_node, id="node", marks=needs("node")),
    pytest.param(by_shell, id="shell", marks=needs("curl", "jq")),
    pytest.param(in_meilisearch, id="meilisearch"),
    pytest.param(in_typesense, id="typesense"),
]


@asynccontextmanager
async def started(target: Target, folder: Path, bridge: str) -> AsyncIterator[Program]:
    environ = {"HOOKBRIDGE_URL": bridge, "HOOKBRIDGE_READ_TOKEN": READ_TOKEN, "PATH": os.environ["PATH"]}
    async with program(target.command, cwd=folder, env={**environ, **target.environ}) as one:
        yield one
        with suppress(ProcessLookupError):  # a shell and what it waits for
            os.killpg(one.pid, signal.SIGKILL)


async def follows(target: Target, folder: Path) -> None:
    """Hold that it has what the copies have: at first, after its place was gone, and while it runs."""
    async with running(make_settings(folder / "data", secrets={"read_token": READ_TOKEN})) as bridge:
        store = bridge.service.store

        async def has(expected: Mapping[str, Any]) -> bool:
            return await target.known() == {f"{USERS}{name}": data for name, data in expected.items()}

        for name in ("a", ODD, "c"):
            await put(store, name, b'{"name": "Ada\\n\\"L\\"", "now": 1}')
        first = {"name": 'Ada\n"L"', "now": 1}
        async with started(target, folder, bridge.url):
            await wait_until(lambda: has({"a": first, ODD: first, "c": first}))
        # It does not run: what it needs to hear of is forgotten.
        await put(store, ODD, b'{"now": 2}')
        await go_unnoticed(store, "a")
        async with started(target, folder, bridge.url):
            await wait_until(lambda: has({ODD: {"now": 2}, "c": first, "another": {"now": 0}}))
            await put(store, ODD, None)
            await put(store, "d", b'{"now": null, "of": [1.5, "x"]}')
            await wait_until(lambda: has({"c": first, "another": {"now": 0}, "d": {"now": None, "of": [1.5, "x"]}}))
        # It goes on where it was.
        await put(store, "c", None)
        async with started(target, folder, bridge.url):
            await wait_until(lambda: has({"another": {"now": 0}, "d": {"now": None, "of": [1.5, "x"]}}))


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_first_one_has_what_the_copies_have_on_every_engine(tmp_path: Path, engine: str) -> None:
    async with in_sqlite(tmp_path) as target:
        with chosen(engine):
            await follows(target, tmp_path)


@pytest.mark.parametrize("made", TARGETS)
async def test_it_has_what_the_copies_have_also_after_its_place_was_gone(tmp_path: Path, made: Made) -> None:
    async with made(tmp_path) as target:
        await follows(target, tmp_path)


async def test_so_has_a_table_of_postgres_and_each_digit(tmp_path: Path, postgres_url: str) -> None:
    async with in_postgres(postgres_url) as target:
        await follows(target, tmp_path)


def test_the_page_shows_the_first_one_as_it_is() -> None:
    page = (REPOSITORY / "docs" / "changes.md").read_text()
    assert f"```python\n{(CONSUMERS / 'consumer.py').read_text()}```" in page


@pytest.mark.parametrize("searched", [Meilisearch(), Typesense()], ids=["meilisearch", "typesense"])
async def test_what_an_engine_refuses_is_not_passed_over(tmp_path: Path, searched: Meilisearch | Typesense) -> None:
    searched.refused = "not this one"
    async with (
        running(make_settings(tmp_path / "data", secrets={"read_token": READ_TOKEN})) as bridge,
        served(searched.app()) as url,
    ):
        await put(bridge.service.store, "1", b'{"now": "not this one"}')
        name = type(searched).__name__.lower()
        variables = {"MEILI_URL": url, "MEILI_KEY": KEY, "TYPESENSE_URL": url, "TYPESENSE_KEY": KEY}

        async def known() -> Known:
            there = searched.indexes if isinstance(searched, Meilisearch) else searched.collections
            return dict(there.get("records", {}))

        command = (sys.executable, CONSUMERS / f"to_{name}.py")
        target = Target(command=command, environ=variables, known=known)
        async with started(target, tmp_path, bridge.url) as one:
            assert await one.ended() == 1
            assert any(name in line.lower() for line in one.errors)
        searched.refused = ""
        async with started(target, tmp_path, bridge.url):
            await wait_until(known)


class Cache:
    """A cache that was told to forget: with which methods and paths."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.statuses: list[int] = []

    def app(self) -> web.Application:
        """Give the server."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self.told.append(f"{request.method} {request.raw_path}")
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


async def test_the_pages_of_a_record_that_changes_are_purged(tmp_path: Path) -> None:
    cache, port = Cache(), free_port()
    to = {"name": "purge", "url": f"http://127.0.0.1:{port}/", "secret": SECRET, "start": "now"}
    destination = msgspec.convert(to, Destination)
    async with served(cache.app()) as url:
        environ = {"PURGE_SECRET": SECRET, "CACHE_URL": url, "PAGES": "/{table}/{id} /{table}"}
        async with (
            program((sys.executable, CONSUMERS / "purge.py", str(port)), env=environ),
            running(make_settings(tmp_path, secrets={"destinations": (destination,)})) as bridge,
        ):
            store = bridge.service.store

            async def purged(*expected: str) -> bool:
                return cache.told == list(expected)

            await wait_until(lambda: begun(bridge))
            await put(store, "1", b'{"now": 1}')
            await wait_until(lambda: purged("PURGE /users/1", "PURGE /users"))
            cache.told, cache.statuses = [], [404, 503]
            await put(store, ODD, None)
            first = "PURGE /users/b%2F%C3%A4%20%22x%22%20%241"
            await wait_until(lambda: purged(first, "PURGE /users", first, "PURGE /users"))
            cache.told = []
            answer = await bridge.post("/api/v1/destinations/purge/rewind", {"to": "start"}, ADMIN)
            assert answer.status == 200, await answer.text()
            await wait_until(lambda: purged("PURGE /*", "PURGE /users/1", "PURGE /users"))
            answer = await bridge.http.post(f"http://127.0.0.1:{port}/", json={"changes": []})
            assert answer.status == 401


async def begun(bridge: Running) -> bool:
    """Whether the receiver answers, and the destination has its place."""
    tried = await (await bridge.post("/api/v1/destinations/purge/test", b"", ADMIN)).json()
    state = await (await bridge.get("/api/v1/destinations/purge")).json()
    return bool(tried["taken"]) and state["seq"] is not None


async def come_late(bridge: Running, to: Destination, *ids: str) -> None:
    """Have a destination told what records were like long ago, by a request that was given up."""
    about = {"type": "upsert", "seq": 0, "source": "supabase", "table": "public.users", "data": {"now": "old"}}
    body = msgspec.json.encode({"changes": [{**about, "id": id_} for id_ in ids], "next": ""})
    signed = signing.headers(to.secret, body, now=time.time())
    answer = await bridge.http.post(to.url, data=body, headers=signed)
    assert answer.status == 204


@needs("node")
async def test_a_destination_of_node_has_what_the_copies_have(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "mine.json"
    receives = in_a_file(tmp_path, "node", CONSUMERS / "receiver.mjs", str(port), HOOK_SECRET=SECRET)
    to = msgspec.convert({"name": "app", "url": f"http://127.0.0.1:{port}/", "secret": SECRET}, Destination)
    async with running(make_settings(tmp_path / "data", secrets={"destinations": (to,)})) as bridge:
        store = bridge.service.store

        async def has(expected: Mapping[str, Any]) -> bool:
            return await receives.known() == {f"{USERS}{name}": data for name, data in expected.items()}

        for name in ("a", ODD):
            await put(store, name, b'{"now": 1}')
        async with started(receives, tmp_path, bridge.url):
            await wait_until(lambda: has({"a": {"now": 1}, ODD: {"now": 1}}))
            answer = await bridge.http.post(to.url, json={"changes": [{"type": "snapshot_end"}]})
            assert answer.status == 401
        # It lost what came meanwhile, and is told everything anew.
        await put(store, "a", None)
        kept = json.loads(file.read_text())
        async with started(receives, tmp_path, bridge.url):
            await wait_until(lambda: has({ODD: {"now": 1}}))
            await come_late(bridge, to, "a", ODD)
            assert await has({ODD: {"now": 1}})
        file.write_text(json.dumps(kept))
        async with started(receives, tmp_path, bridge.url):
            await bridge.post("/api/v1/destinations/app/rewind", {"to": "start"}, ADMIN)
            await wait_until(lambda: has({ODD: {"now": 1}}))
