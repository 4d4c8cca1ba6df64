"""``trigger-sql``: prints the SQL that lets a Supabase table tell hookbridge of its changes, or keep them for it.

It prints and does nothing else: no database is asked, no file is written.  The key columns of a table that config.toml
lists are taken from there, so that trigger and service name a record alike.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from hookbridge.cli.command import ConfigOption, JsonOption, note, print_json, refuse_ignored, settings_of
from hookbridge.errors import ConfigError
from hookbridge.names import SCHEMA, full_name, split

EPILOG = """
Examples:

  ./scripts/run trigger-sql --table users --pull

  ./scripts/run trigger-sql --table users --url https://hooks.example.com

  ./scripts/run trigger-sql --table order_lines --key order_id,no --outbox

  ./scripts/run trigger-sql --table users --uninstall

Exit codes: 0 printed, 2 a name or an address cannot be.
"""

TableOption = Annotated[str, typer.Option("--table", help="The table; letters count as they are written.")]
SchemaOption = Annotated[str | None, typer.Option("--schema", help="Its schema; without it public.")]
KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key", help="The key columns, with commas or once for each; without it as config.toml lists them, else id."
    ),
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Where Supabase reaches hookbridge.")]
OutboxOption = Annotated[
    bool, typer.Option("--outbox", help="Keep each message in a table until hookbridge has answered; uses pg_cron.")
]
PullOption = Annotated[
    bool, typer.Option("--pull", help="Send nothing: keep each message in a table until hookbridge has taken it.")
]
ApiSchemaOption = Annotated[
    str | None,
    typer.Option("--api-schema", help="With --pull: the Data API's schema for its two functions; without it public."),
]
TakeOverOption = Annotated[
    bool, typer.Option("--take-over", help="With --pull: let another store of hookbridge take than the one that does.")
]
UninstallOption = Annotated[bool, typer.Option("--uninstall", help="Print the SQL that removes it instead.")]


def trigger_sql(
    table: TableOption,
    schema: SchemaOption = None,
    key: KeyOption = None,
    url: UrlOption = None,
    outbox: OutboxOption = False,
    pull: PullOption = False,
    api_schema: ApiSchemaOption = None,
    take_over: TakeOverOption = False,
    uninstall: UninstallOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Print SQL for Supabase's editor: a trigger that sends each change of a table, signed, or keeps it to be taken."""
    from hookbridge.sources.supabase import trigger

    if schema is None:
        schema, table = split(full_name(table))
    of_pull = {"--api-schema": api_schema, "--take-over": take_over}
    if uninstall:
        ignored = {"--key": key, "--url": url, "--outbox": outbox, "--pull": pull, **of_pull}
        refuse_ignored(ignored, "nothing of it is needed to remove a trigger")
        _print(trigger.uninstall(schema, table), {"schema": schema, "name": table}, as_json=as_json)
        return
    if pull:
        refuse_ignored({"--url": url}, "with --pull nothing is sent")
    else:
        refuse_ignored(of_pull, "it belongs to --pull")
    made = trigger.Trigger(
        table=table,
        schema=schema,
        key=_columns(key) if key else _listed(config, schema, table) or ("id",),
        url=url or trigger.PLACEHOLDER_URL,
        outbox=outbox,
        pull=trigger.Pull(api_schema=api_schema or SCHEMA, take_over=take_over) if pull else None,
    )
    block: dict[str, object] = {"schema": schema, "name": table, "key": list(made.key)}
    if pull:
        block["pull"] = True
    _print(trigger.install(made), block, as_json=as_json)


def _print(sql: str, block: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json({"sql": sql, "config": {"supabase": {"tables": [block]}}})
    else:
        sys.stdout.write(sql)


def _columns(written: list[str]) -> tuple[str, ...]:
    """Take the columns one by one, or several in one value with commas."""
    return tuple(column.strip() for value in written for column in value.split(","))


def _listed(config: Path | None, schema: str, table: str) -> tuple[str, ...]:
    """Give the key columns that config.toml lists for this table; none where it does not, or cannot be read."""
    try:
        tables = settings_of(config).config.supabase.tables
    except ConfigError as error:
        if config is not None:
            raise
        note(f"The settings are wrong, and not looked at: {error.problems[0]}")
        return ()
    return next((one.key for one in tables if (one.schema, one.name) == (schema, table)), ())
