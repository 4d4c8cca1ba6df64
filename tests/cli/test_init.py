"""`init`: what it writes is what `serve` takes, secret, fresh, and never over what is there."""

import base64
import os
import select
import stat
from pathlib import Path

import pytest

from hookbridge.config import Settings
from hookbridge.settings import load
from tests.support.commands import Ran, command, lasting
from tests.support.terminals import on_terminal
from tests.support.waiting import wait_until

GIVEN = {
    "SUPABASE_URL": "https://abc.supabase.co/",
    "SUPABASE_KEY": "sb_secret_'a\"b#c\\\\d$e\\",
    "NOTION_TOKEN": "ntn_123",
}


def loaded(folder: Path) -> Settings:
    return load(None, {}, folder)


async def written(folder: Path, *words: str, **environ: str) -> Ran:
    ran = await command(folder, "init", *words, stdin=b"", **environ)
    assert ran.code == 0, ran
    return ran


async def test_without_a_terminal_it_asks_nothing_and_the_files_load(tmp_path: Path) -> None:
    ran = await written(tmp_path)
    settings = loaded(tmp_path)
    assert settings.config.signatures.verify
    assert settings.secrets.supabase_key == settings.secrets.notion_token == ""
    assert "written: config.toml" in ran.out
    assert "python -m hookbridge check" in ran.out


async def test_the_secrets_are_fresh_long_and_not_printed(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ran = await written(tmp_path / name)
        secrets = loaded(tmp_path / name).secrets
        (webhook,) = secrets.webhook_secrets
        assert len(base64.b64decode(webhook.removeprefix("whsec_"), validate=True)) == 32
        assert len(secrets.admin_token) >= 43
        assert webhook not in ran.out
        assert secrets.admin_token not in ran.out
        found += [webhook, secrets.admin_token]
    assert len(set(found)) == 4


async def test_only_its_owner_can_read_the_secrets(tmp_path: Path) -> None:
    await written(tmp_path)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "config.toml").stat().st_mode) == 0o644


@pytest.mark.parametrize("way", ["options", "variables"])
async def test_what_is_given_arrives_character_for_character(tmp_path: Path, way: str) -> None:
    if way == "options":
        await written(tmp_path, *(f"--{name.lower().replace('_', '-')}={value}" for name, value in GIVEN.items()))
    else:
        await written(tmp_path, **GIVEN)
    secrets = loaded(tmp_path).secrets
    assert (secrets.supabase_url, secrets.supabase_key) == ("https://abc.supabase.co", GIVEN["SUPABASE_KEY"])
    assert secrets.notion_token == GIVEN["NOTION_TOKEN"]


async def test_a_line_that_was_left_empty_is_filled_in_as_it_stands(tmp_path: Path) -> None:
    await written(tmp_path)
    file = tmp_path / ".env"
    given = {"SUPABASE_URL": "https://abc.supabase.co", "SUPABASE_KEY": "sb_secret_x", "NOTION_TOKEN": "ntn_123"}
    text = file.read_text()
    for name, value in given.items():
        text = text.replace(f"{name}=\n", f"{name}={value}\n")
    file.write_text(text)
    secrets = loaded(tmp_path).secrets
    assert [secrets.supabase_url, secrets.supabase_key, secrets.notion_token] == list(given.values())


async def test_tables_and_databases_are_followed(tmp_path: Path) -> None:
    database = "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d"
    await written(tmp_path, "--table", "users", "--table", 'shop.so "quoted"', "--database", database)
    config = loaded(tmp_path).config
    assert [(one.schema, one.name) for one in config.supabase.tables] == [("public", "users"), ("shop", 'so "quoted"')]
    assert [one.id for one in config.notion.databases] == [database]


async def test_changes_are_fetched_where_that_is_asked_for(tmp_path: Path) -> None:
    ran = await written(tmp_path, "--table", "users", "--table", "shop.so many", "--pull")
    assert [one.pull for one in loaded(tmp_path).config.supabase.tables] == [True, True]
    assert "trigger-sql --table users --pull" in ran.out
    assert "trigger-sql --table 'shop.so many' --pull" in ran.out
    sql, _, after = ran.out.partition("written: config.toml")
    made = [
        (await command(tmp_path, "trigger-sql", "--table", name, "--pull")).out for name in ("users", "shop.so many")
    ]
    assert sql == "\n".join(made) + "\n"
    assert "the SQL above" in after
    ran = await written(tmp_path, "--table", "users", "--force", **GIVEN)
    assert [one.pull for one in loaded(tmp_path).config.supabase.tables] == [False]
    assert "trigger-sql --table users --url" in ran.out


