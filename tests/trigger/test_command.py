"""`trigger-sql` as it is typed, and what it prints as psql runs it."""

import subprocess
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from hookbridge.cli.main import app
from hookbridge.errors import ConfigError
from hookbridge.sources.supabase.trigger import PLACEHOLDER_URL, Trigger, install
from tests.support.postgres import programs
from tests.support.project import Project

URL = "https://hooks.example.com"


def trigger_sql(*arguments: str) -> Result:
    """Run the command as it is typed."""
    return CliRunner().invoke(app, ["trigger-sql", *arguments], prog_name="hookbridge")


def psql(url: str, text: str) -> str:
    """Run a script as psql does, statement by statement; gives what it said."""
    done = subprocess.run(
        [programs() / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


async def test_what_it_prints_installs_and_what_it_prints_then_removes(project: Project, tmp_path: Path) -> None:
    await project.sql.execute("create schema shop; create table shop.lines (order_id int, no int)")
    named = ("--table", "lines", "--schema", "shop")
    for _ in range(2):
        assert (
            "warning" not in psql(project.url, trigger_sql(*named, "--key", "order_id,no", "--url", URL).stdout).lower()
        )
    await project.sql.execute("insert into shop.lines values (1, 2)")
    (request,) = await project.queued()
    assert request.url == "https://hooks.example.com/api/v1/webhooks/supabase"
    assert (request.payload["schema"], request.payload["table"]) == ("shop", "lines")
    psql(project.url, trigger_sql(*named, "--uninstall").stdout)
    await project.sql.execute("insert into shop.lines values (2, 2)")
    assert len(await project.queued()) == 1


async def test_the_outbox_is_an_option(project: Project) -> None:
    psql(project.url, trigger_sql("--table", "users", "--outbox").stdout)
    await project.sql.execute("insert into users values (1)")
    assert len(await project.waiting()) == 1


async def test_taking_is_an_option_and_the_heading_has_the_key_for_the_configuration(project: Project) -> None:
    words = ("--table", "users", "--pull")
    said = trigger_sql(*words).stdout
    for _ in range(2):
        assert "warning" not in psql(project.url, said).lower()
    await project.sql.execute("insert into users values (1)")
    assert len((await project.take_changes())["messages"]) == 1
    heading = said.partition("\nbegin;")[0]
    assert heading.endswith('--   key = ["id"]\n--   pull = true\n')
    assert "Vault" not in heading
    assert said.endswith("notify pgrst, 'reload schema';\n\ncommit;\n")
    (block,) = msgspec.json.decode(trigger_sql(*words, "--json").stdout)["config"]["supabase"]["tables"]
    assert block == {"schema": "public", "name": "users", "key": ["id"], "pull": True}


async def test_another_store_and_another_schema_are_options_of_it(project: Project) -> None:
    await project.sql.execute("create schema api")
    psql(project.url, trigger_sql("--table", "users", "--pull", "--api-schema", "api").stdout)
    await project.sql.execute("select api.hookbridge_take(1, 60, 'one')")
    psql(project.url, trigger_sql("--table", "users", "--pull", "--api-schema", "api", "--take-over").stdout)
    state = await project.sql.fetchval("select api.hookbridge_take(1, 60, 'another') ->> 'state'")
    assert state == "taken"


def test_a_table_with_its_schema_before_a_dot_is_understood() -> None:
    assert trigger_sql("--table", "shop.lines").stdout == trigger_sql("--table", "lines", "--schema", "shop").stdout


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("https://h.example", "https://h.example/api/v1/webhooks/supabase"),
        ("https://h.example/", "https://h.example/api/v1/webhooks/supabase"),
        ("https://h.example/base", "https://h.example/base/api/v1/webhooks/supabase"),
        ("https://h.example/base/", "https://h.example/base/api/v1/webhooks/supabase"),
        ("https://h.example/api/v1/webhooks/supabase", "https://h.example/api/v1/webhooks/supabase"),
        ("https://h.example/base/api/v1/webhooks/supabase/", "https://h.example/base/api/v1/webhooks/supabase"),
        ("http://h.example:8080?a=b/c", "http://h.example:8080/api/v1/webhooks/supabase?a=b/c"),
    ],
)
def test_the_address_is_the_endpoints_whatever_path_lies_before_it(given: str, called: str) -> None:
    assert f"hookbridge_webhooks.send('{called}', 'id');" in install(Trigger(table="users", url=given))


