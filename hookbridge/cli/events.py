"""``events list``, ``show``, ``replay``, ``rejected``: the inbox of the running service, and what did not come in.

Its dead letters by their reasons, and those that are given up: ``dead_letters``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Annotated, Literal

import typer

from hookbridge.api.events import EventDetail, EventPageAnswer, EventSummary
from hookbridge.api.stats import RejectedPage
from hookbridge.cli import dead_letters, replaying
from hookbridge.cli.api import Api, Refused
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    SourceOption,
    TableOption,
    UrlOption,
    moment,
    no_such,
    note,
    print_answer,
    print_json,
    print_pretty,
    say,
    service_at,
)
from hookbridge.cli.event_line import line_of, lines_of, style_of
from hookbridge.cli.event_options import (
    AllOption,
    BehindOption,
    DryRunOption,
    IdsArgument,
    ManyOption,
    OriginOption,
    OutcomeOption,
    ReasonOption,
    RecordOption,
    SinceOption,
    TextOption,
    TypeOption,
    UntilOption,
    given,
)

EPILOG = """
Examples:

  ./scripts/run events list --outcome dead

  ./scripts/run events show 1234

  ./scripts/run events dead

  ./scripts/run events replay --outcome dead

  ./scripts/run events dismiss 1234 --note "a test"

  ./scripts/run events rejected

Exit codes: 0 done, 1 there is no such event, 2 it could not be done.
"""

app = typer.Typer(help="List, show, replay and dismiss events.", epilog=EPILOG)

PAGE_MAX = 500

LIST_EPILOG = """
Examples:

  ./scripts/run events list                     the newest 20

  ./scripts/run events list --outcome dead --limit 100

  ./scripts/run events list --source supabase --table users --record 42

  ./scripts/run events list --text "lovelace"   in body, record or reason

  ./scripts/run events list --since 2026-01-01T14:00Z

  ./scripts/run events list --state open --json | jq .record_id

Exit codes: 0 listed, 2 it could not be asked.
"""
SHOW_EPILOG = """
Examples:

  ./scripts/run events show 1234   what came, and what became of it

  ./scripts/run events show 1234 --json | jq .body

Exit codes: 0 shown, 1 there is no such event, 2 it could not be asked.
"""
REPLAY_EPILOG = """
Examples:

  ./scripts/run events replay 1234 1235                       these two

  ./scripts/run events replay --outcome dead                  all dead letters

  ./scripts/run events replay --outcome dead --dry-run        only how many

  ./scripts/run events replay --source notion --limit 5000    the newest 5000

  ./scripts/run events replay --source notion --cursor 1234   older than 1234

  ./scripts/run events replay --all                           everything

A dead letter is open again; every other event comes in anew with the origin replay. What is still open is left alone.
A replay that ended before its end, by --limit or by Ctrl-C, says with which --cursor it goes on.

Exit codes: 0 done, 1 one of the numbers is no event's, 2 it could not be done.
"""

REJECTED_EPILOG = """
Examples:

  ./scripts/run events rejected   the newest 20 that were refused

  ./scripts/run events rejected --reason invalid_signature

The service remembers the last 500, until it is restarted.

