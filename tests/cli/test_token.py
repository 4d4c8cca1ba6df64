"""`token`: wherever the admin token stands, its place and the dashboard's link are one command away."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from hookbridge.cli.main import app
from tests.support.commands import command, lasting
from tests.support.terminals import on_terminal
from tests.support.waiting import wait_until

TOKEN = "a-token-that-nobody-else-has"


def shown_on_a_terminal(folder: Path, *words: str, **environ: str) -> str:
    """What a command shows on a terminal, until it ends."""
    pid, terminal = on_terminal(folder, *words, environ=environ)
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 1000)
        except OSError:  # that is how a terminal ends
            break
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    return shown.decode()


@pytest.mark.parametrize("place", ["environment", "file named there", ".env", "data folder"])
def test_the_token_is_found_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(tmp_path)
    environ: dict[str, str | None] = {"HOOKBRIDGE_ADMIN_TOKEN": None}
    if place == "environment":
        environ, said = {"HOOKBRIDGE_ADMIN_TOKEN": TOKEN}, "HOOKBRIDGE_ADMIN_TOKEN in the environment"
    elif place == "file named there":
        (tmp_path / "secret").write_text(TOKEN)
        environ["HOOKBRIDGE_ADMIN_TOKEN_FILE"] = "secret"
        said = "HOOKBRIDGE_ADMIN_TOKEN_FILE in the environment"
    elif place == ".env":
        (tmp_path / ".env").write_text(f"HOOKBRIDGE_ADMIN_TOKEN={TOKEN}\n")
        said = f"HOOKBRIDGE_ADMIN_TOKEN in {tmp_path / '.env'}"
    else:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "admin-token").write_text(TOKEN + "\n")
        said = str(tmp_path / "data" / "admin-token")
    ran = CliRunner().invoke(app, ["token", "--show", "--json"], env=environ)
    link = f"http://127.0.0.1:8080/#token={TOKEN}"
    assert msgspec.json.decode(ran.stdout) == {"place": said, "dashboard": link, "token": TOKEN}
    ran = CliRunner().invoke(app, ["token"], env=environ)
    assert (ran.exit_code, TOKEN in ran.output) == (0, False)
    assert said in ran.stdout
    assert "http://127.0.0.1:8080/\n" in ran.stdout


def test_on_a_terminal_the_link_carries_the_token(tmp_path: Path) -> None:
    shown = shown_on_a_terminal(tmp_path, "token", HOOKBRIDGE_ADMIN_TOKEN=TOKEN)
    assert f"http://127.0.0.1:8080/#token={TOKEN}" in shown


async def test_the_link_leads_to_the_service_that_was_named(tmp_path: Path) -> None:
    ran = await command(tmp_path, "token", "--show", "--url", "https://hooks.example.com")
    assert "https://hooks.example.com/#token=" in ran.out


async def test_before_the_first_start_it_says_how_a_token_comes_to_be(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "run").touch()
    ran = await command(tmp_path, "token", HOOKBRIDGE_ADMIN_TOKEN="")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: There is no admin token yet")
    assert ran.err.splitlines()[-1] == "try: ./scripts/run, which makes it at the first start"


def test_on_a_terminal_serve_shows_the_dashboard_and_no_token(tmp_path: Path) -> None:
    pid, terminal = on_terminal(tmp_path, "--port", "0", environ={"HOOKBRIDGE_ADMIN_TOKEN": TOKEN})
    shown = b""
    while b"The dashboard: http://127.0.0.1:" not in shown or b"token` gives" not in shown:
        shown += os.read(terminal, 1000)
    os.kill(pid, 2)
    while True:
        try:
            shown += os.read(terminal, 1000)
        except OSError:
            break
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    assert TOKEN.encode() not in shown


async def test_that_a_token_was_generated_is_said_at_the_start_that_did_it(tmp_path: Path) -> None:
    said = "The admin token was generated"
    for given, told in (("", True), ("", False), (TOKEN, False)):
        async with lasting(tmp_path, "--port", "0", "--json", HOOKBRIDGE_ADMIN_TOKEN=given) as service:
            await wait_until(lambda: any("Listening" in line for line in service.lines))
            service.terminate()
            assert await service.ended() == 0
        assert any(said in line for line in service.lines) is told


@pytest.mark.parametrize(
    "words", [("serve", "--port", "0", "--json"), ("--port", "0", "--json"), ("--json", "serve", "--port", "0")]
)
async def test_into_a_pipe_or_as_json_serve_writes_nothing_but_its_log(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with lasting(tmp_path, *words, HOOKBRIDGE_LOGGING__FORMAT="console") as service:
        await wait_until(lambda: any('"event":"Listening"' in line.replace(": ", ":") for line in service.lines))
        assert all(line.startswith("{") for line in service.lines)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("short", "has 5 bytes and can be guessed"),
        ("a folder", "it is a folder"),
        ("a pipe", "it is no ordinary file"),
        ("a link to nothing", "No such file or directory"),
        ("no UTF-8", "is damaged"),
    ],
)
@pytest.mark.parametrize("words", [("serve",), ("token",)])
async def test_a_file_of_the_token_that_is_none_of_ours_ends_a_command(
    tmp_path: Path, what: str, said: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "admin-token"
    make: dict[str, Callable[[], object]] = {
        "short": lambda: file.write_text("abcde"),
        "a folder": file.mkdir,
        "a pipe": lambda: os.mkfifo(file),
        "a link to nothing": lambda: file.symlink_to(tmp_path / "nowhere"),
        "no UTF-8": lambda: file.write_bytes(b"\xff" * 40),
    }
    make[what]()
    ran = await command(tmp_path, *words, HOOKBRIDGE_SERVER__PORT="0", HOOKBRIDGE_ADMIN_TOKEN="")
    if (what, words) == ("a link to nothing", ("token",)):
        said = "There is no admin token yet"  # nothing there that could be read
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert "try: " in ran.err