@pytest.mark.parametrize(("answer", "lines"), [("", 1), ("y", 1), ("n", 0), ("No", 0)])
def test_who_has_a_url_is_asked_whether_changes_are_fetched(tmp_path: Path, answer: str, lines: int) -> None:
    terminal = Terminal(tmp_path, "--table", "users")
    questions = ((b"URL", GIVEN["SUPABASE_URL"]), (b"key", "sb_secret_x"), (b"token", ""), (b"Fetch", answer))
    for question, given in questions:
        terminal.answer(question, given + "\n")
    assert terminal.ended() == 0
    assert [one.pull for one in loaded(tmp_path).config.supabase.tables] == [lines == 1]


@pytest.mark.parametrize("words", [("--content",), ()])
async def test_the_bodies_of_pages_are_copied_where_that_is_asked_for(tmp_path: Path, words: tuple[str, ...]) -> None:
    await written(tmp_path, "--database", "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d", *words)
    assert [one.content for one in loaded(tmp_path).config.notion.databases] == [bool(words)]


async def test_the_examples_in_the_file_are_right_once_they_are_uncommented(tmp_path: Path) -> None:
    await written(tmp_path)
    file = tmp_path / "config.toml"
    head, mark, blocks = file.read_text().partition("# [[supabase.tables]]")
    file.write_text(head + "".join(line.removeprefix("# ") for line in (mark + blocks).splitlines(keepends=True)))
    config = loaded(tmp_path).config
    assert config.supabase.tables[0].changed_at == "updated_at"
    assert len(config.notion.databases) == 1


async def test_what_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 9123\n")
    ran = await written(tmp_path)
    assert "kept, because it exists: config.toml" in ran.out
    assert loaded(tmp_path).config.server.port == 9123
    before = (tmp_path / ".env").read_text()
    again = await command(tmp_path, "init")
    assert (again.code, (tmp_path / ".env").read_text()) == (1, before)
    assert "--force" in again.out