def test_without_an_address_it_says_first_what_to_replace() -> None:
    done = trigger_sql("--table", "users")
    assert done.exit_code == 0
    heading = done.stdout.partition("\nbegin;")[0]
    assert f"REPLACE {PLACEHOLDER_URL}" in heading
    assert "REPLACE" not in install(Trigger(table="users", url=URL))


def test_the_heading_has_the_block_for_the_configuration() -> None:
    heading = install(Trigger(table='a"b', schema="shop", key=("x", "y"), url=URL)).partition("\nbegin;")[0]
    assert '--   schema = "shop"\n--   name = "a\\"b"\n--   key = ["x", "y"]\n' in heading
    assert all(line.startswith("--") for line in heading.splitlines())


def test_the_key_is_that_of_the_configuration_when_the_table_is_listed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text('[[supabase.tables]]\nname = "lines"\nkey = ["order_id", "no"]\n')
    listed = trigger_sql("--table", "lines", "--url", URL)
    assert listed.stdout == install(Trigger(table="lines", key=("order_id", "no"), url=URL))
    assert trigger_sql("--table", "lines", "--key", "id", "--url", URL).stdout != listed.stdout
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\n")
    wrong = trigger_sql("--table", "lines", "--url", URL)
    assert (wrong.exit_code, wrong.stdout) == (0, install(Trigger(table="lines", url=URL)))
    assert "The settings are wrong, and not looked at" in wrong.stderr


def test_as_json_the_sql_stands_beside_the_block_for_the_configuration() -> None:
    words = ("--table", "lines", "--schema", "shop", "--key", "order_id,no", "--url", URL)
    said = msgspec.json.decode(trigger_sql(*words, "--json").stdout)
    assert said["sql"] == trigger_sql(*words).stdout
    (block,) = said["config"]["supabase"]["tables"]
    assert block == {"schema": "shop", "name": "lines", "key": ["order_id", "no"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--table", "a:b"), "'a:b' is no table's name"),
        (("--table", ""), "'' is no table's name"),
        (("--table", "t", "--schema", "a.b"), "'a.b' is no schema's name"),
        (("--table", "x" * 64), "is no name in Postgres: 1 to 63 bytes"),
        (("--table", "t", "--key", "id,"), "'' is no name in Postgres"),
        (("--table", "t", "--url", "hooks.example.com"), "'hooks.example.com' is no http(s) address"),
        (("--table", "t", "--key", "id,no", "--key", "id"), "the key column 'id' is named twice"),
        (("--table", "t", "--url", "https://[x"), "is no http(s) address"),
        (("--table", "t", "--pull", "--url", URL), "--url: with --pull nothing is sent"),
        (("--table", "t", "--pull", "--outbox"), "--outbox sends and --pull does not: choose one"),
        (("--table", "t", "--take-over"), "--take-over: it belongs to --pull"),
        (("--table", "t", "--api-schema", "api"), "--api-schema: it belongs to --pull"),
        (("--table", "t", "--pull", "--api-schema", "x" * 64), "is no name in Postgres: 1 to 63 bytes"),
        (("--table", "t", "--uninstall", "--pull"), "--pull: nothing of it is needed"),
        (("--table", "t", "--url", "https://hooks.example.com/#there"), "is no http(s) address"),
    ],
)
def test_what_cannot_be_is_said_with_a_hint(arguments: tuple[str, ...], said: str) -> None:
    done = trigger_sql(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.splitlines()[-1].startswith("try: ")


@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "a\x1fb"])
@pytest.mark.parametrize("field", ["table", "schema", "key"])
def test_no_name_ends_a_comment_or_a_line(name: str, field: str) -> None:
    values: dict[str, object] = {"table": "t", "url": URL, field: (name,) if field == "key" else name}
    with pytest.raises(ConfigError):
        install(msgspec.convert(values, Trigger))


@pytest.mark.parametrize("url", ["https://a.example\n/x", "https://a.example/ x", "ftp://a.example", "https://"])
def test_no_address_is_more_than_an_address(url: str) -> None:
    with pytest.raises(ConfigError, match="no http"):
        install(Trigger(table="t", url=url))
