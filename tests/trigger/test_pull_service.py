"""A service takes what the real functions of a real database give it, by either way, and knows what it is refused."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import pytest

from hookbridge.config import Settings
from hookbridge.sources.supabase.pull import OverDatabase
from tests.service.test_pull import SLOW, has, in_state, loaded, state
from tests.support import databases
from tests.support.postgrest import PostgrestOnPostgres, data_api
from tests.support.project import Project
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

KEY, ANON = "sb_secret_for_tests", "sb_publishable_for_tests"
WAYS = ("data_api", "database")


@pytest.fixture
async def api(project: Project) -> AsyncIterator[PostgrestOnPostgres]:
    async with data_api(project.url, KEY, anon_key=ANON) as one:
        yield one


def taking(folder: Path, api: PostgrestOnPostgres, project: Project, way: str, **secrets: Any) -> Settings:  # noqa: ANN401
    """Settings by which users are pulled; they can be read by the Data API either way."""
    given = {"supabase_url": api.url, "supabase_key": KEY}
    given |= {"supabase_db_url": project.url} if way == "database" else {}
    return make_settings(
        folder,
        secrets={**given, **secrets},
        supabase={
            "tables": [{"name": "users", "pull": True}],
            "pull_seconds": 0.01,
            "pull_seconds_max": 0.02,
        },
        processing={"probe_max_seconds": 0.05},
        reconcile=SLOW,
    )


async def all_done(service: Running, project: Project) -> None:
    async def nothing_waits() -> bool:
        waiting = await project.sql.fetchval("select count(*) from hookbridge_webhooks.changes")
        return waiting == 0 and service.service.store.open_events == 0

    await wait_until(nothing_waits)


@pytest.mark.parametrize("way", WAYS)
async def test_rows_come_change_and_go(tmp_path: Path, project: Project, api: PostgrestOnPostgres, way: str) -> None:
    await project.pull("users")
    async with running(taking(tmp_path, api, project, way)) as service:
        await loaded(service)
        await project.sql.execute("insert into users (id, name) values (1, 'Ada'), (2, 'Grace')")
        await has(service, 1, "Ada")
        await has(service, 2, "Grace")
        await project.sql.execute("update users set name = 'Ada L.' where id = 1")
        await has(service, 1, "Ada L.")
        await project.sql.execute("delete from users where id = 2")
        await has(service, 2, None)
        await all_done(service, project)

        async def nothing_waits() -> bool:
            return bool((await state(service))["waiting"] == 0)

        await wait_until(nothing_waits)
        shown = await state(service)
        assert (shown["way"], shown["state"], shown["taken"]) == (way, "running", 4)
        await project.sql.execute("truncate users")
        await has(service, 1, None)


@pytest.mark.parametrize("way", WAYS)
async def test_functions_that_come_later_are_found(
    tmp_path: Path, project: Project, api: PostgrestOnPostgres, way: str
) -> None:
    async with running(taking(tmp_path, api, project, way)) as service:
        shown = await in_state(service, "refused")
        assert "trigger-sql --pull" in shown["hint"]
        await loaded(service)
        await project.pull("users")
        await in_state(service, "running")
        await project.sql.execute("insert into users (id, name) values (1, 'Ada')")
        await has(service, 1, "Ada")


@pytest.mark.parametrize("way", WAYS)
async def test_an_outbox_that_was_dropped_has_its_remedy(
    tmp_path: Path, project: Project, api: PostgrestOnPostgres, way: str
) -> None:
    await project.pull("users")
    async with running(taking(tmp_path, api, project, way)) as service:
        await in_state(service, "running")
        # Behind whoever takes just then, or the two wait for each other.
        await project.sql.execute(
            "select pg_advisory_xact_lock(hashtext('hookbridge_webhooks.changes')); "
            "drop schema hookbridge_webhooks cascade"
        )
        shown = await in_state(service, "refused")
        assert "trigger-sql --pull" in shown["hint"]
        await project.pull("users")
        await in_state(service, "running")


@pytest.mark.parametrize("way", WAYS)
async def test_two_stores_do_not_share_an_outbox_until_one_takes_over(
    tmp_path: Path, project: Project, api: PostgrestOnPostgres, way: str
) -> None:
    await project.pull("users")
    async with running(taking(tmp_path / "one", api, project, way)) as first:
        await loaded(first)
        await in_state(first, "running")
        await project.sql.execute("insert into users (id, name) values (1, 'Ada')")
        await has(first, 1, "Ada")
        async with AsyncExitStack() as later:
            second = await later.enter_async_context(running(taking(tmp_path / "two", api, project, way)))
            shown = await in_state(second, "refused")
            assert "--take-over" in shown["hint"]
            await project.pull("users", take_over=True)
            await wait_until_one_takes(first, second)


async def wait_until_one_takes(*services: Running) -> None:
    """Whichever asks first has it, and the other one is refused."""

    async def is_so() -> bool:
        return sorted([(await state(one))["state"] for one in services]) == ["refused", "running"]

    await wait_until(is_so)


async def test_a_key_that_is_not_the_service_s_takes_nothing(
    tmp_path: Path, project: Project, api: PostgrestOnPostgres
) -> None:
    await project.pull("users")
    await project.sql.execute("insert into users (id, name) values (1, 'Ada')")
    async with running(taking(tmp_path, api, project, "data_api", supabase_key=ANON)) as service:
        assert "secret key" in (await in_state(service, "refused"))["hint"]
        assert (await state(service))["taken"] == 0


@pytest.mark.parametrize(
    ("broken", "word"), [("path", "refused"), ("host", "down"), ("query", "refused")], ids=["name", "host", "text"]
)
async def test_a_database_that_cannot_be_asked_is_told_without_its_password(
    tmp_path: Path, project: Project, api: PostgrestOnPostgres, broken: str, word: str
) -> None:
    url = urlsplit(project.url)
    instead = {
        "path": urlunsplit(url._replace(path="/nowhere")),
        "host": "postgresql://postgres:hush-hush@127.0.0.1:9/postgres",
        "query": "postgresql://postgres:hush-hush@127.0.0.1:9/postgres?sslmode=perhaps",
    }[broken]
    async with running(taking(tmp_path, api, project, "database", supabase_db_url=instead)) as service:
        shown = await in_state(service, word)
        assert "SUPABASE_DB_URL" in shown["hint"]
        assert "hush-hush" not in str(shown)
        await loaded(service)


async def test_without_the_data_api_what_a_message_says_is_applied(tmp_path: Path, project: Project) -> None:
    await project.pull("users")
    settings = make_settings(
        tmp_path,
        secrets={"supabase_db_url": project.url},
        supabase={"tables": [{"name": "users", "pull": True}], "pull_seconds": 0.01, "pull_seconds_max": 0.02},
    )
    async with running(settings) as service:
        await project.sql.execute("insert into users (id, name) values (1, 'Ada')")
        await project.sql.execute("update users set name = 'Ada L.' where id = 1")
        await has(service, 1, "Ada L.")
        await all_done(service, project)
        copy = await service.get("/api/v1/records/supabase/users/1")
        assert (await copy.json())["verified"] is False


@pytest.mark.parametrize("way", WAYS)
async def test_a_row_that_no_decoder_takes_is_known_by_its_keys(
    tmp_path: Path, project: Project, api: PostgrestOnPostgres, way: str
) -> None:
    await project.sql.execute("alter table users add doc jsonb, add large numeric")
    await project.pull("users")
    async with running(taking(tmp_path, api, project, way)) as service:
        await loaded(service)
        deep = "(repeat('[', 3000) || repeat(']', 3000))::jsonb"
        await project.sql.execute(
            f"insert into users values (1, 'Ada', null, {deep}, 1), (2, 'Eve', null, null, 1e5000)"
        )
        await project.sql.execute("update users set name = 'Ada L.', doc = null, large = null")
        await has(service, 1, "Ada L.")
        await has(service, 2, "Ada L.")
        await project.sql.execute(f"update users set doc = {deep}, large = 1e5000")
        await project.sql.execute("delete from users")
        await has(service, 1, None)
        await has(service, 2, None)
        await all_done(service, project)
        assert (await state(service))["refused"] == 0


async def test_a_role_that_may_do_nothing_else_takes_by_a_connection(
    tmp_path: Path, project: Project, api: PostgrestOnPostgres
) -> None:
    role = f"taker_{os.getpid()}"
    await project.pull("users")
    await project.sql.execute(f"create role {role} login password 'of the taker'")
    try:
        await project.sql.execute(f"grant execute on function hookbridge_take, hookbridge_done to {role}")
        await project.pull("users")  # running it again takes nothing from it
        place = urlsplit(project.url)
        netloc = f"{role}:of%20the%20taker@{place.netloc.rpartition('@')[2]}"
        address = urlunsplit(place._replace(netloc=netloc))
        async with running(taking(tmp_path, api, project, "database", supabase_db_url=address)) as service:
            await loaded(service)
            await project.sql.execute("insert into users (id, name) values (1, 'Ada')")
            await has(service, 1, "Ada")
            await all_done(service, project)
    finally:
        await project.sql.execute(f"drop owned by {role}; drop role {role}")


@pytest.mark.skipif(not databases.has_pooler(), reason="pgbouncer is not installed")
async def test_a_pooler_that_changes_sessions_between_transactions_may_lie_between(project: Project) -> None:
    await project.pull("users")
    await project.sql.execute("insert into users select number from generate_series(1, 1000) as number")
    seen: list[UUID] = []

    async def take() -> None:
        outbox = OverDatabase(databases.pooled(project.url), "public", 30.0)
        try:
            for _ in range(10):
                taken = await outbox.take("a store")
                seen.extend(message.id for message in taken.messages)
                await outbox.done([message.id for message in taken.messages])
        finally:
            await outbox.close()

    # More of them than the pooler has sessions.
    await asyncio.gather(*(take() for _ in range(4 * databases.POOLED_SERVERS)))
    assert len(seen) == len(set(seen)) == 1000
    assert await project.sql.fetchval("select count(*) from hookbridge_webhooks.changes") == 0
