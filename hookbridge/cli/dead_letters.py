"""``events dead`` and ``events dismiss``: what could not be processed, by its reasons, and what of it is given up."""

from __future__ import annotations

from typing import Annotated

import typer

from hookbridge.api.events import DeadLetters
from hookbridge.cli import replaying
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    SourceOption,
    TableOption,
    UrlOption,
    moment,
    note,
    print_answer,
    service_at,
)
from hookbridge.cli.event_options import (
    AllOption,
    BehindOption,
    DryRunOption,
    IdsArgument,
    ManyOption,
    OriginOption,
    ReasonOption,
    RecordOption,
    SinceOption,
    TextOption,
    TypeOption,
    UntilOption,
    given,
)
from hookbridge.model import Origin

DEAD_EPILOG = """
Examples:

  ./scripts/run events dead            why, how many, of which tables

  ./scripts/run events dead --source notion --since 2026-01-01

  ./scripts/run events replay --outcome dead --reason "no user 42"

Reasons that differ in numbers and UUIDs only are one.

Exit codes: 0 listed, 2 it could not be asked.
"""
DISMISS_EPILOG = """
Examples:

  ./scripts/run events dismiss 1234 1235 --note "test rows"

  ./scripts/run events dismiss --reason "no user 42"      of this reason

  ./scripts/run events dismiss --table old --source supabase --dry-run

  ./scripts/run events dismiss --all --note "of the old project"

Only dead letters are dismissed. They are ignored from then on, and cannot be replayed any more.
What ended before its end, by --limit or by Ctrl-C, says with which --cursor it goes on.

Exit codes: 0 done, 2 it could not be done.
"""

NoteOption = Annotated[str | None, typer.Option("--note", help="Why; it stands before the reason that they had.")]


def dead(
    source: SourceOption = None,
    table: TableOption = None,
    record: RecordOption = None,
    type_: TypeOption = None,
    origin: OriginOption = None,
    text: TextOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Show the dead letters by their reasons."""
    which = _scope(source, table, record, type_, origin, text, reason, since, until)
    with service_at(config, url) as api:
        found = api.ask("GET", "/api/v1/events/dead", DeadLetters, **which)
    for one in found.groups:
        tables = ", ".join(f"{of.table_label} {of.count}" for of in one.tables)
        line = f"{one.count}  {one.reason}  (last {moment(one.last_at)}, event {one.newest}; {tables})"
        print_answer(one, line, as_json=as_json)
    if not found.groups:
        note("No dead letter matches" if which else "There is no dead letter")
    if not found.complete:
        note("There are more: these are of the newest 20,000 dead letters, the 100 largest groups")


def dismiss(
    ids: IdsArgument = None,
    source: SourceOption = None,
    table: TableOption = None,
    record: RecordOption = None,
    type_: TypeOption = None,
    origin: OriginOption = None,
    text: TextOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    why: NoteOption = None,
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    limit: ManyOption = None,
    cursor: BehindOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Give dead letters up: those that are named, or those that match."""
    which = _scope(source, table, record, type_, origin, text, reason, since, until)
    replaying.check(ids or [], which, everything=everything, dry_run=dry_run, limit=limit, cursor=cursor)
    deed = replaying.dismissal(why)
    with service_at(config, url) as api:
        if ids:
            replaying.numbered(api, ids, deed, as_json=as_json)
        elif dry_run:
            replaying.count(api, which, deed, as_json=as_json)
        else:
            replaying.matching(api, which, limit, cursor, deed, as_json=as_json)


def _scope(
    source: str | None,
    table: str | None,
    record: str | None,
    type_: str | None,
    origin: Origin | None,
    text: str | None,
    reason: str | None,
    since: str | None,
    until: str | None,
) -> dict[str, str]:
    return given(
        source=source,
        table=table,
        record_id=record,
        type=type_,
        origin=origin,
        q=text,
        reason=reason,
        since=since,
        until=until,
    )