Exit codes: 0 listed, 2 it could not be asked.
"""

StateOption = Annotated[Literal["open", "settled"] | None, typer.Option("--state", help="Only open, or only settled.")]
EndpointOption = Annotated[str | None, typer.Option("--endpoint", help="Only those of this path.")]
CodeOption = Annotated[str | None, typer.Option("--reason", help="Only those that were answered with this code.")]
RejectedLimitOption = Annotated[int, typer.Option("--limit", min=1, max=500, help="So many at most.")]
ListLimitOption = Annotated[int, typer.Option("--limit", min=1, help="So many at most.")]
CursorOption = Annotated[int | None, typer.Option("--cursor", min=1, help="Only events older than this one.")]
IdArgument = Annotated[int, typer.Argument(help="The event's number.", min=0)]


@app.command("list", epilog=LIST_EPILOG)
def list_(
    source: SourceOption = None,
    table: TableOption = None,
    record: RecordOption = None,
    type_: TypeOption = None,
    origin: OriginOption = None,
    outcome: OutcomeOption = None,
    state: StateOption = None,
    text: TextOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: ListLimitOption = 20,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """List events, newest first."""
    which = given(source=source, table=table, record_id=record, type=type_, origin=origin, outcome=outcome)
    which |= given(state=state, q=text, reason=reason, since=since, until=until)
    with service_at(config, url) as api:
        found = chain.from_iterable(pages(api, which, before=cursor, size=min(limit, PAGE_MAX)))
        none = True
        for event in islice(found, limit):
            print_event(event, as_json=as_json)
            none = False
    if none:
        note("No event matches" if which or cursor else "There is no event yet")


@app.command("show", epilog=SHOW_EPILOG)
def show(event_id: IdArgument, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None) -> None:
    """Show one event with its body."""
    with service_at(config, url) as api:
        try:
            event = api.ask("GET", f"/api/v1/events/{event_id}", EventDetail)
        except Refused as error:
            raise no_such(error, as_json=as_json) from None
    if as_json:
        print_json(event)
        return
    for line in lines_of(event):
        say(line)
    say("")
    print_pretty(event.body)


@app.command("replay", epilog=REPLAY_EPILOG)
def replay(
    ids: IdsArgument = None,
    source: SourceOption = None,
    table: TableOption = None,
    record: RecordOption = None,
    type_: TypeOption = None,
    origin: OriginOption = None,
    outcome: OutcomeOption = None,
    text: TextOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    limit: ManyOption = None,
    cursor: BehindOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Process events again: those that are named, or those that match."""
    which = given(source=source, table=table, record_id=record, type=type_, origin=origin, outcome=outcome)
    which |= given(q=text, reason=reason, since=since, until=until)
    replaying.check(ids or [], which, everything=everything, dry_run=dry_run, limit=limit, cursor=cursor)
    with service_at(config, url) as api:
        if ids:
            replaying.named(api, ids, as_json=as_json)
        elif dry_run:
            replaying.count(api, which, replaying.REPLAY, as_json=as_json)
        else:
            replaying.matching(api, which, limit, cursor, replaying.REPLAY, as_json=as_json)


app.command("dead", epilog=dead_letters.DEAD_EPILOG)(dead_letters.dead)
app.command("dismiss", epilog=dead_letters.DISMISS_EPILOG)(dead_letters.dismiss)


@app.command("rejected", epilog=REJECTED_EPILOG)
def rejected(
    endpoint: EndpointOption = None,
    reason: CodeOption = None,
    limit: RejectedLimitOption = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """List the webhooks that were refused lately, newest first."""
    with service_at(config, url) as api:
        page = api.ask("GET", "/api/v1/rejected", RejectedPage, endpoint=endpoint, reason=reason, limit=limit)
    for one in page.rejected:
        peer = f" from {one.peer}" if one.peer else ""
        line = f"{moment(one.at)}  {one.status} {one.reason}  {one.endpoint}{peer}: {one.message}"
        print_answer(one, line, as_json=as_json)
    if not page.rejected:
        none = "No refused webhook matches" if endpoint or reason else "No webhook was refused"
        note(f"{none} since the service began")


def pages(
    api: Api, which: Mapping[str, object], *, before: int | None = None, after: int = 0, size: int = PAGE_MAX
) -> Iterator[tuple[EventSummary, ...]]:
    """Give the events with numbers between these two that match, page after page, the newest first.

    Each page is asked for when it is needed; the last one may go beyond ``after``.
    """
    while before is None or before > after + 1:
        page = api.ask("GET", "/api/v1/events", EventPageAnswer, **which, cursor=before, limit=size)
        yield page.events
        before = page.next_cursor
        if before is None:
            return


def print_event(event: EventSummary, *, as_json: bool) -> None:
    """Print one line."""
    print_answer(event, line_of(event), style=style_of(event), as_json=as_json)
