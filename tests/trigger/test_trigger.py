"""The generated trigger on a real Postgres: what it tells pg_net, and what it leaves alone."""

import hashlib
import hmac
import os

import asyncpg
import pytest

from tests.support.project import Project

ADDRESS = "https://hooks.example.com/api/v1/webhooks/supabase"


@pytest.fixture
async def followed(project: Project) -> Project:
    """The project with the trigger on `users`."""
    await project.install(ADDRESS)
    return project


async def test_each_operation_has_the_shape_of_a_database_webhook(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1, 'Ada', null)")
    await followed.sql.execute("update users set name = 'Grace'")
    await followed.sql.execute("delete from users")

    inserted, updated, deleted = await followed.queued()

    ada, grace = ({"id": 1, "name": name, "note": None} for name in ("Ada", "Grace"))
    of_users = {"table": "users", "schema": "public"}
    assert inserted.payload == {"type": "INSERT", **of_users, "record": ada, "old_record": None}
    assert updated.payload == {"type": "UPDATE", **of_users, "record": grace, "old_record": ada}
    assert deleted.payload == {"type": "DELETE", **of_users, "record": None, "old_record": grace}
    assert {request.url for request in (inserted, updated, deleted)} == {ADDRESS}


async def test_a_changed_key_is_told_with_both_rows(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1)")
    await followed.sql.execute("update users set id = 2")
    payload = (await followed.queued())[1].payload
    assert (payload["old_record"]["id"], payload["record"]["id"]) == (1, 2)


async def test_an_update_that_changes_nothing_is_not_told(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1, 'Ada', repeat('x', 100000))")
    await followed.sql.execute("update users set name = 'Ada', note = repeat('x', 100000)")
    assert len(await followed.queued()) == 1


async def test_types_without_an_equality_are_compared_too(project: Project) -> None:
    await project.sql.execute("create table odd (id int, j json, p point)")
    await project.install(ADDRESS, "odd")
    await project.sql.execute("""insert into odd values (1, '{"a":1}', '(1,2)')""")
    await project.sql.execute("""update odd set j = '{"a":1}', p = '(1,2)'""")
    await project.sql.execute("""update odd set j = '{"a": 1}'""")
    assert [request.payload["type"] for request in await project.queued()] == ["INSERT", "UPDATE"]


async def test_a_rolled_back_change_is_not_told(followed: Project) -> None:
    transaction = followed.sql.transaction()
    await transaction.start()
    await followed.sql.execute("insert into users values (1)")
    await transaction.rollback()
    assert await followed.queued() == []


async def test_every_message_has_a_name_of_its_own(followed: Project) -> None:
    await followed.sql.execute("insert into users select generate_series(1, 50)")
    names = {request.headers["webhook-id"] for request in await followed.queued()}
    assert len(names) == 50
    assert all(name.startswith("msg_") for name in names)


@pytest.mark.parametrize(
    "setting",
    [
        "extra_float_digits = -15",
        "timezone = 'America/New_York'",
        "datestyle = 'SQL, DMY'",
        "intervalstyle = 'iso_8601'",
        "bytea_output = 'escape'",
    ],
)
async def test_values_are_written_alike_whatever_the_sessions_settings_are(project: Project, setting: str) -> None:
    await project.sql.execute("create table t (id int, f float8, z timestamptz, d daterange, i interval, b bytea)")
    await project.install(ADDRESS, "t")
    change = """insert into t values
        (1, 0.1::float8 + 0.2, '2026-01-02 03:04:05+00', '[2026-02-03,2026-03-04)', '1 day 2 hours', '\\xff00')"""
    await project.sql.execute(change)
    await project.sql.execute(f"set {setting}")
    await project.sql.execute(change)
    usual, other = await project.queued()
    assert other.body == usual.body
    assert usual.payload["record"] == {
        "id": 1,
        "f": 0.30000000000000004,
        "z": "2026-01-02T03:04:05+00:00",
        "d": "[2026-02-03,2026-03-04)",
        "i": "1 day 02:00:00",
        "b": "\\xff00",
    }


async def test_a_failing_pg_net_never_fails_the_users_change(followed: Project) -> None:
    await followed.sql.execute("drop function net.http_post")
    told: list[str] = []
    followed.sql.add_log_listener(lambda _, message: told.append(message.message))

    await followed.sql.execute("insert into users values (1, 'Ada')")

    assert await followed.sql.fetchval("select name from users") == "Ada"
    assert len(told) == 1
    assert told[0].startswith("hookbridge was not told of a change in public.users: function net.http_post")


