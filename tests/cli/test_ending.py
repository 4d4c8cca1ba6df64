"""How commands end: the two lines and the exit code of whatever a user can cause, wherever it comes from."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from hookbridge.cli.main import app
from tests.cli.test_documents import COMMANDS, options
from tests.support.commands import command, environment

NOBODY = "http://127.0.0.1:9"
ARGUMENTS = {
    "backup": ("copy.db",),
    "events show": ("1",),
    "events replay": ("1",),
    "events dismiss": ("1",),
    "records search": ("ada",),
    "records show": ("supabase", "users", "1"),
    "records diff": ("supabase", "users", "1"),
    "records verify": ("supabase", "users", "1"),
    "send": ("supabase",),
    "pause": ("supabase",),
    "resume": ("supabase",),
    "destinations pause": ("search",),
    "destinations resume": ("search",),
    "destinations rewind": ("search", "--to", "now"),
    "destinations test": ("search",),
    "destinations rejected": ("search",),
    "destinations replay": ("search",),
    "destinations dismiss": ("search", "1"),
    "poll": ("--to", NOBODY),
    "trigger-sql": ("--table", "users"),
}


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def run(folder: Path, line: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """A command as a shell runs it, with the redirections of a shell."""
    return subprocess.run(
        ["bash", "-c", f"{sys.executable} -m hookbridge {line}"],
        cwd=folder,
        env=environment(environ),
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("sreve",), "No such command 'sreve'", ""),
        (("events",), "Missing command", " events"),
        (("events", "lst"), "No such command 'lst'", " events"),
        (("events", "list", "--prot"), "No such option: --prot", " events list"),
        (("events", "list", "--limit", "x"), "Invalid value for '--limit'", " events list"),
        (("events", "list", "--limit"), "Option '--limit' requires an argument", " events list"),
        (("pause",), "Missing argument 'source'", " pause"),
        (("pause", "postgres"), "Invalid value for 'source'", " pause"),
        (("verify", "--source", "postgres"), "Invalid value for '--source'", " verify"),
        (("reconcile", "--source", "postgres"), "Invalid value for '--source'", " reconcile"),
        (("records", "show", "supabase", "users", ".."), "the record's id cannot be '..'", " records show"),
        (("records", "diff", "supabase", "", "1"), "the table cannot be ''", " records diff"),
        (("verify", "--table", "users"), "--table: needs --source", " verify"),
        (("reconcile", "--sweep"), "--sweep: only together with --table", " reconcile"),
        (("reconcile", "--source", "notion"), "--source: only together with --table", " reconcile"),
        (("reconcile", "--table", "users"), "--table: needs --source", " reconcile"),
        (("stats", "--every", "3"), "--every: only with --watch", " stats"),
        (("send", "supabase", "--rate", "3"), "--rate: only with --count", " send"),
        (("send", "supabase", "--body", "x", "--type", "delete"), "--type: it stands in --body already", " send"),
        (("sign", "--id", "a\nX: y"), "--id: 'a\\nX: y' is no id", None),
        (("sign", "--id", ""), "--id: '' is no id", None),
        (("sign", "--notion"), "NOTION_WEBHOOK_SECRET: not set", None),
        (("sign", "--notion", "--id", "x"), "--id: Notion's signature has none", " sign"),
        (("trigger-sql", "--table", "users", "--uninstall", "--outbox"), "--outbox: nothing of it", " trigger-sql"),
        (("events", "list", "--text", "\udcff"), "the argument '\\udcff' is not UTF-8", " events list"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_two_lines(
    words: tuple[str, ...], error: str, hint: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOOKBRIDGE_URL", NOBODY)
    ran = typed(*words)
    said, tried = ran.stderr.splitlines()
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said.startswith(f"error: {error}")
    if hint is None:
        assert tried.startswith("try: ")
    else:
        assert tried == f"try: python -m hookbridge{hint} --help"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_before_a_command_counts_as_one_after_it_or_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*name.split(), *ARGUMENTS.get(name, ()))
    for option, value in (("--config", "absent.toml"), ("--host", "203.0.113.1"), ("--port", "9")):
        if option in options(name) and (option != "--config" or name in {"check", "init", "trigger-sql"}):
            continue  # it would do what it says
        before = typed(option, value, *words)
        if option not in options(name):
            first = name.split(maxsplit=1)[0]
            assert before.stderr.splitlines()[0] == f"error: {option}: {first} does not take it"
            assert before.exit_code == 2
        else:
            assert before.stderr.startswith("error: absent.toml: there is no such file")
            assert typed(*words, option, value).stderr == before.stderr


DOING = {"serve", "demo", "init"}
"""They would do what they are asked for."""


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - DOING))
def test_json_may_be_asked_for_before_the_command(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOOKBRIDGE_URL", NOBODY)
    words = (*name.split(), *ARGUMENTS.get(name, ()))
    before = typed("--json", *words)
    if "--json" in options(name):
        after = typed(*words, "--json")
        assert (before.exit_code, before.stderr) == (after.exit_code, after.stderr)
        assert "does not take it" not in before.stderr
    else:
        assert before.stderr.splitlines()[0] == f"error: --json: {name.split(maxsplit=1)[0]} does not take it"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_how_the_command_ends(name: str) -> None:
    assert "Exit codes:" in str(COMMANDS[name].epilog)


def test_the_help_of_a_group_has_examples() -> None:
    for group in app.registered_groups:
        assert group.typer_instance is not None
        command = typer.main.get_command(group.typer_instance)
        assert "Examples:" in str(command.epilog)


# Output that goes nowhere.


@pytest.mark.parametrize("line", ["trigger-sql --table users", "--help", "--version", "sign --help"])
def test_output_that_cannot_be_written_is_two_lines(tmp_path: Path, line: str) -> None:
    ran = run(tmp_path, f"{line} > /dev/full")
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"error: the output cannot be written: No space left on device\ntry: ")
    assert b"Traceback" not in ran.stderr


def test_an_output_that_is_closed_is_two_lines(tmp_path: Path) -> None:
    ran = run(tmp_path, "trigger-sql --table users >&-")
    assert (ran.returncode, ran.stderr.splitlines()[0]) == (2, b"error: the standard output is closed")
    assert run(tmp_path, "events nope 2>&-").returncode == 2
    assert run(tmp_path, "sign <&-", WEBHOOK_SECRET="a plain and long secret").returncode == 0


def test_a_reader_who_has_seen_enough_is_no_failure_of_ours(tmp_path: Path) -> None:
    for line in ("trigger-sql --table users", "check --json"):
        # The reader is gone before anything is written.
        ran = run(tmp_path, f"{line} | true; exit ${{PIPESTATUS[0]}}")
        assert (ran.returncode, ran.stderr) == (141, b"")


def test_an_encoding_that_lacks_a_character_does_not_end_a_command(tmp_path: Path) -> None:
    words = "trigger-sql --table 'tĳd'"
    ran = run(tmp_path, words, PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert b"t\\u0133d" in ran.stdout
    ran = run(tmp_path, f"{words} --json", PYTHONIOENCODING="ascii")
    assert "tĳd" in ran.stdout.decode()


@pytest.mark.parametrize("name", ["events list", "sign"])
def test_an_argument_that_is_not_utf8_is_named(tmp_path: Path, name: str) -> None:
    ran = run(tmp_path, f"{name} --id $'\\xff'")
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"error: the argument '\\udcff' is not UTF-8\ntry: ")


def test_a_python_without_the_packages_is_two_lines(tmp_path: Path) -> None:
    # -S leaves out what is installed.
    ran = subprocess.run(
        [sys.executable, "-S", "-m", "hookbridge", "stats"],
        cwd=tmp_path,
        env=environment({}),
        capture_output=True,
        timeout=60,
        check=False,
    )
    error, hint = ran.stderr.decode().splitlines()
    assert ran.returncode == 2
    assert error.startswith("error: typer is not installed for ")
    assert hint == "try: ./scripts/run stats"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("trigger-sql --table users --url nowhere", "./scripts/run trigger-sql --help"),
        ("check --url http://127.0.0.1:9", "./scripts/run, or name it with --url"),
    ],
)
async def test_what_is_said_below_the_commands_names_them_as_they_are_called(
    tmp_path: Path, line: str, hint: str
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "run").touch()
    ran = await command(tmp_path, *line.split())
    assert hint in ran.out + ran.err
    assert "python -m hookbridge" not in ran.out + ran.err
