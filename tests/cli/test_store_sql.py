"""`store-sql` as it is typed, and what it prints as a database's owner runs it: role, schema, nothing beyond."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner, Result

from hookbridge.cli.main import app
from hookbridge.store import guest
from tests.support.books import hint, send, settled
from tests.support.postgres import database
from tests.support.processes import ADMIN, process


def store_sql(*arguments: str) -> Result:
    """Run the command as it is typed."""
    return CliRunner().invoke(app, ["store-sql", *arguments], prog_name="hookbridge")


def user_of(url: str, user: str) -> str:
    """The same database for another user; the server of the tests asks for no password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture
async def owned(postgres_url: str) -> AsyncIterator[tuple[asyncpg.Connection, str]]:
    """A database as Supabase gives it to its owner, who is no superuser: his connection, and its address."""
    async with database(postgres_url) as url:
        name = f"owner_{urlsplit(url).path.removeprefix('/')}"
        root: asyncpg.Connection = await asyncpg.connect(url)
        if await root.fetchval("select to_regrole('hookbridge') is not null"):
            await root.close()
            pytest.skip("this server has the role already, and it is somebody's")
        try:
            await root.execute(f"create role {name} login createrole")
            await root.execute(f"alter database {urlsplit(url).path.removeprefix('/')} owner to {name}")
            await root.execute("revoke all on schema public from public")
            await root.execute("create table public.users (id int)")
            owner: asyncpg.Connection = await asyncpg.connect(user_of(url, name))
            try:
                yield owner, url
            finally:
                await owner.close()
        finally:
            await root.execute(guest.uninstall())
            await root.execute(f"reassign owned by {name} to current_user")
            await root.execute(f"drop owned by {name}")
            await root.execute(f"drop role {name}")
            await root.close()


