"""`check`, given the database's URL: what pg_net, triggers, keys and the outbox are, and what to do about it."""

import sys

import pytest

from hookbridge.sources.supabase.trigger import ENDPOINT, Trigger, install
from tests.support.faults import Scene, expect, states
from tests.support.project import Project

Sql = str
ENDPOINT_URL = "http://example.com/api/v1/webhooks/supabase"


def _renewed(call: str, events: str = "insert or update or delete", when: str = "") -> Sql:
    return (
        f"create or replace trigger hookbridge after {events} on users"
        f" for each row {when} execute function hookbridge_webhooks.{call}"
    )


def _dashboard(name: str, url: str, events: str) -> Sql:
    """What a Database Webhook is in the database."""
    return (
        f"create trigger {name} after {events} on users for each row execute function"
        f""" supabase_functions.http_request('{url}', 'POST', '{{"Content-Type":"application/json"}}', '{{}}', '900')"""
    )


DATABASE_FAULTS: dict[str, tuple[Sql, str, str, str, str]] = {
    "pg_net absent": ("drop schema net cascade", "pg_net", "failed", "not there", "create extension pg_net"),
    "worker not to be seen": ("select", "pg_net", "warning", "not to be seen", "worker_restart"),
    "worker down with a queue": (
        "select net.http_post('http://example.com')",
        *("pg_net", "failed", "does not run, and 1 request", "worker_restart"),
    ),
    "last answer refused": (
        "insert into net._http_response (id, status_code) values (1, 200), (2, 401)",
        *("pg_net responses", "failed", "1 of 2 in the last six hours failed, the last of them with 401", "Vault"),
    ),
    "an answer refused, and accepted since": (
        "insert into net._http_response (id, status_code) values (1, 503), (2, 202)",
        *("pg_net responses", "warning", "with 503", "the service's log"),
    ),
    "URL wrong": (
        "insert into net._http_response (id, status_code) values (1, 404)",
        *("pg_net responses", "failed", "with 404", "trigger-sql --table … --url"),
    ),
    "not reachable from Supabase": (
        "insert into net._http_response (id, error_msg) values (1, 'Couldn''t resolve host name')",
        *("pg_net responses", "failed", "resolve host name", "reachable from Supabase"),
    ),
    "answered too late": (
        "insert into net._http_response (id, timed_out, error_msg) values (1, true, 'Timeout of 5000 ms reached')",
        *("pg_net responses", "failed", "a timeout", "reachable from Supabase"),
    ),
    "trigger disabled": (
        "alter table users disable trigger hookbridge",
        *("trigger public.users", "failed", "disabled", "alter table public.users enable trigger hookbridge;"),
    ),
    "trigger for a replica only": (
        "alter table users enable replica trigger hookbridge",
        *("trigger public.users", "failed", "on a replica only", "alter table public.users enable trigger hookbridge;"),
    ),
    "trigger absent": (
        "drop trigger hookbridge on users",
        *("trigger public.users", "warning", "there is none", "trigger-sql --table users"),
    ),
    "trigger with the placeholder": (
        install(Trigger(table="users")),
        *("trigger public.users", "failed", "the placeholder https://your-api.com/", "--url https://…"),
    ),
    "trigger elsewhere": (
        _renewed("send('https://user:pass@hooks.example.com/else?token=hidden', 'id')"),
        *("trigger public.users", "warning", "it sends to hooks.example.com/else, and", "--url https://…"),
    ),
    "trigger of another key": (
        install(Trigger(table="users", key=("name",), url="http://example.com")),
        *("trigger public.users", "warning", "its key is (name) and [[supabase.tables]] has (id)", "trigger-sql"),
    ),
    "trigger without deletions": (
        _renewed(f"send('{ENDPOINT_URL}', 'id')", "insert or update"),
        *("trigger public.users", "warning", "does not tell of every DELETE:", "trigger-sql --table users"),
    ),
    "trigger of some columns": (
        _renewed(f"send('{ENDPOINT_URL}', 'id')", "insert or update of name or delete"),
        *("trigger public.users", "warning", "does not tell of every UPDATE:", "trigger-sql --table users"),
    ),
    "trigger with a condition": (
        _renewed(f"send('{ENDPOINT_URL}', 'id')", when="when (pg_trigger_depth() = 0)"),
        *("trigger public.users", "warning", "does not tell of every INSERT, UPDATE, DELETE:", "trigger-sql"),
    ),
    "webhook of the dashboard elsewhere": (
        f"drop trigger hookbridge on users; {_dashboard('slack', 'https://hooks.slack.com/services/x', 'insert')}",
        *("trigger public.users", "warning", "there is none", "trigger-sql --table users"),
    ),
    "webhook of the dashboard for insertions only": (
        f"drop trigger hookbridge on users; {_dashboard('told', ENDPOINT_URL, 'insert')}",
        *("trigger public.users", "warning", "does not tell of every UPDATE, DELETE:", "trigger-sql --table users"),
    ),
    "primary key of other columns": (
        "alter table users drop constraint users_pkey, add primary key (name, note)",
        *("key public.users", "failed", "the primary key is (name, note)", 'set key = ["name", "note"]'),
    ),
    "unique index of another column": (
        "alter table users drop constraint users_pkey, alter name set not null, add unique (name)",
        *("key public.users", "failed", "the unique index is (name)", 'set key = ["name"]'),
    ),
    "no unique key": (
        "alter table users drop constraint users_pkey; create unique index on users (id) where id > 0",
        *("key public.users", "failed", "nothing in the database keeps (id) unique", "give the table a primary key"),
    ),
    "a partitioned table's identity": (
        "drop table users; create table users (id int, day date, primary key (id, day)) partition by range (day)",
        *("key public.users", "warning", "the primary key is (id, day)", 'set key = ["id", "day"]'),
    ),
    "no secret in Vault": ("select", "vault secret", "failed", "sign nothing", "vault.create_secret"),
    "another secret in Vault": (
        "select vault.create_secret('another', 'hookbridge_webhook_secret')",
        *("vault secret", "failed", "another secret", "the same as WEBHOOK_SECRET"),
    ),
}


