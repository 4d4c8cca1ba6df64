"""``store-sql``: prints the SQL that makes room for hookbridge in a Postgres: a role, a schema, and no rights beyond.

It prints and does nothing else.  The SQL goes to stdout and has no password in it; the line for ``.env``, which has,
goes to stderr.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hookbridge.cli.command import JsonOption, note, print_json, refuse_ignored
from hookbridge.store import guest

EPILOG = """
Examples:

  ./scripts/run store-sql --database-url postgresql://me@db.example.com/app

  ./scripts/run store-sql | psql postgresql://postgres@db.example.com/app

  ./scripts/run store-sql --uninstall

The SQL has no password in it. The line for .env is printed beside it, on stderr, with the password that was drawn.

Exit codes: 0 printed, 2 an address cannot be.
"""

VARIABLE = "HOOKBRIDGE_STORE__URL"

DatabaseUrlOption = Annotated[
    str,
    typer.Option("--database-url", help="Where the database is, as its dashboard shows it; no password is needed."),
]
UninstallOption = Annotated[bool, typer.Option("--uninstall", help="Print the SQL that removes role, schema and data.")]


def store_sql(
    database_url: DatabaseUrlOption = "", uninstall: UninstallOption = False, as_json: JsonOption = False
) -> None:
    """Print SQL for Supabase's editor: the role and the schema of a store that several nodes share."""
    if uninstall:
        refuse_ignored({"--database-url": database_url}, "nothing of it is needed to remove a role")
        _print({"sql": guest.uninstall()}, as_json=as_json)
        return
    setup = guest.install(database_url or guest.PLACEHOLDER_URL)
    _print({"sql": setup.sql, "url": setup.url}, as_json=as_json)
    if not as_json:
        note(f"{VARIABLE}={setup.url}")
        where = "" if database_url else ", with the database's address in place of HOST"
        note(f"This line goes into .env{where}: it has the password of the role, once it was made by this SQL.")


def _print(made: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        sys.stdout.write(made["sql"])
