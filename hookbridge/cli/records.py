"""``records``: what hookbridge has of a record, and what its source has; lists and searches are in ``finding``."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from hookbridge.api.records import DiffAnswer, RecordAnswer, VerifyAnswer
from hookbridge.cli import finding
from hookbridge.cli.api import Refused, record_path
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    SourceArgument,
    UrlOption,
    moment,
    no_such,
    print_answer,
    print_json,
    print_pretty,
    say,
    service_at,
    written,
)
from hookbridge.cli.ending import NO, program
from hookbridge.cli.titles import called

SHOW_EPILOG = """
Examples:

  ./scripts/run records show supabase users 42

  ./scripts/run records show notion DATABASE PAGE --json | jq .data.properties

Exit codes: 0 shown, 1 the source has no such record, 2 it could not be asked.
"""
DIFF_EPILOG = """
Examples:

  ./scripts/run records diff supabase users 42   compares, changes nothing

  ./scripts/run records diff supabase shop.lines 7,2   a key of two columns

Exit codes: 0 copy and source are equal, 1 they differ, 2 it could not be read.
"""

VERIFY_EPILOG = """
Examples:

  ./scripts/run records verify supabase users 42   asks the source

Exit codes: 0 its event is stored and will be processed, 2 it could not be asked for.
"""

EPILOG = """
Examples:

  ./scripts/run records list

  ./scripts/run records search "ada"

  ./scripts/run records show supabase users 42

  ./scripts/run records diff supabase users 42

  ./scripts/run records verify supabase users 42

Exit codes: 0 done, 1 there is no such record, or it differs, 2 it could not be done.
"""

app = typer.Typer(help="Find and show records, and compare them with their source.", epilog=EPILOG)
app.command("list", epilog=finding.LIST_EPILOG)(finding.list_)
app.command("search", epilog=finding.SEARCH_EPILOG)(finding.search)

TableArgument = Annotated[str, typer.Argument(help="The table, or the id of the Notion database.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The record's id.")]


FreshOption = Annotated[bool, typer.Option("--fresh", help="Ask the source; at most once a minute a record.")]


@app.command("show", epilog=SHOW_EPILOG)
def show(
    source: SourceArgument,
    table: TableArgument,
    record_id: IdArgument,
    fresh: FreshOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Show a record from the copy; a missing one is read from its source."""
    with service_at(config, url, reads=True) as api:
        try:
            path = record_path(source, table, record_id)
            record = api.ask("GET", path, RecordAnswer, fresh=1 if fresh else None)
        except Refused as error:
            raise no_such(error, as_json=as_json) from None
    if as_json:
        print_json(record)
        return
    verified = "read from the source" if record.verified else "as a webhook said, unverified"
    if name := called(record):
        say(name, style="bold")
    say(f"{source}:{record.table}:{record.id}, {verified} at {moment(record.read_at)}")
    if record.links_expired_at is not msgspec.UNSET:
        say(f"the links to files in it work until {moment(record.links_expired_at)}; --fresh gets others")
    _tell_cut(record)
    if record.words_cut is True:
        say(finding.WORDS_CUT)
    print_pretty(record.data)
    _tell_content(record)


@app.command("diff", epilog=DIFF_EPILOG)
def diff(
    source: SourceArgument,
    table: TableArgument,
    record_id: IdArgument,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Compare a record's copy with what its source has now."""
    with service_at(config, url) as api:
        difference = api.ask("GET", record_path(source, table, record_id) + "/diff", DiffAnswer)
    if as_json:
        print_json(difference)
    else:
        _show(difference)
    if not difference.agrees:
        raise typer.Exit(NO)


@app.command("verify", epilog=VERIFY_EPILOG)
def verify(
    source: SourceArgument,
    table: TableArgument,
    record_id: IdArgument,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Have a record read from its source now, so that copy, index and caches follow it."""
    with service_at(config, url) as api:
        answer = api.ask("POST", record_path(source, table, record_id) + "/verify", VerifyAnswer)
    print_answer(
        answer, f"Event {answer.event_id} is stored: {program()} events show {answer.event_id}", as_json=as_json
    )


def _tell_content(record: RecordAnswer) -> None:
    if record.content_state == "waiting":
        say("its text is still to be read")
    elif record.content_state == "refused":
        say("Notion gives no text of it", style="yellow")
    elif (content := record.content) is not None:
        more = ", and there is more of it than was read" if content.truncated else ""
        say(f"its text, of {content.edited_at}{more}:")
        for line in content.markdown.splitlines():
            say(line)


def _tell_cut(found: RecordAnswer | DiffAnswer) -> None:
    if names := found.cut_properties or ():
        say(f"longer than what was read: {', '.join(names)} ([notion] property_requests_max)")


def _show(compared: DiffAnswer) -> None:
    name = f"{compared.source}:{compared.table}:{compared.id}"
    if title := called(compared):
        say(title, style="bold")
    _tell_cut(compared)
    if compared.agrees:
        there = "are equal" if bytes(compared.truth) != b"null" else "have no such record"
        say(f"{name}: copy and source {there}", style="green")
        return
    if not compared.differences:
        say(f"{name}: copy and source are equal as far as they were read", style="yellow")
    elif bytes(compared.copy) == b"null":
        say(f"{name}: the source has it, the copy does not", style="red")
    elif bytes(compared.truth) == b"null":
        say(f"{name}: the copy has it, the source does not", style="red")
    else:
        say(f"{name}: the copy of {moment(compared.copy_read_at)} differs", style="red")
    for value in compared.differences:
        say(value.path)
        if value.copy is not msgspec.UNSET:
            say(f"  - copy   {written(value.copy)}", style="red")
        if value.truth is not msgspec.UNSET:
            say(f"  + source {written(value.truth)}", style="green")
