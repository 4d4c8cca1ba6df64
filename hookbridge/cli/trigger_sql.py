"""``trigger-sql``: prints the SQL that lets a Supabase table tell hookbridge of its changes.

It prints and does nothing else: no database is asked, no file is written.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hookbridge.errors import ConfigError

CANNOT = 2

EPILOG = """
Examples:

  python -m hookbridge trigger-sql --table users --url https://hooks.example.com

  python -m hookbridge trigger-sql --table order_lines --schema shop --key order_id,no --outbox

  python -m hookbridge trigger-sql --table users --uninstall
"""

TableOption = Annotated[str, typer.Option("--table", help="The table; letters count as they are written.")]
SchemaOption = Annotated[str | None, typer.Option("--schema", help="Its schema; without it public.")]
KeyOption = Annotated[
    list[str] | None,
    typer.Option("--key", help="The key columns, as in config.toml: with commas, or once for each. Without it id."),
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Where Supabase reaches hookbridge.")]
OutboxOption = Annotated[
    bool, typer.Option("--outbox", help="Keep each message in a table until hookbridge has answered; uses pg_cron.")
]
UninstallOption = Annotated[bool, typer.Option("--uninstall", help="Print the SQL that removes it instead.")]


def trigger_sql(
    table: TableOption,
    schema: SchemaOption = None,
    key: KeyOption = None,
    url: UrlOption = None,
    outbox: OutboxOption = False,
    uninstall: UninstallOption = False,
) -> None:
    """Print SQL for Supabase's editor: a trigger that sends every change of a table, signed."""
    from hookbridge.sources.supabase import payloads, trigger

    if schema is None:
        schema, table = payloads.split(payloads.table_name(table, None))
    try:
        if uninstall:
            text = trigger.uninstall(schema, table)
        else:
            wanted = trigger.Trigger(
                table=table,
                schema=schema,
                key=_columns(key or ["id"]),
                url=url or trigger.PLACEHOLDER_URL,
                outbox=outbox,
            )
            text = trigger.install(wanted)
    except ConfigError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        print(f"try: {error.hint}", file=sys.stderr)
        raise typer.Exit(CANNOT) from None
    print(text, end="")


def _columns(written: list[str]) -> tuple[str, ...]:
    """Take the columns one by one, or several in one value with commas."""
    return tuple(column.strip() for value in written for column in value.split(","))
