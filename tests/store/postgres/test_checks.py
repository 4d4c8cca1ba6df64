"""What a server is refused for: whatever would lose what was acknowledged, or cannot hold it."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from hookbridge.errors import StartupError
from hookbridge.store.postgres import PostgresStore
from hookbridge.store.postgres.checks import Facts, refusal, warning
from tests.support import databases
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

SETTINGS = ("fsync", "full_page_writes")

SOUND = Facts(
    server=17,
    fsync="on",
    full_page_writes="on",
    in_recovery=False,
    encoding="UTF8",
    synchronous_commit="on",
    unlogged=(),
    endless=(),
    read_only=False,
    statement_seconds=15.0,
)


async def refused(url: str) -> StartupError:
    with pytest.raises(StartupError) as caught:
        await PostgresStore.open(url)
    assert caught.value.hint
    return caught.value


@pytest.fixture
async def server(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the server's owner, whose settings are as they were afterwards."""
    connection = await asyncpg.connect(databases.server_url())
    yield connection
    for setting in SETTINGS:
        await connection.execute(f"ALTER SYSTEM RESET {setting}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.mark.parametrize("setting", SETTINGS)
async def test_a_server_that_a_crash_could_damage_is_refused(
    url: str, server: asyncpg.Connection, setting: str
) -> None:
    await server.execute(f"ALTER SYSTEM SET {setting} = off")
    await server.execute("SELECT pg_reload_conf()")

    async def is_off() -> bool:
        connection = await asyncpg.connect(url)
        value = await connection.fetchval(f"SHOW {setting}")
        await connection.close()
        return bool(value == "off")

    await wait_until(is_off)
    assert f"{setting} = off" in (await refused(url)).message


async def test_a_role_or_database_whose_commits_do_not_wait_for_the_disk_is_refused(
    url: str, sql: asyncpg.Connection
) -> None:
    await sql.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET synchronous_commit = off")
    assert "synchronous_commit = off" in (await refused(url)).message


async def test_tables_that_a_crash_empties_are_refused_by_name(url: str, sql: asyncpg.Connection) -> None:
    await sql.execute("ALTER TABLE hookbridge.notes SET UNLOGGED")
    await sql.execute("ALTER TABLE hookbridge.feed SET UNLOGGED")
    assert "hookbridge.feed, hookbridge.notes" in (await refused(url)).message


async def test_a_database_that_cannot_hold_every_text_is_refused(url: str, server: asyncpg.Connection) -> None:
    await server.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        message = (await refused(urlunsplit(urlsplit(databases.server_url())._replace(path="/latin")))).message
    finally:
        await server.execute("DROP DATABASE latin WITH (FORCE)")
    assert "LATIN1" in message


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (replace(SOUND, in_recovery=True), "takes no writes"),
        (replace(SOUND, server=13), "version 13"),
        (replace(SOUND, fsync="off"), "fsync = off"),
        (replace(SOUND, read_only=True), "write nothing"),
    ],
)
def test_what_a_server_says_of_itself_decides(seen: Facts, said: str) -> None:
    found = refusal(seen)
    assert found is not None
    assert said in found.message
    assert found.hint
    assert refusal(SOUND) is None


@pytest.mark.parametrize("of", ["DATABASE", "ROLE"])
async def test_a_database_or_role_that_may_write_nothing_is_refused(url: str, sql: asyncpg.Connection, of: str) -> None:
    name = urlsplit(url).path[1:]
    whose = f"DATABASE {name}" if of == "DATABASE" else f"ROLE CURRENT_USER IN DATABASE {name}"
    await sql.execute(f"ALTER {whose} SET default_transaction_read_only = on")
    error = await refused(url)
    assert "write nothing" in error.message
    assert "default_transaction_read_only" in error.hint


@pytest.mark.parametrize(("setting", "is_warned"), [("15s", False), ("20s", False), ("1min", True), ("20001ms", True)])
async def test_statements_that_may_take_longer_than_lists_wait_for_them_are_warned_of(
    url: str, sql: asyncpg.Connection, setting: str, *, is_warned: bool
) -> None:
    await sql.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET statement_timeout = '{setting}'")
    with capture_logs() as lines:
        store = await PostgresStore.open(url)
    await store.close()
    assert any("more than 20 s" in line["event"] for line in lines) is is_warned


async def test_a_role_without_timeouts_is_warned_of(url: str, sql: asyncpg.Connection) -> None:
    await sql.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET statement_timeout = 0")
    with capture_logs() as lines:
        store = await PostgresStore.open(url)
    await store.close()
    assert [line["event"] for line in lines if "statement_timeout" in line["event"]]
    assert warning(SOUND) is None