@pytest.mark.parametrize("fault", DATABASE_FAULTS)
async def test_in_the_database_cause_and_remedy_are_named_for(scene: Scene, project: Project, fault: str) -> None:
    statement, check, state, cause, remedy = DATABASE_FAULTS[fault]
    await project.install("http://example.com")
    await project.sql.execute(statement)
    scene.database_url = project.url
    expect((await scene.findings())[check], state, cause, remedy)


async def test_a_trigger_that_tells_of_every_change_is_told_with_where_it_sends(scene: Scene, project: Project) -> None:
    scene.database_url = project.url
    await project.install("https://hooks.example.com/base?token=hidden")
    found = await scene.findings()
    told = found["trigger public.users"]
    assert (told.state, told.message) == ("ok", f"sends every change to hooks.example.com/base{ENDPOINT}")
    assert found["key public.users"].state == "ok"


@pytest.mark.parametrize("known", ["named with --url", "allowed_hosts"])
@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("https://hooks.example.com:8443/base", "ok"),
        ("https://old.example.com/base", "warning"),
        ("http://10.0.0.7:8080", "warning"),
    ],
)
async def test_a_trigger_that_points_at_another_address_is_told(
    scene: Scene, project: Project, known: str, url: str, state: str
) -> None:
    if known == "allowed_hosts":
        scene.set("server", allowed_hosts=["Hooks.example.com", "localhost"])
    else:
        scene.server_url, scene.server_expected = "https://hooks.example.com", True
    scene.database_url = project.url
    await project.install(url)
    told = (await scene.findings())["trigger public.users"]
    assert (told.state, "hooks.example.com" in told.message) == (state, True)
    if state == "warning":
        expect(told, "warning", "it sends to ", "trigger-sql --table users")


async def test_triggers_that_point_at_different_addresses_are_told(scene: Scene, project: Project) -> None:
    scene.set("supabase", tables=[{"name": "users"}, {"name": "orders"}])
    scene.database_url = project.url
    await project.sql.execute("create table orders (id int primary key)")
    await project.install("https://hooks.example.com")
    await project.sql.execute(install(Trigger(table="orders", url="https://hooks.example.com")))
    assert "trigger addresses" not in await scene.findings()
    await project.sql.execute(install(Trigger(table="orders", url="https://old.example.com")))
    told = (await scene.findings())["trigger addresses"]
    expect(
        told, "warning", f"hooks.example.com{ENDPOINT} (public.users); old.example.com{ENDPOINT} (pub", "check --url"
    )


async def test_several_webhooks_of_the_dashboard_tell_of_every_change_together(scene: Scene, project: Project) -> None:
    scene.database_url = project.url
    for events in ("insert", "update", "delete"):
        await project.sql.execute(_dashboard(events, ENDPOINT_URL, events))
    await project.sql.execute(_dashboard("slack", "https://hooks.slack.com/services/x", "insert"))
    told = (await scene.findings())["trigger public.users"]
    assert (told.state, told.message) == ("ok", f"sends every change to example.com{ENDPOINT}")