async def test_force_replaces_both(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 9123\n")
    await written(tmp_path)
    before = loaded(tmp_path).secrets
    await written(tmp_path, "--force")
    assert loaded(tmp_path).config.server.port == 8080
    assert loaded(tmp_path).secrets != before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--supabase-url", "abc", "--supabase-key", "k"), "SUPABASE_URL: expected an http or https URL"),
        (("--supabase-url", "https://abc.supabase.co"), "SUPABASE_KEY: missing"),
        (("--notion-token", "two words"), "NOTION_TOKEN: expected printable ASCII"),
        (("--table", "users", "--table", "public.users"), "public.users is listed twice"),
        (("--table", "x" * 64, "--pull"), "is no name in Postgres"),
        (("--table", ""), "name: expected a text that is not empty"),
    ],
)
async def test_what_serve_would_refuse_is_not_written(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ran = await command(tmp_path, "init", *words)
    assert ran.code == 2
    assert said in ran.err
    assert not any((tmp_path / name).exists() for name in ("config.toml", ".env"))


async def test_a_folder_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = await command(tmp_path, "init", "--config", "file/config.toml")
    assert (ran.code, "try: " in ran.err) == (2, True)


async def test_json_names_the_files_and_the_next_steps(tmp_path: Path) -> None:
    ran = await written(tmp_path, "--json", "--config", "mine/my.toml")
    (said,) = ran.lines
    assert (said["written"], said["kept"], said["sql"]) == (["mine/my.toml", "mine/.env"], [], "")
    assert said["next"][1].startswith("python -m hookbridge --config mine/my.toml check")


async def test_json_has_the_sql_that_keeps_changes(tmp_path: Path) -> None:
    (said,) = (await written(tmp_path, "--json", "--table", "users", "--pull")).lines
    assert said["sql"] == (await command(tmp_path, "trigger-sql", "--table", "users", "--pull")).out


async def test_serve_starts_with_what_was_written(tmp_path: Path) -> None:
    await written(tmp_path, "--table", "users")
    async with lasting(tmp_path, "serve", "--port", "0", HOOKBRIDGE_ADMIN_TOKEN="") as service:
        await wait_until(lambda: any("127.0.0.1" in line for line in service.lines + service.errors))
        assert not service.is_over


class Terminal:
    """`init` on a terminal, question by question."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.shown = b""
        self.pid, self._terminal = on_terminal(folder, "init", *options)

    def answer(self, question: bytes, answer: str) -> None:
        # What is typed before the last blank is thrown away: then the terminal still echoes.
        while not (question in self.shown.rpartition(b"\n")[2] and self.shown.endswith(b": ")):
            self.shown += os.read(self._terminal, 1000)
        os.write(self._terminal, answer.encode())

    def read_until(self, text: bytes) -> None:
        while text not in self.shown:
            self.shown += os.read(self._terminal, 1000)

    def interrupted(self) -> int:
        """Press Ctrl-C until it ends: Python does not see one that comes just before it waits for a line."""
        while b"Stopped" not in self.shown:
            os.write(self._terminal, b"\x03")
            while select.select([self._terminal], [], [], 0.2)[0] and b"Stopped" not in self.shown:
                self.shown += os.read(self._terminal, 1000)
        return self.ended()

    def ended(self) -> int:
        """Read to its end; gives the exit code."""
        while True:
            try:
                self.shown += os.read(self._terminal, 1000)
            except OSError:  # that is how a terminal ends
                break
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_on_a_terminal_it_asks_and_shows_no_secret(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    for question, answer in ((b"URL", GIVEN["SUPABASE_URL"]), (b"key", "sb_secret_x"), (b"token", ""), (b"Fetch", "")):
        terminal.answer(question, answer + "\n")
    assert terminal.ended() == 0
    secrets = loaded(tmp_path).secrets
    assert (secrets.supabase_key, secrets.notion_token) == ("sb_secret_x", "")
    assert b"sb_secret_x" not in terminal.shown


@pytest.mark.parametrize(("answer", "lines"), [("y", 1), ("Yes", 1), ("n", 0), ("", 0)])
def test_who_has_a_token_is_asked_for_the_text_of_pages(tmp_path: Path, answer: str, lines: int) -> None:
    terminal = Terminal(tmp_path)
    for question, given in ((b"URL", ""), (b"token", "ntn_1"), (b"text of pages", answer)):
        terminal.answer(question, given + "\n")
    assert terminal.ended() == 0
    for cost in (b"one more request for each changed page", b"N/3 seconds", b"(Enter: n)"):
        assert cost in terminal.shown
    assert (tmp_path / "config.toml").read_text().count("content = true") == lines


def test_who_follows_a_database_and_says_yes_has_its_text(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "--database", "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d")
    for question, given in ((b"URL", ""), (b"token", "ntn_1"), (b"text of pages", "y")):
        terminal.answer(question, given + "\n")
    assert terminal.ended() == 0
    assert [one.content for one in loaded(tmp_path).config.notion.databases] == [True]


def test_who_has_no_token_is_not_asked_for_the_text_of_pages(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    for question in (b"URL", b"token"):
        terminal.answer(question, "\n")
    assert terminal.ended() == 0
    assert b"text of" not in terminal.shown


async def test_the_help_says_what_the_text_of_pages_costs(tmp_path: Path) -> None:
    said = " ".join((await command(tmp_path, "init", "--help")).out.replace("│", " ").split())
    assert "one more request for each changed page; a first load of N takes N/3 s" in said


def test_a_url_that_is_none_is_asked_for_again_at_once(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.answer(b"URL", "abc\n")
    terminal.read_until(b"This is no http or https URL")
    for question, answer in (
        (b"URL", "https://abc.supabase.co"),
        (b"key", "sb_secret_x"),
        (b"token", ""),
        (b"Fetch", ""),
    ):
        terminal.answer(question, answer + "\n")
    assert terminal.ended() == 0
    assert loaded(tmp_path).secrets.supabase_url == "https://abc.supabase.co"


def test_ctrl_c_writes_nothing_and_says_so(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.answer(b"URL", "")
    assert terminal.interrupted() == 130
    assert b"Stopped: nothing is written" in terminal.shown
    assert list(tmp_path.iterdir()) == []


async def test_what_a_kept_file_lacks_is_shown_for_pasting(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    ran = await written(tmp_path, "--table", "users")
    shown = ran.out.partition("put this into config.toml:\n")[2].partition("Next:")[0]
    assert 'name = "users"' in shown
    (tmp_path / "config.toml").write_text(shown)
    assert [one.name for one in loaded(tmp_path).config.supabase.tables] == ["users"]


async def test_credentials_that_a_kept_file_cannot_take_are_named(tmp_path: Path) -> None:
    await written(tmp_path)
    ran = await command(tmp_path, "init", "--notion-token", "ntn_later")
    assert ran.code == 1
    assert "put NOTION_TOKEN into .env yourself" in ran.out
    assert "ntn_later" not in ran.out


async def test_in_a_checkout_the_next_steps_begin_with_its_script(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "run").touch()
    ran = await written(tmp_path, "--json")
    assert all(step.startswith("./scripts/run") for step in ran.lines[0]["next"])
