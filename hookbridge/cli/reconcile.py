"""``reconcile``: poll or sweep one table of the running service now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from hookbridge.api.reconcile import ContentProgress, Following, PassResult, TableStatus
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    UrlOption,
    console,
    note,
    print_answer,
    print_json,
    refuse_ignored,
    service_at,
)
from hookbridge.cli.titles import table_called
from hookbridge.model import SourceName
from hookbridge.reconcile.status import NOTHING_FOLLOWED, NOTHING_HINT
from hookbridge.verdict import lasting

EPILOG = """
Examples:

  ./scripts/run reconcile   how the followed tables stand

  ./scripts/run reconcile --source supabase --table users      what changed

  ./scripts/run reconcile --source supabase --table users --since 2026-01-01

  ./scripts/run reconcile --source notion --table ID --sweep   all of it

  … --sweep --confirm     what is gone is really gone, however much that is

Exit codes: 0 done, 2 it could not be done.
"""

SourceOption = Annotated[SourceName | None, typer.Option("--source", help="supabase or notion.")]
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
    if table is None:
        passing = {"--source": source, "--since": since, "--sweep": sweep, "--confirm": confirm}
        refuse_ignored(passing, "only together with --table, for a pass over it")
    elif source is None:
        refuse_ignored({"--table": table}, "needs --source, because a table is a table of one source")
    if sweep or confirm:
        refuse_ignored({"--since": since}, "a sweep lists everything, whenever it changed")
    with service_at(config, url) as api:
        if table is None:
            _show(api.ask("GET", "/api/v1/reconcile", Following).tables, as_json=as_json)
            return
        body = {"source": source, "table": table, "kind": "sweep" if sweep or confirm else "poll", "confirm": confirm}
        done = api.ask("POST", "/api/v1/reconcile", PassResult, body if since is None else {**body, "since": since})
    print_answer(done, f"{done.listed} records listed, {done.found} differed from their copies", as_json=as_json)


def _show(tables: Sequence[TableStatus], *, as_json: bool) -> None:
    if as_json:
        for one in tables:
            print_json(one)
        return
    if not tables:
        note(f"{NOTHING_FOLLOWED}: {NOTHING_HINT}.")
        return
    from hookbridge.cli.tables import Rows

    shown = Rows("source", "table", "state", "listed", "bodies", "last poll", "last sweep", "lag")
    for one in tables:
        lag = one.lag_seconds
        shown.row(
            one.source,
            table_called(one),
            one.reason or one.state,
            str(one.listed),
            _bodies(one.content),
            _when(one.last_poll_at),
            _when(one.last_sweep_at),
            "" if lag is None else lasting(lag),
        )
    console().print(shown)


def _bodies(content: ContentProgress | None) -> str:
    if content is None:
        return ""
    if content.refused is not None:
        return content.refused
    if content.stored >= content.total:
        return str(content.stored)
    left = "" if content.left_seconds is None else f", about {lasting(content.left_seconds)} left"
    return f"{content.stored} of {content.total}{left}"


def _when(time: datetime | None) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M:%S}Z"