async def test_whoever_may_write_the_table_needs_no_other_right(followed: Project) -> None:
    role = f"writer_{os.getpid()}"
    await followed.sql.execute(f"create role {role}")
    try:
        await followed.sql.execute(f"grant insert on users to {role}")
        await followed.sql.execute(f"set role {role}")
        await followed.sql.execute("insert into users values (1)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await followed.sql.execute("select hookbridge_webhooks.secret()")
        await followed.sql.execute("reset role")
        assert len(await followed.queued()) == 1
    finally:
        await followed.sql.execute(f"reset role; drop owned by {role}; drop role {role}")


@pytest.mark.parametrize("outbox", [False, True])
async def test_nobody_else_may_call_its_functions(project: Project, outbox: bool) -> None:  # noqa: FBT001
    await project.install(ADDRESS, outbox=outbox)
    callable_ = await project.sql.fetch("""
        select oid::regprocedure::text from pg_proc
        where pronamespace = 'hookbridge_webhooks'::regnamespace and has_function_privilege('public', oid, 'execute')
    """)
    assert callable_ == []


async def test_names_that_hide_ours_are_not_used(followed: Project) -> None:
    await followed.sql.execute(
        "create schema evil;"
        "create function evil.to_jsonb(anyelement) returns jsonb language sql as $$ select '{}'::jsonb $$;"
        "create temp table pg_class (oid oid, relname name, relnamespace oid);"
        "set search_path = evil, pg_catalog, public"
    )
    await followed.sql.execute("insert into users values (1)")
    (request,) = await followed.queued()
    assert (request.payload["table"], request.payload["record"]["id"]) == ("users", 1)


async def test_a_partitions_row_is_its_tables(project: Project) -> None:
    await project.sql.execute(
        "create table log (id int, day date) partition by range (day);"
        "create table log_2026 partition of log for values from ('2026-01-01') to ('2027-01-01')"
    )
    await project.install(ADDRESS, "log")
    await project.sql.execute("insert into log values (1, '2026-05-05')")
    assert [request.payload["table"] for request in await project.queued()] == ["log"]


async def test_a_virtual_column_has_no_value_in_a_message_and_a_stored_one_has(project: Project) -> None:
    if project.sql.get_server_version() < (18,):
        pytest.skip("virtual generated columns came with Postgres 18")
    await project.sql.execute(
        "create table t (id int, twice int generated always as (id * 2) virtual,"
        " thrice int generated always as (id * 3) stored)"
    )
    await project.install(ADDRESS, "t")
    await project.sql.execute("insert into t values (1)")
    (request,) = await project.queued()
    assert request.payload["record"] == {"id": 1, "twice": None, "thrice": 3}


async def test_a_renamed_table_is_told_by_its_new_name(followed: Project) -> None:
    await followed.sql.execute("alter table users rename to people")
    await followed.sql.execute("insert into people values (1)")
    assert [request.payload["table"] for request in await followed.queued()] == ["people"]


async def test_running_it_twice_is_harmless(followed: Project) -> None:
    await followed.install(ADDRESS)
    await followed.install("https://other.example.com")
    await followed.sql.execute("insert into users values (1)")
    assert [request.url for request in await followed.queued()] == [ADDRESS.replace("hooks.", "other.")]


async def test_a_missing_key_column_is_said_and_nothing_is_installed(project: Project) -> None:
    with pytest.raises(asyncpg.RaiseError, match=r"the table public\.users has no column uid, no"):
        await project.install(ADDRESS, key=("uid", "id", "no"))
    await project.sql.execute("rollback")
    assert await project.sql.fetchval("select to_regnamespace('hookbridge_webhooks')") is None


@pytest.mark.parametrize("outbox", [False, True])
async def test_uninstalling_the_last_trigger_leaves_nothing(project: Project, outbox: bool) -> None:  # noqa: FBT001
    before = await _inventory(project)
    await project.sql.execute("create table pets (id int)")
    for table in ("users", "pets"):
        await project.install(ADDRESS, table, outbox=outbox)
    await project.uninstall("pets")
    await project.sql.execute("insert into users values (1)")
    assert len(await project.take()) == 1
    for _ in range(2):
        await project.uninstall("users")
    await project.sql.execute("drop table pets")
    await project.sql.execute("insert into users values (2)")
    assert await project.queued() == []
    assert await _inventory(project) == before


async def test_a_table_that_is_gone_can_still_be_uninstalled(followed: Project) -> None:
    await followed.sql.execute("drop table users")
    await followed.uninstall()
    assert await followed.sql.fetchval("select to_regnamespace('hookbridge_webhooks')") is None


async def _inventory(project: Project) -> set[str]:
    """Every object of the database and every job, by name."""
    return {
        row[0]
        for row in await project.sql.fetch("""
            select 'schema ' || nspname from pg_namespace where nspname !~ '^pg_(toast_)?temp'
            union all select 'relation ' || oid::regclass::text from pg_class where relnamespace > 16383
            union all select 'function ' || oid::regprocedure::text from pg_proc where oid > 16383
            union all select 'trigger ' || tgname from pg_trigger
            union all select 'job ' || jobname from cron.job
        """)
    }


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 200])
async def test_the_hmac_is_that_of_the_standard_library(followed: Project, length: int) -> None:
    key, message = os.urandom(length), os.urandom(1000)
    made = await followed.sql.fetchval("select hookbridge_webhooks.hmac_sha256($1, $2)", message, key)
    assert made == hmac.new(key, message, hashlib.sha256).digest()


async def test_the_secret_may_also_be_a_setting_and_vault_comes_first(followed: Project) -> None:
    await followed.sql.execute("set hookbridge.webhook_secret = 'from the setting'")
    assert await followed.sql.fetchval("select hookbridge_webhooks.secret()") == "from the setting"
    await followed.keep_secret("from vault")
    assert await followed.sql.fetchval("select hookbridge_webhooks.secret()") == "from vault"


async def test_without_vault_and_secret_it_is_not_signed(followed: Project) -> None:
    await followed.sql.execute("drop schema vault cascade")
    await followed.sql.execute("insert into users values (1)")
    (request,) = await followed.queued()
    assert sorted(request.headers) == ["Content-Type", "webhook-id", "webhook-timestamp"]
