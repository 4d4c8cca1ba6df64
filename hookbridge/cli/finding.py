"""``records list``, ``records search``: which records there are, and which have some words."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from hookbridge.api.records import HitAnswer, Named, RecordPageAnswer, RecordSummary, SearchAnswer
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    SourceOption,
    TableOption,
    UrlOption,
    note,
    print_json,
    say,
    service_at,
)
from hookbridge.cli.titles import called
from hookbridge.model import RecordState

LIST_EPILOG = """
Examples:

  ./scripts/run records list                     the first 20

  ./scripts/run records list --source supabase --table users --limit 500

  ./scripts/run records list --text "lovel"      words, or how an id begins

  ./scripts/run records list --order changed     what changed last

  ./scripts/run records list --column city --column name

  ./scripts/run records list --state absent      known to be gone

  ./scripts/run records list --json | jq -r .title

A line: when it was read, whether the source has it, the record, its change, what people call it. Below it, indented,
what was asked for: a line for each column, and the text around the words.

Exit codes: 0 listed, 2 it could not be asked.
"""
SEARCH_EPILOG = """
Examples:

  ./scripts/run records search "ada lovel"   the last may be a beginning

  ./scripts/run records search "milk -oat" --source notion --limit 5

  ./scripts/run records search milk --json | jq -r .snippet

Two lines for each: the record with its title, and the text around the words. A third one says that a record is longer
than what search knows of it.

Exit codes: 0 searched, 2 it could not be asked.
"""

PAGE_MAX = 500

WORDS_CUT = "search knows only its beginning: what stands behind is not found"
"""Of a record that is longer than what of it is indexed."""

RecordOption = Annotated[str | None, typer.Option("--record", help="Only the record with this id.")]
OrderOption = Annotated[
    Literal["key", "changed"], typer.Option("--order", help="By source, table and key, or the last change first.")
]
ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", help="Show this column or property, too; repeatable.")
]
StateOption = Annotated[RecordState | None, typer.Option("--state", help="Only present, absent or waiting ones.")]
TextOption = Annotated[str | None, typer.Option("--text", help="Only with these words, or an id that begins so.")]
ListLimitOption = Annotated[int, typer.Option("--limit", min=1, help="So many at most.")]
CursorOption = Annotated[str | None, typer.Option("--cursor", help="Go on where a list of the same order ended.")]
WordsArgument = Annotated[str, typer.Argument(metavar="WORDS", help="Words that the record has.")]
SearchLimitOption = Annotated[int, typer.Option("--limit", min=1, max=100, help="So many at most.")]


def list_(
    source: SourceOption = None,
    table: TableOption = None,
    record: RecordOption = None,
    state: StateOption = None,
    text: TextOption = None,
    order: OrderOption = "key",
    column: ColumnOption = None,
    limit: ListLimitOption = 20,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """List records, by source, table and key or by their last change."""
    which = {"source": source, "table": table, "record_id": record, "state": state, "q": text}
    columns = ",".join(name.replace("%", "%25").replace(",", "%2C") for name in column or ()) or None
    shown, behind = 0, cursor
    with service_at(config, url, reads=True) as api:
        while shown < limit:
            asked = {**which, "order": order, "columns": columns, "cursor": behind}
            page = api.ask("GET", "/api/v1/records", RecordPageAnswer, **asked, limit=min(limit - shown, PAGE_MAX))
            for one in page.records:
                _print(one, as_json=as_json)
            shown += len(page.records)
            behind = page.next_cursor
            if behind is None:
                break
    if behind is not None:
        note(f"There are more: --cursor {behind}")
    if not shown:
        note("No record matches" if any([*which.values(), cursor]) else "There is no record yet")


def search(
    words: WordsArgument,
    source: SourceOption = None,
    table: TableOption = None,
    limit: SearchLimitOption = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Find records by words, the best first."""
    with service_at(config, url, reads=True) as api:
        found = api.ask("GET", "/api/v1/search", SearchAnswer, q=words, source=source, table=table, limit=limit)
    for hit in found.hits:
        _print_hit(hit, as_json=as_json)
    if not found.hits:
        note("No record has these words")
    if not found.complete:
        note("Not all that have the words were looked at: these are the best of what changed last")
    if found.indexing is not None:
        note(f"The index is made anew, {found.indexing:.0%} of it: until it is whole, records may be missing")


def _print(one: RecordSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    say(line_of(one))
    for name, value in (one.values or {}).items():
        say(f"    {name}: {'' if value is None else value}")
    if one.snippet:
        say(f"    {one.snippet}")


def line_of(one: RecordSummary) -> str:
    """Give a record's line."""
    read = f"{one.read_at:%Y-%m-%d %H:%M:%SZ}" if one.read_at else f"{'-':<20}"
    state = {True: "present", False: "absent", None: "unread"}[one.present]
    parts = [read, f"{state:<7}", _name(one)]
    if one.changed_at is not None:
        parts.append(f"changed {one.changed_at}")
    if one.waiting_since is not None:
        parts.append(f"waiting since {one.waiting_since:%Y-%m-%d %H:%M:%SZ}")
    parts.append(called(one))
    return " ".join(filter(None, parts))


def _print_hit(hit: HitAnswer, *, as_json: bool) -> None:
    if as_json:
        print_json(hit)
        return
    say(" ".join(filter(None, (_name(hit), called(hit)))), style="bold")
    say(f"    {hit.snippet}")
    if hit.words_cut is True:
        say(f"    {WORDS_CUT}")


def _name(one: Named) -> str:
    return f"{one.source}:{one.table}:{one.id}"