async def test_the_role_reaches_its_own_schema_and_nothing_else(owned: tuple[asyncpg.Connection, str]) -> None:
    owner, url = owned
    for _ in range(2):
        await owner.execute(store_sql().stdout)
    own: asyncpg.Connection = await asyncpg.connect(user_of(url, "hookbridge"))
    try:
        await own.execute("create table hookbridge.one (id int); create function hookbridge.f() returns int return 1")
        for refused in (
            "create table public.one (id int)",
            "select * from public.users",
            "create schema another",
            "create role another",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await own.execute(refused)
        for name, value in (
            ("statement_timeout", "15s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ):
            assert await own.fetchval(f"show {name}") == value
        assert await owner.fetchval("select count(*) from hookbridge.one") == 0, "the owner's dump still reads all"
    finally:
        await own.close()


async def test_the_service_needs_no_more_than_this_role(owned: tuple[asyncpg.Connection, str], tmp_path: Path) -> None:
    owner, url = owned
    await owner.execute(store_sql().stdout)
    await owner.execute(f"revoke all on database {urlsplit(url).path.removeprefix('/')} from public")
    await owner.execute(store_sql().stdout)  # gives the role back what everybody had
    async with process(tmp_path, {"HOOKBRIDGE_STORE__URL": user_of(url, "hookbridge")}) as service:
        await send(service, hint("1", data={"id": 1, "name": "Ada"}))
        assert (await settled(service))["applied"] == 1
        async with service.http.get("/api/v1/search?q=ada", headers=ADMIN) as answer:
            assert [hit["id"] for hit in (await answer.json())["hits"]] == ["1"]
        service.terminate()
        assert await service.ended() == 0
    tables = "select distinct tableowner::text from pg_tables where schemaname = 'hookbridge'"
    assert [one for (one,) in await owner.fetch(tables)] == ["hookbridge"]


async def test_a_store_that_another_role_has_made_is_handed_over_with_all_that_is_in_it(
    owned: tuple[asyncpg.Connection, str], tmp_path: Path
) -> None:
    owner, url = owned
    as_owner = user_of(url, await owner.fetchval("select current_user"))
    async with process(tmp_path, {"HOOKBRIDGE_STORE__URL": as_owner}) as service:
        await send(service, hint("1", data={"id": 1}))
        assert (await settled(service))["applied"] == 1
        await owner.execute(store_sql().stdout)
        await send(service, hint("2", data={"id": 2}))  # and the node that runs goes on
        assert (await settled(service))["applied"] == 2
    for table in ("pg_class where relnamespace", "pg_proc where pronamespace"):
        column = "relowner" if "class" in table else "proowner"
        owners = f"select distinct {column}::regrole::text from {table} = to_regnamespace('hookbridge')"
        assert [one for (one,) in await owner.fetch(owners)] == ["hookbridge"]
    async with process(tmp_path, {"HOOKBRIDGE_STORE__URL": user_of(url, "hookbridge")}) as service:
        await send(service, hint("3", data={"id": 3}))
        assert (await settled(service))["applied"] == 3


async def test_run_again_it_keeps_the_password(owned: tuple[asyncpg.Connection, str], postgres_url: str) -> None:
    owner, _ = owned
    first = msgspec.json.decode(store_sql("--json").stdout)
    await owner.execute(first["sql"])
    await owner.execute(store_sql().stdout)
    root: asyncpg.Connection = await asyncpg.connect(postgres_url)
    try:
        stored = await root.fetchval("select rolpassword from pg_authid where rolname = 'hookbridge'")
    finally:
        await root.close()
    assert stored in first["sql"]


async def test_what_it_prints_then_removes_all_of_it(owned: tuple[asyncpg.Connection, str]) -> None:
    owner, url = owned
    await owner.execute(store_sql().stdout)
    own: asyncpg.Connection = await asyncpg.connect(user_of(url, "hookbridge"))
    await own.execute("create table hookbridge.one (id int)")
    await own.close()
    for _ in range(2):
        await owner.execute(store_sql("--uninstall").stdout)
    assert await owner.fetchval("select to_regnamespace('hookbridge') is null and to_regrole('hookbridge') is null")


async def test_a_role_that_another_database_needs_stays_without_this_ones_schema(
    owned: tuple[asyncpg.Connection, str], postgres_url: str
) -> None:
    owner, _ = owned
    await owner.execute(store_sql().stdout)
    async with database(postgres_url) as url:
        other: asyncpg.Connection = await asyncpg.connect(url)
        await other.execute("create schema theirs authorization hookbridge")
        await owner.execute(store_sql("--uninstall").stdout)
        assert await owner.fetchval("select to_regnamespace('hookbridge') is null")
        assert await owner.fetchval("select to_regrole('hookbridge') is not null")
        await other.close()


def test_the_password_stands_beside_the_sql_and_not_in_it() -> None:
    done = store_sql("--database-url", "postgresql://me@db.example.com/app")
    line = done.stderr.splitlines()[0]
    assert line.startswith("HOOKBRIDGE_STORE__URL=postgresql://hookbridge:")
    password = urlsplit(line.partition("=")[2]).password
    assert password
    assert len(password) >= 32
    assert password not in done.stdout
    assert done.stdout != store_sql().stdout, "each time another one"


@pytest.mark.parametrize(
    ("given", "user", "rest"),
    [
        ("postgresql://me@db.example.com/app", "hookbridge", "db.example.com/app"),
        ("postgres://db.example.com:6543/app?sslmode=require", "hookbridge", "db.example.com:6543/app?sslmode=require"),
        (
            "postgresql://postgres.abcdefgh:[YOUR-PASSWORD]@aws-0-eu-central-1.pooler.supabase.com:5432/postgres",
            *("hookbridge.abcdefgh", "aws-0-eu-central-1.pooler.supabase.com:5432/postgres"),
        ),
        ("postgresql://postgres:a/b@c@[2001:db8::1]:5432/postgres", "hookbridge", "[2001:db8::1]:5432/postgres"),
    ],
)
def test_the_address_is_the_databases_with_the_role_and_a_poolers_project(given: str, user: str, rest: str) -> None:
    url = msgspec.json.decode(store_sql("--database-url", given, "--json").stdout)["url"]
    own, _, place = url.removeprefix("postgresql://").rpartition("@")
    assert (own.partition(":")[0], place) == (user, rest)


@pytest.mark.parametrize(
    "given", ["db.example.com", "https://db.example.com/app", "postgresql://db", "postgresql://a b/c"]
)
def test_what_is_no_address_of_a_database_is_refused(given: str) -> None:
    done = store_sql("--database-url", given)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --database-url: expected postgresql://")


def test_what_the_server_stores_is_what_the_standard_says() -> None:
    # RFC 7677, section 3: an exchange for the password "pencil".
    salt, nonce = "W22ZaJ0SNY7soEsUEjb6gQ==", "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    exchange = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s={salt},i=4096,c=biws,r={nonce}".encode()
    text = guest.verifier("pencil", base64.b64decode(salt))
    head, keys = text.rsplit("$", 1)
    assert head == f"SCRAM-SHA-256$4096:{salt}"
    stored, server = map(base64.b64decode, keys.split(":"))
    signature = base64.b64encode(hmac.digest(server, exchange, "sha256")).decode()
    assert signature == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    mask = hmac.digest(stored, exchange, "sha256")
    assert hashlib.sha256(bytes(a ^ b for a, b in zip(proof, mask, strict=True))).digest() == stored
