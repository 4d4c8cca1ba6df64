"""`check` of tables with `pull = true`: the functions, who may call them, what waits, and the triggers that keep it."""

import secrets
from collections.abc import AsyncIterator

import pytest

from hookbridge.sources.supabase.trigger import ENDPOINT, Pull, Trigger, install
from tests.support.faults import Scene, expect
from tests.support.postgrest import PostgrestOnPostgres, data_api
from tests.support.project import Project
from tests.support.running import running
from tests.support.waiting import wait_until

KEY, PUBLISHABLE = "sb_secret_x", "sb_publishable_x"
WEBHOOK = (
    "create trigger told after insert or update or delete on users for each row execute function"
    f" supabase_functions.http_request('https://h.example{ENDPOINT}', 'POST',"
    """ '{"Content-Type":"application/json"}', '{}', '900')"""
)


@pytest.fixture
async def api(project: Project) -> AsyncIterator[PostgrestOnPostgres]:
    async with data_api(project.url, KEY, anon_key=PUBLISHABLE) as standin:
        yield standin


@pytest.fixture
def pulled(scene: Scene, api: PostgrestOnPostgres) -> Scene:
    """The scene with the project's own Data API, and `users` to be taken from."""
    scene.set("supabase", tables=[{"name": "users", "pull": True}])
    scene.secrets |= {"supabase_url": api.url, "supabase_key": KEY}
    scene.publishable_key = PUBLISHABLE
    return scene


async def test_what_is_right_is_told_without_a_database_url(pulled: Scene, project: Project) -> None:
    await project.pull()
    await project.sql.execute("insert into users values (1)")
    found = await pulled.findings()
    assert (found["supabase outbox"].state, found["supabase outbox"].message) == ("ok", "1 changes wait to be taken")
    assert found["supabase publishable key"].state == "ok"
    # Nothing was taken, and it belongs to nobody.
    assert (await project.take_changes())["state"] == "taken"
    assert (await pulled.findings())["supabase outbox"].state == "ok"


async def test_without_credentials_nothing_is_taken_which_is_no_matter_of_choice(pulled: Scene) -> None:
    given = dict(pulled.secrets)
    pulled.secrets |= {"supabase_url": "", "supabase_key": ""}
    expect(
        (await pulled.findings())["supabase"], "failed", "outbox of public.users", "set SUPABASE_URL and SUPABASE_KEY"
    )
    # Over the database itself it is taken all the same; and what is not pulled comes by webhooks.
    pulled.secrets["supabase_db_url"] = "postgresql://127.0.0.1:9/postgres"
    assert (await pulled.findings())["supabase"].state == "skipped"
    pulled.secrets["supabase_db_url"] = ""
    pulled.set("supabase", tables=[{"name": "users"}])
    assert (await pulled.findings())["supabase"].state == "skipped"
    pulled.secrets |= given
    assert (await pulled.findings())["supabase public.users"].message.endswith("found by sweeps only")


async def test_a_pulled_table_without_a_time_of_change_is_not_said_to_be_swept_only(
    pulled: Scene, project: Project
) -> None:
    await project.pull()
    told = (await pulled.findings())["supabase public.users"]
    assert (told.state, "taken from the outbox" in told.message) == ("ok", True)


@pytest.mark.parametrize(
    ("fault", "cause", "remedy"),
    [
        ("drop function hookbridge_take; notify pgrst, 'reload schema'", "404 PGRST202", "trigger-sql --pull"),
        (
            "drop function hookbridge_done; notify pgrst, 'reload schema'",
            "404 PGRST202",
            "notify pgrst, 'reload schema'",
        ),
        ("revoke execute on function hookbridge_take from service_role", "403 42501", "trigger-sql --pull"),
        (
            (
                "create or replace function hookbridge_take(most int, lease_seconds double precision, store text)"
                " returns jsonb language sql as $$ select '{}'::jsonb $$"
            ),
            *("none of this version's", "trigger-sql --pull"),
        ),
        ("drop schema hookbridge_webhooks cascade", "hookbridge_webhooks", "trigger-sql --pull"),
    ],
)
async def test_cause_and_remedy_are_named(pulled: Scene, project: Project, fault: str, cause: str, remedy: str) -> None:
    await project.pull()
    await project.sql.execute(fault)
    expect((await pulled.findings())["supabase outbox"], "failed", cause, remedy)


async def test_a_schema_cache_that_was_not_told_is_named(pulled: Scene, project: Project) -> None:
    assert (await pulled.findings())["supabase outbox"].state == "failed"
    await project.sql.execute(install(Trigger(table="users", pull=Pull())).replace("notify pgrst", "--"))
    expect((await pulled.findings())["supabase outbox"], "failed", "schema cache", "notify pgrst, 'reload schema';")


async def test_changes_that_nobody_takes_are_told_with_their_age(pulled: Scene, project: Project) -> None:
    await project.pull()
    await project.sql.execute("insert into users values (1)")
    await project.sql.execute("update hookbridge_webhooks.changes set created_at = now() - interval '3 hours 1 minute'")
    pulled.database_url = project.url
    found = await pulled.findings()
    for check in ("supabase outbox", "outbox to take from"):
        expect(found[check], "warning", "1 changes wait to be taken, the oldest for 3:01", "pull = true")


async def test_a_publishable_key_that_is_not_refused_is_told(pulled: Scene, project: Project) -> None:
    await project.pull()
    await project.sql.execute("grant execute on function hookbridge_done to anon")
    told = (await pulled.findings())["supabase publishable key"]
    expect(told, "failed", "hookbridge_done answers a publishable key", "trigger-sql --pull")
    pulled.publishable_key = ""
    assert (await pulled.findings())["supabase publishable key"].state == "skipped"


