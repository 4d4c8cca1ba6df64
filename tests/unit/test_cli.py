"""The command line up to the point where the service runs: options, help, and errors as two plain lines."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookbridge import __version__
from hookbridge.web.server import remedy

OURS = ("HOOKBRIDGE_", "SUPABASE_", "NOTION_", "WEBHOOK_", "VERIFY_", "REDIS_")


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m hookbridge` as a user runs it, in that folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(
        [sys.executable, "-m", "hookbridge", *arguments],
        cwd=folder,
        env={**inherited, "COLUMNS": "120", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def errors(process: subprocess.CompletedProcess[str]) -> list[str]:
    """What it said when it could not start: nothing but `error:` lines and one `try:` line."""
    assert process.returncode == 2, process.stderr
    assert process.stdout == ""
    *said, hint = process.stderr.splitlines()
    assert hint.startswith("try: ")
    assert all(line.startswith("error: ") for line in said), process.stderr
    return [line.removeprefix("error: ") for line in said]


def test_what_is_installed_as_a_command_is_the_same_program(tmp_path: Path) -> None:
    installed = subprocess.run(
        [Path(sys.executable).with_name("hookbridge"), "--version"], capture_output=True, text=True, check=False
    )
    assert (installed.returncode, installed.stderr) == (0, "")
    assert installed.stdout == run(tmp_path, "--version").stdout


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_help_teaches_with_examples(tmp_path: Path) -> None:
    process = run(tmp_path, "--help")
    assert process.returncode == 0
    for words in ("--config", "--host", "--port", "--version", "serve", "./scripts/run --port 9000"):
        assert words in process.stdout


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout == f"hookbridge {__version__}\n"


@pytest.mark.parametrize("arguments", [["--port", "x"], ["--port", "70000"], ["--prot", "1"], ["sreve"]])
def test_a_wrong_option_ends_with_2_and_no_stack_trace(tmp_path: Path, arguments: list[str]) -> None:
    process = run(tmp_path, *arguments)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert arguments[0] in process.stderr


def test_verification_without_a_secret_does_not_start(tmp_path: Path) -> None:
    (said,) = errors(run(tmp_path, VERIFY_WEBHOOK_SIGNATURES="true"))
    assert said.startswith("VERIFY_WEBHOOK_SIGNATURES: on, but there is no secret to verify with; set WEBHOOK_SECRET")


def test_every_mistake_in_the_settings_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[server]\nport = "abc"\nprot = 1')
    assert errors(run(tmp_path, SUPABASE_KEY="sb_secret_planted")) == [
        'config.toml: [server] port: expected an integer from 0 to 65535, got "abc"',
        "config.toml: [server] prot: unknown key (did you mean port?)",
        "SUPABASE_URL: missing; the project's URL and a secret key are needed together",
    ]


@pytest.mark.parametrize("arguments", [["--config", "other.toml"], ["serve", "--config", "other.toml"]])
def test_a_file_that_is_missing_is_named(tmp_path: Path, arguments: list[str]) -> None:
    assert errors(run(tmp_path, *arguments)) == ["other.toml: there is no such file"]


@pytest.mark.parametrize("place", ["alone", "before", "after"])
def test_a_port_in_use_is_one_line_wherever_the_option_stands(tmp_path: Path, taken: int, place: str) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 1")
    option = ["--port", str(taken)]
    arguments = {"alone": option, "before": [*option, "serve"], "after": ["serve", *option]}[place]
    (said,) = errors(run(tmp_path, *arguments, HOOKBRIDGE_SERVER__PORT="2"))
    assert said.startswith(f"Cannot listen on 127.0.0.1 port {taken}: ")
    assert not (tmp_path / "data").exists()


def test_the_option_for_the_host_wins(tmp_path: Path) -> None:
    # 203.0.113.0/24 is for documentation: nobody's machine has it.
    (said,) = errors(run(tmp_path, "--host", "203.0.113.1", "--port", "0", HOOKBRIDGE_SERVER__HOST="127.0.0.1"))
    assert said.startswith("Cannot listen on 203.0.113.1 port 0: ")


@pytest.mark.parametrize(
    ("error", "port", "said"),
    [
        (OSError(errno.EADDRINUSE, ""), 8080, "stop what uses the port"),
        (OSError(errno.EACCES, ""), 80, "this user may not listen on a port below 1024"),
        (PermissionError(errno.EPERM, ""), 8080, "this user may not listen on port 8080"),
        (OSError(errno.EADDRNOTAVAIL, ""), 8080, "name an address of this machine"),
        (OSError(errno.EAFNOSUPPORT, ""), 8080, "name an address of this machine"),
        (socket.gaierror(socket.EAI_NONAME, ""), 8080, "name an address of this machine"),
    ],
)
def test_each_reason_why_a_port_cannot_be_had_has_its_own_remedy(error: OSError, port: int, said: str) -> None:
    assert remedy(error, port).startswith(said)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.1"])
def test_a_host_that_is_not_this_machine_is_not_called_in_use(tmp_path: Path, host: str) -> None:
    ran = run(tmp_path, "--host", host, "--port", "0")
    assert ran.stderr.splitlines()[-1].startswith("try: name an address of this machine with --host")


def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (said,) = errors(run(tmp_path, "--port", "0", HOOKBRIDGE_STORE__PATH="file/hookbridge.db"))
    assert str(tmp_path / "file") in said


def test_a_handlers_module_that_fails_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("\nraise ValueError('broken')\n")
    (said,) = errors(run(tmp_path, "--port", "0", HOOKBRIDGE_HANDLERS__MODULE="mine"))
    assert said == "The handlers' module mine could not be imported: ValueError: broken (mine.py, line 2)"


@pytest.mark.parametrize("leaving", ["KeyboardInterrupt", "SystemExit"])
def test_a_handlers_module_that_would_end_the_process_is_one_line(tmp_path: Path, leaving: str) -> None:
    (tmp_path / "mine.py").write_text(f"raise {leaving}")
    (said,) = errors(run(tmp_path, "--port", "0", HOOKBRIDGE_HANDLERS__MODULE="mine"))
    assert said == f"The handlers' module mine could not be imported: {leaving} (mine.py, line 1)"
