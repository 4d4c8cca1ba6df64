"""`trigger-sql --pull` as it is run: again and again, over another trigger and back, beside a webhook, and removed."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from hookbridge.sources.supabase.trigger import ENDPOINT
from tests.support.project import Project

ADDRESS = f"https://hooks.example.com{ENDPOINT}"
FUNCTIONS = ("hookbridge_take(int, double precision, text)", "hookbridge_done(uuid[])")


async def test_running_it_twice_changes_nothing_and_loses_nothing(project: Project) -> None:
    await project.pull()
    before = await _objects(project)
    await project.sql.execute("insert into users values (1)")
    first = await project.take_changes(lease_seconds=3600)
    await project.pull()
    assert await _objects(project) == before
    assert await project.done(*first["messages"]) == 1


async def test_a_database_that_is_serializable_by_default_is_no_other(project: Project) -> None:
    await project.sql.execute("set default_transaction_isolation = 'serializable'")
    await project.pull()
    await project.pull(take_over=True)
    await project.sql.execute("insert into users values (1)")
    async with project.sql.transaction(isolation="read_committed"):
        assert await _ids(project) == [1]


async def test_neither_pg_net_nor_pg_cron_is_needed(project: Project) -> None:
    await project.sql.execute("drop schema net cascade; drop schema cron cascade; drop schema vault cascade")
    await project.pull()
    await project.sql.execute("insert into users values (1)")
    assert await _ids(project) == [1]


async def test_the_functions_are_the_secret_keys_alone(project: Project) -> None:
    # As Supabase has it: a new function of this schema is everybody's, by name.
    await project.pull()
    for role, may in {"anon": False, "authenticated": False, "service_role": True, "public": False}.items():
        for function in FUNCTIONS:
            allowed = await project.sql.fetchval(
                "select has_function_privilege($1, 'public.' || $2, 'execute')", role, function
            )
            assert (role, function, allowed) == (role, function, may)
    inner = await project.sql.fetch("""
        select p.oid::regprocedure::text, r.rolname from pg_proc p cross join pg_roles r
        where pronamespace = 'hookbridge_webhooks'::regnamespace and r.rolname in ('anon', 'service_role')
          and has_function_privilege(r.oid, p.oid, 'execute')
    """)
    assert inner == []


async def test_rights_that_were_given_are_taken_back_by_running_it_again(project: Project) -> None:
    await project.pull()
    await project.sql.execute("grant execute on function hookbridge_take to anon, authenticated, public")
    await project.pull()
    for role in ("anon", "authenticated"):
        function = f"public.{FUNCTIONS[0]}"
        assert not await project.sql.fetchval("select has_function_privilege($1, $2, 'execute')", role, function)


async def test_the_functions_run_with_the_owners_rights_and_nobodys_search_path(project: Project) -> None:
    await project.pull()
    await project.sql.execute("insert into users values (1)")
    await project.sql.execute(
        "create schema evil; grant usage on schema evil to service_role;"
        "create function evil.gen_random_uuid() returns uuid language sql as $$ select 1/0; select null::uuid $$;"
        "create function evil.octet_length(text) returns int language sql as $$ select 1/0 $$;"
        "set role service_role; set search_path = evil, public, pg_catalog"
    )
    assert await _ids(project) == [1]
    assert await project.sql.fetchval("select hookbridge_done('{}')") == 0


async def test_another_schema_of_the_data_api_has_them_when_it_is_named(project: Project) -> None:
    await project.sql.execute('create schema "My api"')
    await project.pull(api_schema="My api")
    assert await project.sql.fetchval("""select "My api".hookbridge_done('{}')""") == 0
    assert await project.sql.fetchval("select to_regproc('public.hookbridge_done')") is None


async def test_a_schema_that_is_not_there_is_told_and_nothing_is_installed(project: Project) -> None:
    with pytest.raises(asyncpg.RaiseError, match="there is no schema nowhere"):
        await project.pull(api_schema="nowhere")
    await project.sql.execute("rollback")
    assert await project.sql.fetchval("select to_regnamespace('hookbridge_webhooks')") is None


async def test_the_data_api_is_told_to_look_again(project: Project) -> None:
    told: list[object] = []
    listening: asyncpg.Connection = await asyncpg.connect(project.url)
    try:
        await listening.add_listener("pgrst", lambda *notice: told.append(notice[3]))
        await project.pull()
        await listening.execute("select")
        assert told == ["reload schema"]
        await project.uninstall()
        await listening.execute("select")
        assert told == ["reload schema"] * 2
    finally:
        await listening.close()


async def test_it_takes_the_place_of_the_trigger_that_sends(project: Project) -> None:
    await project.install(ADDRESS)
    await project.pull()
    await project.sql.execute("insert into users values (1)")
    assert await project.queued() == []
    assert await _ids(project) == [1]


async def test_what_waits_in_the_pushed_outbox_is_taken_under_its_name_and_before_what_comes(project: Project) -> None:
    await project.sql.execute("create table pets (id int)")
    for table in ("users", "pets"):
        await project.install(ADDRESS, table, outbox=True)
    await project.sql.execute("insert into users values (1, 'a'), (2, 'b'); update users set name = 'c' where id = 1")
    await project.sql.execute("insert into pets values (7)")
    names = [f"msg_{json_id}" for json_id in await _outbox_ids(project)]
    await project.pull()
    await project.sql.execute("update users set name = 'd' where id = 2")
    taken = await project.take_changes()
    told = [(one["message"]["record"]["id"], one["message"]["record"]["name"]) for one in taken["messages"]]
    assert told == [(1, "a"), (2, "b"), (1, "c"), (2, "d")]
    assert [f"msg_{one['id'].replace('-', '')}" for one in taken["messages"]][:3] == names[:3]
    # The other table's is sent as ever, and with its last message and trigger the outbox goes.
    assert [json.loads(row["body"])["table"] for row in await project.waiting()] == ["pets"]
    await project.pull("pets")
    assert await project.sql.fetchval("select to_regclass('hookbridge_webhooks.outbox')") is None
    assert await project.sql.fetch("select * from cron.job") == []
    assert await _ids(project) == [7]


async def test_back_to_the_outbox_what_waits_is_sent_under_its_name(project: Project) -> None:
    await project.pull()
    await project.sql.execute("insert into users values (1); truncate users; insert into users values (2)")
    taken = await project.take_changes()
    await project.install(ADDRESS, outbox=True)
    assert [row["message_id"] for row in await project.waiting()] == [
        f"msg_{one['id'].replace('-', '')}" for one in taken["messages"] if one["message"]["type"] != "TRUNCATE"
    ]
    assert await project.deliver() == 2
    assert [request.payload["record"]["id"] for request in await project.queued()] == [1, 2]
    await project.sql.execute("insert into users values (3)")
    assert len(await project.waiting()) == 3
    # Nothing is left of what it was.
    assert await project.sql.fetchval("select to_regproc('public.hookbridge_take')") is None
    assert await project.sql.fetchval("select to_regclass('hookbridge_webhooks.changes')") is None
    await project.sql.execute("truncate users")


async def test_back_to_the_trigger_alone_what_waits_is_sent_under_its_name(project: Project) -> None:
    await project.sql.execute("create table pets (id int)")
    for table in ("users", "pets"):
        await project.pull(table)
    await project.sql.execute("insert into users values (1), (2); insert into pets values (7)")
    taken = await project.take_changes()
    await project.install(ADDRESS)
    requests = await project.queued()
    assert [request.payload["record"]["id"] for request in requests] == [1, 2]
    assert [request.headers["webhook-id"] for request in requests] == [
        f"msg_{one['id'].replace('-', '')}" for one in taken["messages"][:2]
    ]
    assert await project.done(*taken["messages"]) == 1


@pytest.mark.parametrize(("before", "after"), [("pull", "plain"), ("pull", "outbox"), ("outbox", "plain")])
async def test_what_is_committed_while_the_table_is_waited_for_is_not_dropped(
    project: Project, before: str, after: str
) -> None:
    await (project.pull() if before == "pull" else project.install(ADDRESS, outbox=True))
    await project.sql.execute("set default_transaction_isolation = 'repeatable read'")
    writer, other = await asyncpg.connect(project.url), await asyncpg.connect(project.url)
    try:
        writing = writer.transaction()
        await writing.start()
        await writer.execute("insert into users values (1)")
        going_back = asyncio.create_task(project.install(ADDRESS, outbox=after == "outbox"))
        while not await other.fetchval("select count(*) from pg_locks where not granted"):
            assert not going_back.done()
            await asyncio.sleep(0.01)
        await writing.commit()
        await going_back
    finally:
        await writer.close()
        await other.close()
    if "outbox" in (before, after):
        kept = [json.loads(row["body"]) for row in await project.waiting()]
    else:
        kept = [request.payload for request in await project.queued()]
    assert [message["record"]["id"] for message in kept] == [1]


@pytest.mark.parametrize("outbox", [True, False])
async def test_what_an_earlier_version_did_not_make_is_not_missed_when_it_goes(project: Project, outbox: bool) -> None:  # noqa: FBT001
    await (project.install(ADDRESS, outbox=True) if outbox else project.pull())
    for later in (
        "function hookbridge_webhooks.enqueue_waiting(regclass, text)",
        "function hookbridge_webhooks.overflowing(bigint, boolean)",
        "sequence hookbridge_webhooks.lost_seen, hookbridge_webhooks.lost_xid",
    ):
        await project.sql.execute(f"drop {later.replace(' ', ' if exists ', 1)}")
    await project.install(ADDRESS)
    for table in ("outbox", "changes"):
        assert await project.sql.fetchval("select to_regclass($1)", f"hookbridge_webhooks.{table}") is None
    await project.sql.execute("insert into users values (1)")
    assert len(await project.queued()) == 1


@pytest.mark.parametrize(("url", "warned"), [(ADDRESS, True), ("https://hooks.slack.com/services/x", False)])
async def test_a_webhook_of_the_dashboard_beside_it_is_a_warning(project: Project, url: str, warned: bool) -> None:  # noqa: FBT001
    await project.sql.execute(f"""
        create trigger told after insert on users for each row execute function
        supabase_functions.http_request('{url}', 'POST', '{{"Content-Type":"application/json"}}', '{{}}', '900')
    """)
    told: list[Any] = []
    project.sql.add_log_listener(lambda _, message: told.append(message))
    await project.pull()
    warnings = [message.message for message in told if message.severity == "WARNING"]
    expected = "changes of public.users also come by the dashboard's webhook told, and cost twice"
    assert warnings == ([expected] if warned else [])


async def test_uninstalling_the_last_trigger_leaves_nothing(project: Project) -> None:
    before = await _everything(project)
    await project.sql.execute("create table pets (id int)")
    for table in ("users", "pets"):
        await project.pull(table)
    await project.uninstall("pets")
    await project.sql.execute("insert into users values (1); truncate users")
    assert len((await project.take_changes())["messages"]) == 2
    for _ in range(2):
        await project.uninstall("users")
    await project.sql.execute("drop table pets")
    await project.sql.execute("insert into users values (2); truncate users")
    assert await _everything(project) == before


async def test_uninstalling_the_last_one_that_is_taken_from_leaves_the_others(project: Project) -> None:
    await project.sql.execute("create table pets (id int)")
    await project.install(ADDRESS, "pets")
    await project.pull()
    await project.uninstall()
    assert await project.sql.fetchval("select to_regproc('public.hookbridge_take')") is None
    await project.sql.execute("insert into pets values (1)")
    assert len(await project.queued()) == 1


async def test_what_waits_of_another_table_is_still_taken_when_no_table_is_left(project: Project) -> None:
    await project.sql.execute("create table pets (id int)")
    await project.install(ADDRESS, "pets")
    await project.pull()
    await project.sql.execute("insert into users values (1)")
    await project.uninstall()
    assert await _ids(project) == [1]


async def _ids(project: Project) -> list[int]:
    taken = await project.take_changes()
    await project.done(*taken["messages"])
    return [message["message"]["record"]["id"] for message in taken["messages"]]


async def _outbox_ids(project: Project) -> list[str]:
    return [row["message_id"].removeprefix("msg_") for row in await project.waiting()]


async def _objects(project: Project) -> list[str]:
    rows = await project.sql.fetch("""
        select oid::regprocedure::text || coalesce(proacl::text, '') from pg_proc
        where pronamespace = 'hookbridge_webhooks'::regnamespace or proname like 'hookbridge%'
        union all select relname from pg_class where relnamespace = 'hookbridge_webhooks'::regnamespace
        union all select tgname || pg_get_triggerdef(oid) from pg_trigger where tgname like 'hookbridge%' order by 1
    """)
    return [row[0] for row in rows]


async def _everything(project: Project) -> set[str]:
    return {
        row[0]
        for row in await project.sql.fetch("""
            select 'schema ' || nspname from pg_namespace where nspname !~ '^pg_(toast_)?temp'
            union all select 'relation ' || oid::regclass::text from pg_class where relnamespace > 16383
            union all select 'function ' || oid::regprocedure::text from pg_proc where oid > 16383
            union all select 'trigger ' || tgname from pg_trigger
        """)
    }
