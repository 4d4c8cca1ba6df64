"""`check` of a store on Postgres: what is found, and what to do; each fault is one that somebody can make."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from hookbridge.doctor.store import FIGURE
from hookbridge.settings import admin_token
from hookbridge.store.moving import Mark
from hookbridge.store.postgres import PostgresStore
from tests.support import databases
from tests.support.commands import command
from tests.support.running import ADMIN_TOKEN

MARK = Mark(origin="x")
NODE = (
    "insert into hookbridge.nodes (name, life, version, roles, figures, seen_at)"
    " values ($1, 1, $2, '{}', $3, hookbridge.now_1(null))"
)


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store that a node has made."""
    made = databases.url(tmp_path)
    store = await PostgresStore.open(made)
    await store.close()
    return made


@pytest.fixture
async def sql(url: str) -> AsyncIterator[asyncpg.Connection]:
    """The database, as its owner sees it."""
    connection: asyncpg.Connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def found(folder: Path, url: str) -> dict[str, dict[str, Any]]:
    """What `check` says of the store, by what was looked at."""
    ran = await command(folder, "check", "--json", HOOKBRIDGE_STORE__URL=url)
    assert ran.code in {0, 1}, ran.err
    told = [line for line in ran.lines if line["type"] == "check"]
    assert "data folder" not in {line["check"] for line in told}
    return {line["check"]: line for line in told if line["check"].startswith("store")}


async def test_of_a_store_that_is_as_it_should_be_nothing_fails(tmp_path: Path, url: str) -> None:
    said = await found(tmp_path, url)
    assert {name: one["state"] for name, one in said.items()} == {
        "store": "ok",
        "store settings": "ok",
        "store rights": "warning",
        "store schema": "ok",
        "store clock": "ok",
    }
    assert "is reached, direct; Postgres" in said["store"]["message"]
    assert "superuser" in said["store rights"]["message"]


async def test_timeouts_that_are_off_are_a_warning_that_leads_to_store_sql(
    tmp_path: Path, sql: asyncpg.Connection, url: str
) -> None:
    await sql.execute(f"alter database {urlsplit(url).path.removeprefix('/')} set lock_timeout = 0")
    said = (await found(tmp_path, url))["store settings"]
    assert (said["state"], "lock_timeout of the store's role are off" in said["message"]) == ("warning", True)
    assert "store-sql" in said["hint"]


async def test_of_a_store_that_there_is_not_yet_it_says_who_makes_it_and_makes_none(
    tmp_path: Path, sql: asyncpg.Connection, url: str
) -> None:
    await sql.execute("drop schema hookbridge cascade")
    said = await found(tmp_path, url)
    assert said["store schema"]["message"] == "is made by the first node that starts"
    assert await sql.fetchval("select to_regnamespace('hookbridge')") is None


@pytest.mark.skipif(not databases.has_pooler(), reason="pgbouncer is not installed")
async def test_a_pooler_is_told_from_the_server(tmp_path: Path, url: str) -> None:
    said = await found(tmp_path, databases.url(tmp_path, pooled=True))
    assert "is reached, a transaction pooler; Postgres" in said["store"]["message"]
    assert said["store schema"]["state"] == "ok"


@pytest.mark.parametrize(
    ("fault", "check", "message", "hint"),
    [
        (
            "alter function hookbridge.copies_1 reset plan_cache_mode",
            *("store schema", "plans are no longer pinned, in 1 places"),
            "alter function hookbridge.copies_1 set plan_cache_mode = force_generic_plan;",
        ),
        ("drop function hookbridge.words_1", "store schema", "functions are missing: words_1", "restore a backup"),
        ("insert into hookbridge.schema_version values (99, 0)", "store schema", "newer hookbridge", "use the newer"),
        (
            f"insert into hookbridge.notes (name, value) values ('migration', '{{\"origin\": \"{MARK.origin}\"}}')",
            *("store schema", "is being carried", "migrate"),
        ),
        (
            "alter table hookbridge.met set unlogged",
            *("store settings", "does not log hookbridge.met", "SET LOGGED"),
        ),
    ],
)
async def test_what_is_wrong_with_a_store_fails_with_what_to_do(
    tmp_path: Path, sql: asyncpg.Connection, url: str, fault: str, check: str, message: str, hint: str
) -> None:
    await sql.execute(fault)
    said = (await found(tmp_path, url))[check]
    assert (said["state"], message in said["message"], hint in said["hint"]) == ("failed", True, True), said


@pytest.mark.parametrize(
    ("nodes", "state", "message"),
    [
        ([("a", "0.1.0", ADMIN_TOKEN), ("b", "0.1.0", ADMIN_TOKEN)], "ok", "2: a, b"),
        ([("a", "0.1.0", ADMIN_TOKEN), ("b", "0.1.0", "another-token-of-16-bytes")], "failed", "is that of b"),
        ([("a", "0.1.0", ADMIN_TOKEN), ("b", "0.2.0", ADMIN_TOKEN)], "warning", "several versions: a 0.1.0, b 0.2.0"),
    ],
)
async def test_the_nodes_that_run_are_compared_with_these_settings(
    tmp_path: Path, sql: asyncpg.Connection, url: str, nodes: list[tuple[str, str, str]], state: str, message: str
) -> None:
    for name, version, token in nodes:
        figures = f'{{"{FIGURE}": "{admin_token.fingerprint(token)}"}}'
        await sql.execute(NODE, name, version, figures)
    said = (await found(tmp_path, url))["store nodes"]
    assert (said["state"], message in said["message"]) == (state, True), said


async def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    said = await found(tmp_path, "postgresql://hookbridge:secret-of-the-store@127.0.0.1:1/app")
    assert [one["state"] for one in said.values()] == ["failed"]
    assert "secret-of-the-store" not in str(said)


@pytest.fixture
async def stranger(sql: asyncpg.Connection, url: str) -> AsyncIterator[str]:
    """The store as a role sees it that has made nothing of it."""
    role = f"nobody_{urlsplit(url).path.removeprefix('/')}"
    await sql.execute(f"create role {role} login")
    parts = urlsplit(url)
    yield urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
    await sql.execute(f"reassign owned by {role} to current_user; drop owned by {role}; drop role {role}")


@pytest.mark.parametrize(
    "given",
    [
        "select",
        "grant usage, create on schema hookbridge to {role}",
        "alter schema hookbridge owner to {role}",
        "alter schema hookbridge owner to {role}; revoke usage on schema hookbridge from {role}",
    ],
)
async def test_a_role_that_has_not_all_of_its_schema_is_sent_to_store_sql_and_nowhere_else(
    tmp_path: Path, sql: asyncpg.Connection, stranger: str, given: str
) -> None:
    await sql.execute(given.format(role=urlsplit(stranger).username))
    said = await found(tmp_path, stranger)
    assert (said["store rights"]["state"], "another role's" in said["store rights"]["message"]) == ("failed", True)
    assert "store-sql" in said["store rights"]["hint"]
    assert said["store schema"]["state"] == "skipped", "nobody makes it"


async def test_a_database_that_takes_no_writes_fails_with_what_switches_them_on(
    tmp_path: Path, sql: asyncpg.Connection, url: str
) -> None:
    await sql.execute(f"alter database {urlsplit(url).path.removeprefix('/')} set default_transaction_read_only = on")
    said = (await found(tmp_path, url))["store settings"]
    assert (said["state"], "default_transaction_read_only" in str(said)) == ("failed", True), said
