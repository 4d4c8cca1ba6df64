"""``tail``: events as they come and end, line by line, until Ctrl-C.

It asks the events' API again and again, so it sees what any operator sees.  Invariant: an event has one line when it
comes, and where it was open then, one more when it has ended; a service that restarts is waited for.  Numbers are given
before events are there, so where several nodes write one may appear below newer ones: what is above the horizon of the
last look is looked at again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated

import msgspec
import typer

from hookbridge.api.events import EventPageAnswer, EventSummary
from hookbridge.cli.api import Api
from hookbridge.cli.command import ConfigOption, JsonOption, SourceOption, TableOption, UrlOption, service_at
from hookbridge.cli.event_line import line_of, status_of
from hookbridge.cli.event_options import OriginOption, RecordOption, TypeOption
from hookbridge.cli.events import PAGE_MAX, pages, print_event
from hookbridge.cli.watching import looks
from hookbridge.model import Outcome

EPILOG = """
Examples:

  ./scripts/run tail

  ./scripts/run tail --source supabase --table users --lines 50

  ./scripts/run tail --outcome dead --outcome ignored   what did not go well

  ./scripts/run tail --grep timeout   only lines with this text

  ./scripts/run tail --json | jq -r .record_id

A line: when it came, its number, how it ended, how it came, its type, the record, how long that took, the verification,
and what people call the record.

Exit codes: 130 ended by Ctrl-C, 141 nobody reads it any more, 2 it could not be asked.
"""

PAST_PAGES_MAX = 20
"""Of a text that is rare the past is not searched to its end: `events list --text` does that."""
OPEN_WATCHED_MAX = 2_000
"""Of more open events than this the end of the oldest is not shown: a backlog is read with `stats`."""

AGAIN_SECONDS = 5.0
"""More than a page above the horizon is looked at again this often only: twenty seconds of a flood are many pages."""

OutcomesOption = Annotated[list[Outcome] | None, typer.Option("--outcome", help="Only what ended so; repeatable.")]
GrepOption = Annotated[str | None, typer.Option("--grep", help="Only lines with this text, in any case.")]
LinesOption = Annotated[int, typer.Option("--lines", "-n", min=0, max=PAGE_MAX, help="So many of the past first.")]
EveryOption = Annotated[float, typer.Option("--every", min=0.05, help="Seconds between two looks.")]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are shown."""

    outcomes: tuple[Outcome, ...]
    """None for all, open ones included."""
    text: str | None

    def has(self, event: EventSummary) -> bool:
        """Whether this is one of them."""
        if self.outcomes and status_of(event) not in self.outcomes:
            return False
        return self.text is None or self.text.lower() in line_of(event).lower()


class Follower:
    """What is new since the last look: events that came, and those that were open and have ended."""

    def __init__(self, api: Api, which: Mapping[str, str | None], wanted: Wanted) -> None:
        self._api = api
        self._which = which
        self._wanted = wanted
        self._newest = self._horizon = 0
        self._again_at = 0.0
        self._above: frozenset[int] = frozenset()
        """What is known already of the numbers above it."""
        self._open: set[int] = set()

    def past(self, lines: int) -> list[EventSummary]:
        """Give the newest events that are wanted, oldest first, and begin behind the newest of all."""
        newest, horizon = self._ends()
        first = next(self._pages(newest), ())
        there = self._there(newest, after=horizon)
        events: list[EventSummary] = []
        for outcome in self._wanted.outcomes or (None,):
            events += islice(self._matching(newest, outcome), lines)
        shown = sorted(events, key=lambda event: event.id)[-lines:] if lines else []
        self._note([*first, *there, *shown], newest=newest, horizon=horizon)
        return shown

    def look(self) -> list[EventSummary]:
        """Give what ended and what came since the last look, each in the order of arrival."""
        # Nothing is noted before all was answered: after a failure the next look sees the same again.
        newest, horizon = self._ends()
        again = newest - self._horizon <= PAGE_MAX or time.monotonic() >= self._again_at
        seen = self._horizon if again else max(self._horizon, self._newest)
        came = [event for event in self._there(newest, after=seen) if event.id not in self._above]
        ended = self._ended()
        self._open -= {event.id for event in ended}
        self._note(came, newest=newest, horizon=horizon if seen == self._horizon else self._horizon)
        return [event for event in ended[::-1] + came[::-1] if self._wanted.has(event)]

    def _matching(self, newest: int, outcome: Outcome | None) -> Iterator[EventSummary]:
        """Give what was there at the beginning and is wanted, newest first."""
        for page in islice(self._pages(newest, outcome=outcome), PAST_PAGES_MAX):
            yield from filter(self._wanted.has, page)

    def _ends(self) -> tuple[int, int]:
        """Give the number of the newest event, whether or not it is one of those to show, and the horizon."""
        page = self._api.ask("GET", "/api/v1/events", EventPageAnswer, limit=1)
        return page.events[0].id if page.events else 0, page.horizon

    def _ended(self) -> list[EventSummary]:
        """Ask for those that were open; gives those that are open no more, newest first."""
        ended: list[EventSummary] = []
        asked = sorted(self._open, reverse=True)
        for first in range(0, len(asked), PAGE_MAX):
            ids = ",".join(map(str, asked[first : first + PAGE_MAX]))
            page = self._api.ask("GET", "/api/v1/events", EventPageAnswer, ids=ids).events
            ended += [event for event in page if event.state != "open"]
        return ended

    def _pages(
        self, newest: int, *, after: int = 0, outcome: Outcome | None = None
    ) -> Iterator[tuple[EventSummary, ...]]:
        return pages(self._api, {**self._which, "outcome": outcome}, before=newest + 1, after=after)

    def _there(self, newest: int, *, after: int) -> list[EventSummary]:
        """Give what there is above a number, newest first."""
        return [event for page in self._pages(newest, after=after) for event in page if event.id > after]

    def _note(self, came: Sequence[EventSummary], *, newest: int, horizon: int) -> None:
        if horizon > self._horizon:
            self._again_at = time.monotonic() + AGAIN_SECONDS
        # It never goes back, unless the service has another store now: what was above it once is not known any more.
        self._newest, self._horizon = newest, max(horizon, min(self._horizon, newest))
        self._above = frozenset(one for one in (*self._above, *(event.id for event in came)) if one > self._horizon)
        self._open |= {event.id for event in came if event.state == "open"}
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
        follower = Follower(api, which, Wanted(outcomes=tuple(outcome or ()), text=grep))
        past = [follower.past(lines)]
        # The first look is at the past; the same call goes on from there.
        for seen in looks(lambda: past.pop() if past else follower.look(), every):
            for event in seen:
                print_event(event, as_json=as_json)
