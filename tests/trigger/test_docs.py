"""docs/supabase.md holds: its SQL runs, its options are the command's, its secret is one, its settings are read."""

import re
import subprocess
import sys
from pathlib import Path

import typer.main

from hookbridge.cli.main import app
from hookbridge.config import Settings
from hookbridge.settings import load
from tests.support.processes import REPOSITORY
from tests.support.project import Project

TEXT = (REPOSITORY / "docs" / "supabase.md").read_text()
URL = "https://hooks.example.com"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


async def test_every_statement_runs_in_a_project(project: Project) -> None:
    await project.sql.execute("create table orders (id int)")
    await project.pull("orders")
    await project.install(URL, outbox=True)
    await project.sql.execute("alter table users add column updated_at timestamptz")  # the page's changed_at
    statements = _blocks("sql") + re.findall(r"`(select [^`]*;)`", TEXT)
    assert len(statements) == 10
    try:
        for statement in statements:
            await project.sql.execute(statement)
    finally:
        await project.sql.execute("drop owned by hookbridge_taker; drop role hookbridge_taker")
    assert await project.sql.fetchval("select hookbridge_webhooks.secret()") == "the new secret"


def test_the_options_are_those_of_the_command() -> None:
    command = typer.main.get_group(app).commands["trigger-sql"]
    options = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"^\| `(--[a-z-]+)` \|", TEXT, re.MULTILINE)) == options


def test_the_settings_it_shows_are_settings_with_a_secret_made_as_it_says(tmp_path: Path) -> None:
    (made,) = re.findall(r"`python3 -c '([^`]*)'`", TEXT)
    secret = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True).stdout.strip()
    (shown,) = (block for block in _blocks("sh") if "WEBHOOK_SECRET" in block)
    table, dashboard = _blocks("toml")

    def settings(written: str, webhook_secret: str) -> Settings:
        (tmp_path / "config.toml").write_text(written)
        (tmp_path / ".env").write_text(shown.replace("whsec_…", webhook_secret).replace("sb_secret_…", "sb_secret_x"))
        return load(None, {}, tmp_path)

    signing = settings(table, secret)
    assert signing.secrets.webhook_secrets == (secret,)
    assert signing.config.signatures.verify
    assert signing.config.supabase.tables[0].changed_at == "updated_at"
    assert settings(table + dashboard, "not in standard form").config.signatures.static_token
