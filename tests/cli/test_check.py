"""`check` names the cause and the remedy of every planted fault, and finds nothing where nothing is wrong."""

import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest

from hookbridge.standins.notion import errors as notion_errors
from hookbridge.standins.postgrest import errors
from hookbridge.standins.wire import Reply
from hookbridge.store.sqlite.file import lock, prepare
from tests.support.commands import command
from tests.support.faults import SECRET, Scene, expect, states
from tests.support.followed import KEY, TOKEN, loaded
from tests.support.project import Project
from tests.support.running import Running, running
from tests.support.signing import webhook_signature
from tests.support.waiting import wait_until

USERS = "supabase public.users"
PLAIN = "supabase public.plain"
LINKED = "38a9ce7b-60a4-80bb-9675-f9411476bb24"
NOBODY = "11111111-1111-4111-8111-111111111111"


async def test_where_nothing_is_wrong_nothing_is_found(scene: Scene, project: Project) -> None:
    scene.database_url = project.url
    await project.install("http://example.com")
    await project.keep_secret(SECRET)
    worker = await asyncpg.connect(project.url, server_settings={"application_name": "pg_net 0.20.4"})
    scene.set("server", port=0)
    scene.set("supabase", tables=[{"name": "users", "changed_at": "updated_at"}])
    scene.secrets["notion_webhook_secrets"] = ("secret_x",)
    try:
        async with running(scene.settings) as service:
            scene.server_url = service.url
            found = await scene.findings()
    finally:
        await worker.close()
    assert states(found, "failed", "warning") == {}
    assert states(found, "skipped") == {
        "alerts": "nobody is told when it is not healthy",
        "cache": "no REDIS_URL: there are no keys of your own to delete",
    }
    assert "refused unsigned" in found["round trip"].message


# What the doctor can see without a service and without the project's database.

Plant = Callable[[Scene], None]


def _file_in_the_way(scene: Scene) -> None:
    (scene.folder / "file").touch()
    scene.set("store", path=str(scene.folder / "file" / "hookbridge.db"))


def _another_file(scene: Scene) -> None:
    (scene.folder / "notes.txt").write_text("no database")
    scene.set("store", path=str(scene.folder / "notes.txt"))


def _clock(seconds: float) -> Plant:
    """The sources' answers have the time of a clock that is right, and this machine's is not."""

    def plant(scene: Scene) -> None:
        date = format_datetime(datetime.now(UTC) - timedelta(seconds=seconds), usegmt=True)
        scene.supabase.faults.answer(Reply(status=401, headers={"Date": date}), path=lambda path: path == "/rest/v1/")
        scene.secrets["notion_token"] = ""

    return plant


def _columns_unknown(**keys: object) -> Plant:
    return lambda scene: scene.set("supabase", tables=[{"name": "users", "changed_at": "updated_at", **keys}])


def _version_unknown(scene: Scene) -> None:
    refused = notion_errors.validation("Notion-Version header failed validation: `2099-01-01` is not a version.")
    scene.notion.faults.answer(refused.reply, path=lambda path: path == "/v1/users/me")


def _secrets_readable(scene: Scene) -> None:
    (scene.folder / ".env").touch(mode=0o644)


def _not_a_time(scene: Scene) -> None:
    scene.set("supabase", tables=[{"name": "users", "changed_at": "name"}])


def _handlers_broken(scene: Scene) -> None:
    (scene.folder / "broken_handlers.py").write_text("import there_is_none\n")
    scene.set("handlers", module="broken_handlers")


def _nobody_there(scene: Scene) -> None:
    scene.secrets["supabase_url"] = "http://127.0.0.1:9"


def _public_key(scene: Scene) -> None:
    scene.supabase.keys.add("sb_publishable_x", "anon")
    scene.secrets["supabase_key"] = "sb_publishable_x"


def _kept_file(scene: Scene) -> Path:
    """A data file as a service leaves it."""
    file = scene.settings.data_file
    os.close(lock(file))
    connection, _ = prepare(file)
    connection.close()
    return file


def _newer_file(scene: Scene) -> None:
    with closing(sqlite3.connect(_kept_file(scene))) as connection:
        connection.execute("PRAGMA user_version = 99")


def _damaged_file(scene: Scene) -> None:
    file = _kept_file(scene)
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * 8192)


def _key_repeated(scene: Scene) -> None:
    scene.supabase.insert("users", {"id": 2, "name": "Ada"})
    scene.set("supabase", tables=[{"name": "users", "key": ["name"], "changed_at": "updated_at"}])


