"""``reconcile``: poll or sweep one table of the running service now."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hookbridge.cli.command import ConfigOption, JsonOption, UrlOption, print_json, service_at

EPILOG = """
Examples:

  python -m hookbridge reconcile                                          how the followed tables stand

  python -m hookbridge reconcile --source supabase --table users          what changed since the last poll

  python -m hookbridge reconcile --source supabase --table users --since 2026-01-01

  python -m hookbridge reconcile --source notion --table ID --sweep       everything, and what is gone

  … --sweep --confirm     what is gone is really gone, however much that is
"""

PIPE_CHARACTERS = 200

SourceOption = Annotated[str | None, typer.Option("--source", help="supabase or notion.")]
TableOption = Annotated[str | None, typer.Option("--table", help="The table, or the id of the Notion database.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Begin at this time (ISO 8601), not at the watermark.")
]
SweepOption = Annotated[bool, typer.Option("--sweep", help="List everything instead of what changed.")]
ConfirmOption = Annotated[bool, typer.Option("--confirm", help="Let deletions be made that wait for an operator.")]


def reconcile(
    source: SourceOption = None,
    table: TableOption = None,
    since: SinceOption = None,
    sweep: SweepOption = False,
    confirm: ConfirmOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Poll or sweep one table now; without a table, show how the followed ones stand."""
    with service_at(config, url) as api:
        if table is None:
            _show(api.ask("GET", "/api/v1/reconcile")["tables"], as_json=as_json)
            return
        body = {"source": source, "table": table, "kind": "sweep" if sweep or confirm else "poll", "confirm": confirm}
        done = api.ask("POST", "/api/v1/reconcile", body if since is None else {**body, "since": since})
    if as_json:
        print_json(done)
    else:
        print(f"{done['listed']} records listed, {done['found']} differed from their copies")


def _show(tables: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        for one in tables:
            print_json(one)
        return
    if not tables:
        print("No table is followed: list tables in [[supabase.tables]] or [[notion.databases]], and set credentials.")
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table("source", "table", "state", "listed", "last poll", "last sweep", "lag")
    for one in tables:
        lag = one["lag_seconds"]
        shown.add_row(
            str(one["source"]),
            str(one["table"]),
            str(one["reason"] or one["state"]),
            str(one["listed"]),
            _when(one["last_poll_at"]),
            _when(one["last_sweep_at"]),
            "" if lag is None else f"{lag:.1f} s",
        )
    # Into a pipe nothing is cut to the width of a terminal.
    Console(width=None if sys.stdout.isatty() else PIPE_CHARACTERS).print(shown)


def _when(epoch: object) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S}Z" if isinstance(epoch, float | int) else "never"