IN_THE_DATABASE = {
    "none": ("select", "outbox to take from", "failed", "there is none", "trigger-sql --pull"),
    "a function is missing": (
        f"{install(Trigger(table='users', pull=Pull()))} drop function hookbridge_done",
        *("outbox rights", "failed", "the schema public has no function hookbridge_done", "api_schema"),
    ),
    "everybody may call": (
        f"{install(Trigger(table='users', pull=Pull()))} grant execute on function hookbridge_take to public",
        *("outbox rights", "failed", "hookbridge_take may be called by anon and authenticated", "trigger-sql --pull"),
    ),
    "nobody may call": (
        f"{install(Trigger(table='users', pull=Pull()))} revoke execute on function hookbridge_done from service_role",
        *("outbox rights", "failed", "hookbridge_done may not be called by service_role", "trigger-sql --pull"),
    ),
    "a trigger that sends": (
        install(Trigger(table="users", url="https://h.example")),
        *("trigger public.users", "failed", "pull = true, and it sends to h.example", "--schema public --pull"),
    ),
    "a webhook beside": (
        f"{install(Trigger(table='users', pull=Pull()))} {WEBHOOK}",
        *("trigger public.users", "warning", "and a webhook sends them to h.example", "Webhooks"),
    ),
    "no trigger": ("select", "trigger public.users", "warning", "there is none", "--schema public --pull"),
    "disabled": (
        f"{install(Trigger(table='users', pull=Pull()))} alter table users disable trigger hookbridge",
        *("trigger public.users", "failed", "it is disabled", "alter table public.users enable trigger hookbridge;"),
    ),
    "no TRUNCATE": (
        f"{install(Trigger(table='users', pull=Pull()))} drop trigger hookbridge_truncate on users",
        *("trigger public.users", "warning", "does not tell of TRUNCATE", "--pull"),
    ),
}


@pytest.mark.parametrize("fault", IN_THE_DATABASE)
async def test_in_the_database_cause_and_remedy_are_named_for(pulled: Scene, project: Project, fault: str) -> None:
    statement, check, state, cause, remedy = IN_THE_DATABASE[fault]
    await project.sql.execute(statement)
    pulled.database_url = project.url
    expect((await pulled.findings())[check], state, cause, remedy)


async def test_in_the_database_what_is_right_is_told_and_pg_net_is_not_missed(pulled: Scene, project: Project) -> None:
    await project.sql.execute("drop schema net cascade")
    await project.pull()
    await project.take_changes()
    pulled.database_url = project.url
    found = await pulled.findings()
    assert found["pg_net"].state == "skipped"
    assert (found["trigger public.users"].state, found["outbox rights"].state) == ("ok", "ok")
    assert "it belongs to one store since " in found["outbox to take from"].message


@pytest.fixture
async def taker(pulled: Scene, project: Project) -> AsyncIterator[str]:
    """A role that may do nothing but take, by whom the database is looked at; gives its name."""
    await project.pull()
    await project.sql.execute("insert into users values (1)")
    name = f"taker_{secrets.token_hex(8)}"  # of the whole server, which other tests have, too
    await project.sql.execute(f"create role {name} login")
    await project.sql.execute(f"grant execute on function hookbridge_take, hookbridge_done to {name}")
    pulled.database_url = pulled.secrets["supabase_db_url"] = project.url.replace("postgres@", f"{name}@")
    yield name
    await project.sql.execute(f"drop owned by {name}; drop role {name}")


async def test_a_role_that_may_do_nothing_but_take_looks_by_taking_nothing(
    pulled: Scene, project: Project, taker: str
) -> None:
    found = await pulled.findings()
    assert [one for one in found.values() if one.state == "failed" and one.check != "server"] == []
    assert found["outbox to take from"].message == "1 changes wait to be taken"
    for check in ("outbox rights", "outbox"):
        expect(found[check], "skipped", "this role may not look", "--database-url of the role postgres")
    assert found["trigger public.users"].state == "ok"
    await project.sql.execute(f"revoke execute on function hookbridge_done from {taker}")
    expect((await pulled.findings())["outbox to take from"], "failed", "hookbridge_done", "grant execute on function")
    await project.sql.execute("drop function hookbridge_done")
    expect((await pulled.findings())["outbox to take from"], "failed", "hookbridge_done", "trigger-sql --pull")


@pytest.mark.usefixtures("taker")
async def test_what_such_a_role_may_not_see_of_what_is_sent_hides_nothing_else(pulled: Scene, project: Project) -> None:
    await project.sql.execute("revoke usage on schema net from public")
    pulled.set("supabase", tables=[{"name": "users", "pull": True}, {"name": "pets"}])
    found = await pulled.findings()
    expect(found["pg_net"], "skipped", "this role may not look", "--database-url of the role postgres")
    assert found["outbox to take from"].state == "ok"


async def test_changes_that_are_kept_of_a_table_without_pull_are_told(pulled: Scene, project: Project) -> None:
    await project.pull()
    pulled.set("supabase", tables=[{"name": "users"}])
    pulled.database_url = project.url
    expect((await pulled.findings())["trigger public.users"], "failed", "nobody takes", "pull = true")


async def test_an_outbox_of_another_store_is_told_with_the_way_to_take_it_over(pulled: Scene, project: Project) -> None:
    await project.pull()
    await project.take_changes(store="another")
    async with running(pulled.settings) as service:
        pulled.server_url = service.url

        async def is_told() -> bool:
            return "pull" in await pulled.findings()

        await wait_until(is_told)
        told = (await pulled.findings())["pull"]
    expect(told, "failed", "takes no changes from Supabase: Another hookbridge", "trigger-sql --pull --take-over")