@pytest.mark.parametrize(
    ("partitions", "state"),
    [([], "warning"), (["users_1"], "warning"), (["users_*"], "ok"), (["users_1", "p.x"], "ok")],
)
async def test_a_database_webhook_of_a_partitioned_table_is_told_where_its_partitions_are_not_known(
    scene: Scene, project: Project, partitions: list[str], state: str
) -> None:
    scene.set("supabase", tables=[{"name": "users", "partitions": partitions}])
    scene.database_url = project.url
    other = "create schema p; create table p.x partition of users for values in (2)"
    if partitions == ["users_*"]:
        other = "create table users_2 partition of users for values in (2)"
    await project.sql.execute(
        "drop table users; create table users (id int primary key) partition by list (id);"
        f" create table users_1 partition of users for values in (1); {other}"
    )
    assert "partitions public.users" not in await scene.findings()
    await project.sql.execute(_dashboard("told", ENDPOINT_URL, "insert or update or delete"))
    found = await scene.findings()
    told = found["partitions public.users"]
    assert told.state == state
    if state == "warning":
        expect(told, "warning", "p.x is no known one" if partitions else "p.x", "partitions in [[supabase.tables]]")


async def test_what_is_no_table_has_no_key_and_no_trigger_to_look_at(scene: Scene, project: Project) -> None:
    scene.database_url = project.url
    await project.sql.execute("alter table users rename to people; create view users as select * from people")
    assert not {"trigger public.users", "key public.users"} & set(await scene.findings())


async def test_without_base64s_padding_a_secret_is_the_same(scene: Scene, project: Project) -> None:
    scene.database_url = project.url
    scene.secrets["webhook_secrets"] = ("whsec_AA==",)
    await project.install("http://example.com")
    await project.keep_secret("whsec_AA")
    assert (await scene.findings())["vault secret"].state == "ok"


# The outbox.

OUTBOX_FAULTS: dict[str, tuple[Sql, str, str, str, str]] = {
    "messages that do not arrive": (
        (
            "insert into users values (1);"
            "update hookbridge_webhooks.outbox set created_at = now() - interval '3 hours', last_error = 'HTTP 401'"
        ),
        *("outbox", "warning", "last error: HTTP 401; after seven days", "pg_net"),
    ),
    "no job": (
        "select cron.unschedule('hookbridge_webhooks')",
        *("outbox job", "failed", "no job of pg_cron", "select cron.schedule('hookbridge_webhooks', '10 seconds',"),
    ),
    "a job that is switched off": (
        "update cron.job set active = false",
        *("outbox job", "failed", "switched off", "cron.alter_job(1, active := true)"),
    ),
    "a job that fails": (
        "insert into cron.job_run_details values (1, 'failed', 'permission denied', now())",
        *("outbox job", "failed", "its last run failed: permission denied", "hookbridge_webhooks.deliver()"),
    ),
    "no pg_cron": ("drop schema cron cascade", "outbox job", "warning", "something else has to call", "pg_cron"),
}


@pytest.mark.parametrize("fault", OUTBOX_FAULTS)
async def test_of_the_outbox_cause_and_remedy_are_named_for(scene: Scene, project: Project, fault: str) -> None:
    statement, check, state, cause, remedy = OUTBOX_FAULTS[fault]
    scene.database_url = project.url
    assert {"outbox", "outbox job"}.isdisjoint(await scene.findings())
    await project.install("http://example.com", outbox=True)
    assert states(await scene.findings(), "ok").keys() >= {"outbox", "outbox job"}
    await project.sql.execute(statement)
    expect((await scene.findings())[check], state, cause, remedy)


async def test_a_message_that_was_just_sent_is_on_its_way_and_an_older_one_is_told_with_its_age(
    scene: Scene, project: Project
) -> None:
    scene.database_url = project.url
    await project.install("http://example.com", outbox=True)
    await project.sql.execute("insert into users values (1)")
    found = (await scene.findings())["outbox"]
    assert (found.state, found.message) == ("ok", "1 messages on their way")
    age = "update hookbridge_webhooks.outbox set created_at = now() - interval '3 days 1 hour'"
    await project.sql.execute(age)
    assert (await scene.findings())["outbox"].message.startswith(
        "1 messages have not arrived, the oldest for 3 days, 1:"
    )


async def test_a_database_that_cannot_be_reached_is_told(scene: Scene) -> None:
    scene.database_url = "postgresql://postgres@127.0.0.1:9/postgres"
    expect((await scene.findings())["pg_net"], "failed", "cannot be reached", "database URL")


async def test_a_role_that_may_not_look_is_told(scene: Scene, project: Project) -> None:
    await project.sql.execute("create role nobody_much login")
    try:
        scene.database_url = project.url.replace("postgres@", "nobody_much@")
        expect((await scene.findings())["pg_net"], "skipped", "permission denied", "role postgres")
    finally:
        await project.sql.execute("drop role nobody_much")


async def test_without_the_extra_the_way_to_get_it_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    scene.database_url = "postgresql://localhost/postgres"
    expect(
        (await scene.findings())["pg_net"],
        "failed",
        "not installed",
        ".venv/bin/python -m pip install -e '.[postgres]'",
    )
