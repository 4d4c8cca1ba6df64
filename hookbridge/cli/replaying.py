"""What is done with many events, page after page: with all that match, or with as many as were asked for.

A replay adds events, and those match again: so each page goes on behind the one before, and what this replay added is
never reached.  Invariant: whatever ends it, the place where the next one goes on has been said.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import typer
from msgspec import Struct

from hookbridge.api.events import Dismissed, Replayed
from hookbridge.cli.api import Api, Refused
from hookbridge.cli.command import counted, note, print_answer, print_json, refuse_ignored, say
from hookbridge.cli.ending import NO
from hookbridge.errors import ConfigError

PAGE = 1000
"""The service answers when all of a page are on disk: small enough to see that it goes on."""

IDS_AT_ONCE = 500

Answer = TypeVar("Answer", Replayed, Dismissed)


class Deed(Struct, Generic[Answer], frozen=True, kw_only=True):
    """What is done with events."""

    path: str
    answer: type[Answer]
    words: str
    """What they are afterwards."""
    name: str
    """The answer's field that says of how many."""
    count: Callable[[Answer], int]
    more: Mapping[str, object] = {}
    """What is sent beside the filters."""


REPLAY: Deed[Replayed] = Deed(
    path="/api/v1/events/replay",
    answer=Replayed,
    words="processed again",
    name="replayed",
    count=lambda done: done.replayed,
)


def dismissal(why: str | None) -> Deed[Dismissed]:
    """Give dead letters up, with a note."""
    return Deed(
        path="/api/v1/events/dismiss",
        answer=Dismissed,
        words="dismissed",
        name="dismissed",
        count=lambda done: done.dismissed,
        more={} if why is None else {"note": why},
    )


def check(
    ids: Sequence[int],
    given: Mapping[str, str],
    *,
    everything: bool,
    dry_run: bool,
    limit: int | None,
    cursor: int | None,
) -> None:
    """Refuse what names no events, or names them twice, or would be ignored.  Raises ConfigError."""
    ways = bool(ids) + bool(given) + everything
    if ways != 1:
        none = "no event is named: give numbers, a filter, or --all"
        raise ConfigError([none if ways == 0 else "numbers, filters and --all exclude each other"])
    if ids:
        refuse_ignored({"--dry-run": dry_run, "--limit": limit, "--cursor": cursor}, "only with filters or --all")
    if dry_run:
        refuse_ignored({"--limit": limit, "--cursor": cursor}, "a dry run counts everything that matches")


def named(api: Api, ids: Sequence[int], *, as_json: bool) -> None:
    """Process these again, and tell of each that could not be."""
    missing, left_alone, replayed = [], [], 0
    for id_ in ids:
        try:
            done = api.ask("POST", f"/api/v1/events/{id_}/replay", Replayed).replayed
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND or not error.code:
                raise
            missing.append(id_)
        else:
            replayed += done
            if not done:
                left_alone.append(id_)
    if as_json:
        print_json({"replayed": replayed, "left_alone": left_alone, "missing": missing, "limit_reached": False})
    else:
        say(f"{counted(replayed, 'event')} processed again")
        for id_ in left_alone:
            say(f"Event {id_} is left alone: it is still open, or was ignored")
        for id_ in missing:
            say(f"There is no event {id_}")
    if missing:
        raise typer.Exit(NO)


def numbered(api: Api, ids: Sequence[int], deed: Deed[Answer], *, as_json: bool) -> None:
    """Do it with these, as far as that can be, and say with how many."""
    chosen = sorted(set(ids))
    done = 0
    for start in range(0, len(chosen), IDS_AT_ONCE):
        body = {"ids": chosen[start : start + IDS_AT_ONCE], **deed.more}
        done += deed.count(api.ask("POST", deed.path, deed.answer, body))
    rest = len(chosen) - done
    others = f"; {counted(rest, 'other')} no dead letter{'' if rest == 1 else 's'}" if rest else ""
    result = {deed.name: done, "left_alone": rest}
    print_answer(result, f"{counted(done, 'event')} {deed.words}{others}", as_json=as_json)


def count(api: Api, which: Mapping[str, str], deed: Deed[Answer], *, as_json: bool) -> None:
    """Say how many match."""
    done = api.ask("POST", deed.path, deed.answer, {**_filter(which), **deed.more, "dry_run": True})
    line = f"{done.matching} event{'' if done.matching == 1 else 's'} would be {deed.words}"
    print_answer(done, line, as_json=as_json)


def matching(
    api: Api, which: Mapping[str, str], limit: int | None, cursor: int | None, deed: Deed[Answer], *, as_json: bool
) -> None:
    """Do it with what matches, the newest first, ``limit`` at most."""
    number, before, complete = 0, cursor, False
    try:
        while not complete and (limit is None or number < limit):
            size = PAGE if limit is None else min(PAGE, limit - number)
            body = {**_filter(which), **deed.more, "limit": size, "cursor": before}
            done = api.ask("POST", deed.path, deed.answer, body)
            number, complete = number + deed.count(done), done.next_cursor is None
            before = done.next_cursor or before
            if sys.stderr.isatty() and not complete:
                note(f"{counted(number, 'event')} {deed.words} so far")
    except BaseException:
        if number:
            note(f"{counted(number, 'event')} {deed.words}; {_rest(before)}")
        raise
    more = "" if complete else f"; there may be more, {limit} was the limit: {_rest(before)}"
    result = {deed.name: number, "limit_reached": not complete, "next_cursor": None if complete else before}
    print_answer(result, f"{counted(number, 'event')} {deed.words}{more}", as_json=as_json)


def _filter(which: Mapping[str, str]) -> dict[str, Any]:
    return dict(which) if which else {"all": True}


def _rest(before: int | None) -> str:
    return f"the rest with --cursor {before}"
