"""``tail``: events as they come and end, line by line, until Ctrl-C.

It asks the events' API again and again, so it sees what any operator sees.  Invariant: an event has one line when it
comes, and where it was open then, one more when it has ended; a service that restarts is waited for.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from hookbridge.cli.api import Api, NotRunning
from hookbridge.cli.command import ConfigOption, JsonOption, UrlOption, service_at
from hookbridge.cli.event_line import line_of, status_of
from hookbridge.cli.events import (
    PAGE_MAX,
    OriginOption,
    RecordOption,
    SourceOption,
    TableOption,
    TypeOption,
    print_event,
)
from hookbridge.model import Outcome

EPILOG = """
Examples:

  python -m hookbridge tail

  python -m hookbridge tail --source supabase --table users --lines 50

  python -m hookbridge tail --outcome dead --outcome ignored       only what did not go well

  python -m hookbridge tail --grep timeout                         only lines with this text

  python -m hookbridge tail --json | jq -r .record_id

A line: when it came, its number, how it ended, how it came, its type, the record, how long that took, the verification.
"""

Event = dict[str, Any]
OPEN_WATCHED_MAX = 2_000
"""Of more open events than this the end of the oldest is not shown: a backlog is read with `stats`."""

OutcomesOption = Annotated[list[Outcome] | None, typer.Option("--outcome", help="Only what ended so; repeatable.")]
GrepOption = Annotated[str | None, typer.Option("--grep", help="Only lines with this text, in any case.")]
LinesOption = Annotated[int, typer.Option("--lines", "-n", min=0, max=PAGE_MAX, help="So many of the past first.")]
EveryOption = Annotated[float, typer.Option("--every", min=0.05, help="Seconds between two looks.")]


class Follower:
    """What is new since the last look: events that came, and those that were open and have ended."""

    def __init__(self, api: Api, which: dict[str, str | None]) -> None:
        self._api = api
        self._which = which
        self._seen = 0
        self._open: set[int] = set()

    def past(self, lines: int) -> list[Event]:
        """Give the newest events, oldest first, and begin behind them."""
        newest = self._newest()
        found: list[Event] = []
        before: int | None = newest + 1
        while before is not None and len(found) < lines:
            page, before = self._page(before, lines - len(found))
            found += page
        self._note(found, newest)
        return found[::-1]

    def look(self) -> list[Event]:
        """Give what ended and what came since the last look, each in the order of arrival."""
        # Nothing is noted before all was answered: after a failure the next look sees the same again.
        newest = self._newest()
        came, ended = self._came(newest), self._ended()
        self._open -= {event["id"] for event in ended}
        self._note(came, newest)
        return ended[::-1] + came[::-1]

    def _newest(self) -> int:
        """Give the number of the newest event, whether or not it is one of those to show."""
        events = self._api.ask("GET", "/api/v1/events", limit=1)["events"]
        return int(events[0]["id"]) if events else 0

    def _came(self, newest: int) -> list[Event]:
        found: list[Event] = []
        before: int | None = newest + 1
        while before is not None and before > self._seen + 1:
            page, before = self._page(before, PAGE_MAX)
            found += [event for event in page if event["id"] > self._seen]
        return found

    def _ended(self) -> list[Event]:
        """Ask for those that were open; gives those that are open no more, newest first."""
        ended: list[Event] = []
        asked = sorted(self._open, reverse=True)
        for first in range(0, len(asked), PAGE_MAX):
            ids = ",".join(map(str, asked[first : first + PAGE_MAX]))
            page = self._api.ask("GET", "/api/v1/events", ids=ids)["events"]
            ended += [event for event in page if event["state"] != "open"]
        return ended

    def _page(self, before: int, limit: int) -> tuple[list[Event], int | None]:
        page = self._api.ask("GET", "/api/v1/events", **self._which, cursor=before, limit=limit)
        return page["events"], page["next_cursor"]

    def _note(self, found: list[Event], newest: int) -> None:
        self._seen = newest
        self._open |= {event["id"] for event in found if event["state"] == "open"}
        self._open = set(sorted(self._open)[-OPEN_WATCHED_MAX:])


def tail(
    source: SourceOption = None,
    table: TableOption = None,
    record: RecordOption = None,
    type_: TypeOption = None,
    origin: OriginOption = None,
    outcome: OutcomesOption = None,
    grep: GrepOption = None,
    lines: LinesOption = 10,
    every: EveryOption = 0.5,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Show events as they come and end, until Ctrl-C."""
    which = {"source": source, "table": table, "record_id": record, "type": type_, "origin": origin}
    with service_at(config, url) as api:
        for event in _follow(Follower(api, which), lines, every):
            if _wanted(event, outcome, grep):
                print_event(event, as_json=as_json)


def _follow(follower: Follower, lines: int, every: float) -> Iterator[Event]:
    yield from follower.past(lines)
    away = False
    while True:
        time.sleep(every)
        try:
            yield from follower.look()
        except NotRunning as error:
            if not away:
                print(f"{error.message}; waiting for it", file=sys.stderr)
            away = True
        else:
            away = False


def _wanted(event: Event, outcomes: list[Outcome] | None, grep: str | None) -> bool:
    if outcomes and status_of(event) not in outcomes:
        return False
    return grep is None or grep.lower() in line_of(event).lower()