def _large(scene: Scene) -> None:
    """More rows than a statement may look at, and no index but the key's."""
    scene.supabase.insert_many("users", [{"id": n} for n in range(2, 500)])
    scene.supabase.enlarge("users", looked_at_max=250)


def _bodies_not_given(scene: Scene) -> None:
    (source,) = scene.notion.data_source_ids(scene.database)
    scene.notion.create_page(source, {"Name": "Plan"})
    scene.set("notion", databases=[{"id": scene.database, "content": True}])
    scene.notion.bodies_readable = False


def _linked(scene: Scene) -> None:
    scene.set("notion", databases=[{"id": scene.notion.link_database("A view", database_id=LINKED)}])


def _nothing(scene: Scene) -> None:
    """There is no service without any doing."""


FAULTS: dict[str, tuple[Plant, str, str, str, str]] = {
    "data folder cannot be written": (_file_in_the_way, "data folder", "failed", "cannot be written", "[store] path"),
    "data file is something else": (_another_file, "data folder", "failed", "not a database", "restore a backup"),
    "disk nearly full": (
        lambda scene: scene.set("store", min_free_bytes=1 << 60),
        *("data folder", "failed", "below which webhooks get 503", "free some space"),
    ),
    "secrets readable by others": (_secrets_readable, ".env", "warning", "other users", "chmod 600"),
    "webhooks unsigned": (
        lambda scene: scene.set("signatures", verify=False),
        *("signatures", "warning", "taken unsigned", "VERIFY_WEBHOOK_SIGNATURES=true"),
    ),
    "handlers cannot be imported": (_handlers_broken, "handlers", "failed", "there_is_none", "handlers"),
    "cache not answering": (
        lambda scene: scene.secrets.update(redis_url="redis://127.0.0.1:9/0"),
        *("cache", "failed", "cannot be reached", "REDIS_URL"),
    ),
    "clock far off": (_clock(900), "clock", "failed", "s ahead of Supabase's: Standard Webhooks are refused", "NTP"),
    "clock far behind": (_clock(-900), "clock", "failed", "s behind Supabase's: Standard Webhooks are refused", "NTP"),
    "clock off": (_clock(60), "clock", "warning", "s ahead of Supabase's", "NTP"),
    "Supabase key wrong": (
        lambda scene: scene.secrets.update(supabase_key="sb_secret_other"),
        *("supabase", "failed", "401", "SUPABASE_KEY"),
    ),
    "Supabase key public": (_public_key, "supabase", "warning", "row level security", "SUPABASE_KEY"),
    "Supabase not answering": (_nobody_there, "supabase", "failed", "cannot be reached", "SUPABASE_URL"),
    "Supabase answers a web page": (
        lambda scene: scene.secrets.update(supabase_url=f"{scene.supabase.url}/somewhere/else"),
        *("supabase", "failed", "404", "SUPABASE_URL"),
    ),
    "table missing": (
        lambda scene: scene.supabase.drop_table("plain"),
        PLAIN,
        "failed",
        "public.plain",
        "name and schema",
    ),
    "schema not exposed": (
        lambda scene: scene.set("supabase", tables=[{"schema": "shop", "name": "users"}]),
        *("supabase shop.users", "failed", "Invalid schema", "exposed schemas"),
    ),
    "table not granted": (
        lambda scene: scene.supabase.deny("plain"),
        PLAIN,
        "failed",
        "permission denied",
        "grant select",
    ),
    "key column missing": (_columns_unknown(key=["uid"]), USERS, "failed", "key column uid", "correct key"),
    "one of two key columns missing": (
        _columns_unknown(key=["id", "no"]),
        *(USERS, "failed", "key column no:", "correct key"),
    ),
    "change column missing": (
        _columns_unknown(changed_at="changed"),
        *(USERS, "failed", "change column changed", "correct changed_at"),
    ),
    "title column missing": (
        _columns_unknown(title="subject"),
        *(USERS, "warning", "title: there is no column subject", "correct title"),
    ),
    "column of the index missing": (
        _columns_unknown(index=["name", "e-mail"]),
        *(USERS, "warning", "index: there is no column e-mail", "correct index"),
    ),
    "change column without an index": (_large, USERS, "failed", "change column updated_at: ", "an index on its key"),
    "change column is no time": (_not_a_time, USERS, "failed", "holds no time", "correct changed_at"),
    "Notion token refused": (
        lambda scene: scene.secrets.update(notion_token="ntn_other"),
        *("notion", "failed", "API token is invalid", "NOTION_TOKEN"),
    ),
    "Notion not answering": (
        lambda scene: scene.set("notion", base_url="http://127.0.0.1:9"),
        *("notion", "failed", "Notion cannot be reached", "base_url"),
    ),
    "Notion database not shared": (
        lambda scene: scene.notion.revoke(scene.database),
        *("notion {database}", "failed", "not shared", "Connections"),
    ),
    "Notion database unknown": (
        lambda scene: scene.set("notion", databases=[{"id": NOBODY}]),
        *(f"notion {NOBODY}", "failed", "no such database", "correct its id"),
    ),
    "Notion database linked": (
        _linked,
        *(f"notion {LINKED}", "failed", "it is a linked one", "original database"),
    ),
    "Notion bodies not given": (
        _bodies_not_given,
        *("notion {database}", "warning", "without their bodies", "read content"),
    ),
    "Notion version unknown": (_version_unknown, "notion", "failed", "header failed validation", "api_version"),
    "a newer version's data file": (
        _newer_file,
        *("data folder", "failed", "written by a newer hookbridge (schema 99)", "start that version"),
    ),
    "data file damaged": (_damaged_file, "data folder", "failed", "Cannot use the data file", "restore a backup"),
    "secret of an example": (
        lambda scene: scene.secrets.update(webhook_secrets=(SECRET, "replace-me-with-a-long-one")),
        *("secrets", "warning", "WEBHOOK_SECRET is the placeholder", "token_hex"),
    ),
    "key columns that are not the key": (
        _key_repeated,
        *(USERS, "warning", "two of its rows have Ada", "primary key"),
    ),
    "no service running": (
        _nothing,
        *("server", "warning", "no service answers at http://127.0.0.1:9", "python -m hookbridge"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_cause_and_remedy_are_named_for(scene: Scene, fault: str) -> None:
    plant, check, state, cause, remedy = FAULTS[fault]
    check = check.format(database=scene.database)
    before = (await scene.findings()).get(check)
    if fault != "no service running":
        assert before is None or before.state in {"ok", "skipped"}, before
    plant(scene)
    found = await scene.findings()
    expect(found[check], state, cause, remedy)
    others = [name for name in states(found, "failed") if name != check]
    assert others == []


@pytest.mark.parametrize("key", [["room", "line", "number"], ["room", "line"], ["room"]])
async def test_a_large_table_is_looked_at_through_the_index_of_its_key(scene: Scene, key: list[str]) -> None:
    types = dict.fromkeys(key, "bigint")
    scene.supabase.create_table("seats", types, key=tuple(key))
    scene.supabase.insert_many("seats", [dict.fromkeys(key, n) for n in range(500)])
    scene.supabase.enlarge("seats", looked_at_max=250)
    scene.set("supabase", tables=[{"name": "seats", "key": key}])
    assert (await scene.findings())["supabase public.seats"].state == "ok"


async def test_no_finding_shows_a_secret(scene: Scene) -> None:
    secrets = {
        "supabase_key": "sb_secret_wrong",
        "notion_token": "ntn_wrong",
        "redis_url": "redis://:pass@127.0.0.1:9/0",
    }
    scene.secrets.update(secrets)
    scene.database_url = "postgresql://postgres:hidden word@127.0.0.1:9wrong/postgres"
    shown = str(list((await scene.findings()).values()))
    for secret in ("sb_secret_wrong", "ntn_wrong", "pass@", "hidden word", SECRET, KEY, TOKEN):
        assert secret not in shown


async def test_a_database_may_be_named_by_its_data_source(scene: Scene) -> None:
    (source,) = scene.notion.data_source_ids(scene.database)
    scene.set("notion", databases=[{"id": source}])
    assert (await scene.findings())[f"notion {source}"].state == "ok"


async def test_what_cannot_be_asked_is_skipped_and_not_failed(scene: Scene) -> None:
    scene.secrets.update(supabase_url="", supabase_key="", notion_token="")
    found = await scene.findings()
    assert states(found, "failed") == {}
    assert {"clock", "supabase", "notion", "round trip", "pg_net"} <= set(states(found, "skipped"))


# The running service.


@pytest.fixture
async def service(scene: Scene) -> AsyncIterator[Running]:
    async with running(scene.settings) as one:
        scene.server_url = one.url
        yield one


async def test_a_secret_that_the_running_service_does_not_have_is_told(scene: Scene, service: Running) -> None:
    scene.secrets["webhook_secrets"] = ("another secret",)
    expect((await scene.findings())["round trip"], "failed", "refuses what is signed", "WEBHOOK_SECRET")


async def test_a_clock_that_is_off_fails_the_round_trip_of_standard_webhooks(scene: Scene) -> None:
    scene.secrets["webhook_secrets"] = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",)
    async with running(scene.settings) as one:
        scene.server_url = one.url
        assert (await scene.findings())["round trip"].state == "ok"
        found = await scene.findings(now=lambda: time.time() + 900)
    expect(found["round trip"], "failed", "refuses", "clock")
    assert found["clock"].state == "failed"


async def test_a_service_that_was_not_restarted_since_it_shall_verify_is_told(scene: Scene) -> None:
    scene.set("signatures", verify=False)
    async with running(scene.settings) as one:
        scene.set("signatures", verify=True)
        scene.server_url = one.url
        found = await scene.findings()
    expect(found["round trip"], "failed", "takes unsigned webhooks", "restart")


async def test_a_service_whose_data_file_is_gone_is_told_with_its_remedy(scene: Scene, service: Running) -> None:
    scene.settings.data_file.rename(scene.settings.data_file.with_name("moved.db"))
    found = (await scene.findings())["server"]
    expect(found, "failed", "not ready for webhooks: hookbridge.db cannot be found any more", "back as they were")


async def test_another_admin_token_is_told(scene: Scene, service: Running) -> None:
    scene.admin_token = "another"
    expect((await scene.findings())["server"], "failed", "refuses the admin token", "HOOKBRIDGE_ADMIN_TOKEN")


async def test_a_lane_that_was_paused_is_told(scene: Scene, service: Running) -> None:
    await service.service.holds.pause("supabase")
    expect((await scene.findings())["lane supabase"], "warning", "paused by an operator", "resume supabase")


async def test_notions_missing_verification_token_is_told(scene: Scene, service: Running) -> None:
    expect((await scene.findings())["notion signature"], "warning", "no verification token yet", "webhook subscription")
    scene.secrets["notion_webhook_secrets"] = ("secret_x",)
    assert (await scene.findings())["notion signature"].state == "ok"


async def test_a_token_that_nobody_has_confirmed_is_told_whether_or_not_notion_is_read_or_another_one_is_named(
    scene: Scene, service: Running
) -> None:
    await service.service.holds.take_token("secret_of-whoever-came-first", "203.0.113.7")
    for token, named in ((TOKEN, ()), ("", ()), ("", ("secret_of-notions-own-form",))):
        scene.secrets.update(notion_token=token, notion_webhook_secrets=named)
        found = (await scene.findings())["notion signature"]
        expect(found, "warning", "from 203.0.113.7, and nobody has confirmed it", "notion-token --confirm")
        assert "whoever" not in found.message + found.hint
    await service.service.holds.forget_token()
    scene.secrets["notion_webhook_secrets"] = ()
    assert "notion signature" not in await scene.findings()


async def test_a_lane_and_tables_that_wait_for_their_source_are_told(scene: Scene, service: Running) -> None:
    async with scene.supabase.down():
        event = {
            "event_type": "update",
            "source": "supabase",
            "table_name": "users",
            "record_id": "1",
            "data": {"id": 1},
        }
        body = msgspec.json.encode(event)
        answer = await service.post("/api/v1/webhooks/supabase", body, webhook_signature(body, SECRET))
        assert answer.status == 202
        await wait_until(lambda: service.service.lanes["supabase"].state().state == "down")
        await wait_until(lambda: any(one.state == "failing" for one in service.service.reconciler.status()))
        found = await scene.findings()
    expect(found["lane supabase"], "failed", "down: ", "goes on by itself")
    assert any(name.startswith("reconciler supabase public.") for name in states(found, "failed"))
    expect(found["supabase"], "failed", "cannot be reached", "SUPABASE_URL")


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (errors.unknown_table("public", "orders", None), "is it exposed by the Data API?"),
        (errors.unknown_schema("shop", ("public",)), "exposed schemas of the Data API"),
        (errors.error(403, "42501", "permission denied for table orders"), "grant select on the table"),
        (errors.error(400, "42703", "column orders.id does not exist"), "check key and changed_at"),
    ],
    ids=["not there", "not exposed", "not granted", "without its key"],
)
async def test_a_table_whose_records_wait_is_told_with_its_own_remedy(
    scene: Scene, service: Running, reply: errors.WireError, remedy: str
) -> None:
    scene.supabase.faults.answer(reply.reply, path=lambda path: "/orders" in path)
    body = msgspec.json.encode(
        {"event_type": "update", "source": "supabase", "table_name": "orders", "record_id": "1", "data": {"id": 1}}
    )
    assert (await service.post("/api/v1/webhooks/supabase", body, webhook_signature(body, SECRET))).status == 202
    await wait_until(lambda: service.service.lanes["supabase"].state().waiting)
    found = await scene.findings()
    expect(found["table supabase public.orders"], "failed", "its records wait: Supabase answered", remedy)


async def test_deletions_that_wait_for_an_operator_are_told(scene: Scene, service: Running) -> None:
    scene.supabase.insert_many("plain", ({"id": number} for number in range(20)))
    status = service.service.reconciler.tables
    await wait_until(lambda: loaded(service) and status["supabase", "public.plain"].status().total == 20)
    scene.supabase.truncate("plain")
    await wait_until(lambda: status["supabase", "public.plain"].status().state == "unconfirmed")
    found = (await scene.findings())["reconciler supabase public.plain"]
    expect(found, "warning", "20 records are gone at once", "--table public.plain --sweep --confirm")


async def test_something_else_at_the_services_address_is_told(scene: Scene) -> None:
    scene.server_url = scene.notion.url
    expect((await scene.findings())["server"], "failed", "no hookbridge", "--url")


async def test_a_check_stores_nothing(scene: Scene, service: Running) -> None:
    await scene.findings()
    assert (await service.service.store.totals()).books.received == 0


# The command.


async def test_a_service_that_was_named_and_does_not_answer_is_a_failure(tmp_path: Path) -> None:
    for words, variable in (((), "http://127.0.0.1:9"), (("--url", "http://127.0.0.1:9"), "")):
        ran = await command(tmp_path, "check", *words, HOOKBRIDGE_URL=variable)
        assert ran.code == 1
        assert "failed   server: no service answers" in ran.out


async def test_a_check_leaves_the_data_folder_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.close(lock(tmp_path / "data" / "hookbridge.db"))
    prepare(tmp_path / "data" / "hookbridge.db")[0].close()
    before = {file.name: file.read_bytes() for file in (tmp_path / "data").iterdir()}
    ran = await command(tmp_path, "check", HOOKBRIDGE_SERVER__PORT="9")
    assert ran.code == 0
    assert {file.name: file.read_bytes() for file in (tmp_path / "data").iterdir()} == before


async def test_a_damaged_admin_token_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin-token").write_bytes(b"\xff\xfe\n")
    ran = await command(tmp_path, "check", HOOKBRIDGE_ADMIN_TOKEN="", HOOKBRIDGE_SERVER__PORT="9")
    assert ran.code == 1
    assert "failed   admin token: The file of the admin token is damaged" in ran.out
    for words in (("stats",), ("serve", "--port", "0")):
        ran = await command(tmp_path, *words, HOOKBRIDGE_ADMIN_TOKEN="")
        assert (ran.code, ran.err.startswith("error: The file of the admin token is damaged")) == (2, True), ran


async def test_what_a_handlers_module_prints_is_not_among_the_findings(tmp_path: Path) -> None:
    code = 'print("hello")\nfrom hookbridge import bridge\n\n@bridge.on("supabase")\nasync def one(change): ...\n'
    (tmp_path / "mine.py").write_text(code)
    words = ("check", "--json")
    ran = await command(tmp_path, *words, HOOKBRIDGE_HANDLERS__MODULE="mine", HOOKBRIDGE_SERVER__PORT="9")
    assert ran.code == 0
    assert ("handlers", "ok") in [(one.get("check"), one.get("state")) for one in ran.lines]


async def test_the_command_prints_a_line_for_each_check_and_exits_0(tmp_path: Path) -> None:
    ran = await command(tmp_path, "check", HOOKBRIDGE_SERVER__PORT="9")
    assert (ran.code, ran.err) == (0, ""), ran
    lines = ran.out.splitlines()
    assert lines[0].startswith("ok       config: ")
    assert lines[-1].endswith("skipped")
    assert any(line.startswith("warning  server: ") and "; try: " in line for line in lines)


async def test_what_is_wrong_with_the_settings_is_told_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[server]\nport = "x"\nprot = 1\n')
    ran = await command(tmp_path, "check", "--json")
    *findings, result = ran.lines
    assert ran.code == 1
    assert [(one["check"], one["state"]) for one in findings[:2]] == [("config", "failed")] * 2
    assert "did you mean port?" in findings[1]["message"] + findings[0]["message"]
    assert (result["type"], result["fine"], result["failed"]) == ("result", False, 2)


async def test_a_configuration_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    ran = await command(tmp_path, "check")
    assert ran.code == 1
    assert "failed   config: config.toml: not UTF-8; try: " in ran.out


async def test_the_databases_url_may_stand_in_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://postgres@127.0.0.1:9/postgres\n")
    ran = await command(tmp_path, "check", "--json", HOOKBRIDGE_URL="http://127.0.0.1:9")
    assert ran.code == 1
    (found,) = (one for one in ran.lines if one.get("check") == "pg_net")
    assert found["message"].startswith("the database cannot be reached")
