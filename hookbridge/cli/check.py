"""``check``: looks at everything that the service needs, and says of each thing what is wrong and what to do.

It changes nothing and stores nothing.  The checks themselves are ``hookbridge.doctor``.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from hookbridge.cli.api import address, named
from hookbridge.cli.command import ConfigOption, JsonOption, UrlOption, print_json, say, settings_of
from hookbridge.cli.ending import FINE, NO, as_called
from hookbridge.config import Settings
from hookbridge.errors import ConfigError, StartupError
from hookbridge.settings import admin_token
from hookbridge.settings.certificates import trusted

if TYPE_CHECKING:
    from hookbridge.doctor.finding import Finding  # the doctor knows the sources, which `--help` need not wait for

EPILOG = """
Examples:

  ./scripts/run check

  ./scripts/run check --database-url postgresql://postgres:…@db.example.com

  ./scripts/run check --json | jq 'select(.state == "failed")'

Looks at the settings, the data folder, the clock, both sources with every configured table and database, the running
service (a signed webhook to its test endpoint), the outbox that changes are taken from, and with a database URL at
pg_net and what it was answered. Nothing is changed. Each line says ok, warning, failed or skipped, with a remedy.

Exit codes: 0 nothing failed, 1 something failed, 2 wrong usage.
"""

DatabaseUrlOption = Annotated[
    str, typer.Option("--database-url", envvar="DATABASE_URL", help="Of the Supabase project's Postgres.")
]
PublishableKeyOption = Annotated[
    str,
    typer.Option(
        "--publishable-key",
        envvar="SUPABASE_PUBLISHABLE_KEY",
        help="Of the Supabase project: looks whether it may take changes, which it must not.",
    ),
]
DATABASE_VARIABLE = "DATABASE_URL"
STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def check(
    database_url: DatabaseUrlOption = "",
    publishable_key: PublishableKeyOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Say what is wrong with settings, sources and the running service, and what to do."""
    with asyncio.Runner() as runner:
        count = runner.run(_print(_findings(config, url, database_url, publishable_key), as_json=as_json))
    fine = not count["failed"]
    if as_json:
        print_json({"type": "result", "fine": fine, **{state: count[state] for state in STYLES}})
    else:
        say(", ".join(f"{count[state]} {state}" for state in STYLES), style="" if fine else STYLES["failed"])
    raise typer.Exit(FINE if fine else NO)


async def _findings(
    config: Path | None, url: str | None, database_url: str, publishable_key: str
) -> AsyncIterator[Finding]:
    from hookbridge.doctor import Examined, examine
    from hookbridge.doctor.finding import failed, skipped

    try:
        settings = settings_of(config)
    except ConfigError as error:
        for problem in error.problems:
            yield failed("config", problem, error.hint)
        yield skipped("everything else", "the settings have to be right first")
        return
    _quiet(settings)
    token = None
    try:
        trusted()
    except StartupError as error:
        yield failed("certificates", error.message, error.hint)
        yield skipped("everything else", "nothing can be asked without them")
        return
    try:
        token = admin_token.known(settings)
    except StartupError as error:
        yield failed("admin token", error.message, error.hint)
    what = Examined(
        settings=settings,
        server_url=named(url) or address(settings),
        server_expected=named(url) is not None,
        admin_token=token,
        database_url=database_url or settings.secrets.supabase_db_url or _from_dotenv(settings),
        publishable_key=publishable_key,
    )
    async for finding in examine(what):
        yield finding


async def _print(findings: AsyncIterator[Finding], *, as_json: bool) -> Counter[str]:
    count: Counter[str] = Counter()
    async for finding in findings:
        count[finding.state] += 1
        if as_json:
            print_json({"type": "check", **msgspec.to_builtins(finding)})
        else:
            remedy = f"; try: {finding.hint}" if finding.hint else ""
            say(
                f"{finding.state:<8} {finding.check}: {as_called(finding.message + remedy)}",
                style=STYLES[finding.state],
            )
    return count


def _quiet(settings: Settings) -> None:
    """Leave the output to the findings: what the service's parts log goes elsewhere."""
    from hookbridge.observe.logs import configure

    quiet = msgspec.structs.replace(settings.config.logging, level="error")
    configure(quiet, settings.secrets, stream=sys.stderr)


def _from_dotenv(settings: Settings) -> str:
    """Find the database's URL where the other secrets stand.  What is wrong with that file has been told by then."""
    from hookbridge.settings.environment import read_dotenv

    return read_dotenv(settings.folder / ".env", []).get(DATABASE_VARIABLE, "")
