"""``destinations``: how those stand who are told of changes; one is paused, resumed, or told from another place."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from hookbridge.api.destinations import DestinationList, DestinationState, RewindBody, TrialAnswer
from hookbridge.cli import rejections
from hookbridge.cli.api import Refused
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    UrlOption,
    console,
    no_such,
    print_answer,
    print_json,
    say,
    service_at,
)
from hookbridge.cli.ending import NO
from hookbridge.cli.rejections import NameArgument
from hookbridge.verdict import lasting

LIST_EPILOG = """
Examples:

  ./scripts/run destinations list

  ./scripts/run destinations list --json | jq '.destinations[].state'

Exit codes: 0 listed, 2 it could not be asked.
"""

EPILOG = """
Examples:

  ./scripts/run destinations list

  ./scripts/run destinations rewind search --to start

Exit codes: 0 done, 1 there is no such destination, 2 it could not be done.
"""

app = typer.Typer(
    help="List, try, pause, resume and rewind those who are told of changes; what they rejected.", epilog=EPILOG
)

ToOption = Annotated[
    str, typer.Option("--to", metavar="PLACE", help="start (everything anew), now, or the seq behind which it goes on.")
]


@app.command("list", epilog=LIST_EPILOG)
def list_(as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None) -> None:
    """List the destinations: their state, how far behind they are, why."""
    with service_at(config, url) as api:
        known = api.ask("GET", "/api/v1/destinations", DestinationList)
    if as_json:
        print_json(known)
    elif not known.destinations:
        say("There is no destination: [[destinations]] in config.toml names them.")
    else:
        _print(known)


PAUSE_EPILOG = """
Examples:

  ./scripts/run destinations pause search

It lasts until `destinations resume`, restarts included; nothing is lost.

Exit codes: 0 done, 1 there is no such destination, 2 it could not be done.
"""
RESUME_EPILOG = """
Examples:

  ./scripts/run destinations resume search   also one that has stopped

Exit codes: 0 done, 1 there is no such destination, 2 it could not be done.
"""
REWIND_EPILOG = """
Examples:

  ./scripts/run destinations rewind search --to start   everything anew

  ./scripts/run destinations rewind search --to now     nothing of before

  ./scripts/run destinations rewind search --to 1234    what changed since

Exit codes: 0 done, 1 there is no such destination, 2 it could not be done.
"""


@app.command("pause", epilog=PAUSE_EPILOG)
def pause(name: NameArgument, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None) -> None:
    """Send a destination nothing until it is resumed."""
    _do(name, "pause", None, as_json=as_json, config=config, url=url)


@app.command("resume", epilog=RESUME_EPILOG)
def resume(name: NameArgument, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None) -> None:
    """Let a destination go on, and try it at once."""
    _do(name, "resume", None, as_json=as_json, config=config, url=url)


@app.command("rewind", epilog=REWIND_EPILOG)
def rewind(
    name: NameArgument, to: ToOption, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None
) -> None:
    """Let a destination go on at another place of the feed."""
    _do(name, "rewind", RewindBody(to=to), as_json=as_json, config=config, url=url)


TEST_EPILOG = """
Examples:

  ./scripts/run destinations test search

The message has no changes; the destination's place and state stay as they are.

Exit codes: 0 taken, 1 not taken or no such destination, 2 it could not be asked.
"""


@app.command("test", epilog=TEST_EPILOG)
def trial(name: NameArgument, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None) -> None:
    """Send a destination a message without changes, and say what it answers."""
    with service_at(config, url) as api:
        try:
            made = api.ask("POST", f"/api/v1/destinations/{quote(name, safe='')}/test", TrialAnswer)
        except Refused as error:
            raise no_such(error, as_json=as_json) from None
    print_answer(made, f"{name} takes what is sent" if made.taken else f"{name}: {made.reason}", as_json=as_json)
    if not made.taken:
        raise typer.Exit(NO)


app.command("rejected", epilog=rejections.REJECTED_EPILOG)(rejections.rejected)
app.command("replay", epilog=rejections.REPLAY_EPILOG)(rejections.replay)
app.command("dismiss", epilog=rejections.DISMISS_EPILOG)(rejections.dismiss)


def _do(name: str, verb: str, body: RewindBody | None, *, as_json: bool, config: ConfigOption, url: UrlOption) -> None:
    with service_at(config, url) as api:
        try:
            now = api.ask("POST", f"/api/v1/destinations/{quote(name, safe='')}/{verb}", DestinationState, body)
        except Refused as error:
            raise no_such(error, as_json=as_json) from None
    number = now.changes_behind
    behind = "" if number is None else f", {number} change{'s' * (number != 1)} behind"
    print_answer(now, f"{now.name} is {_state(now)}{behind}", as_json=as_json)


def _print(known: DestinationList) -> None:
    from hookbridge.cli.tables import Rows

    shown = Rows("destination", "state", "behind", "for", "delivered", "rejected", "reason")
    for one in known.destinations:
        lasts = lasting(one.behind_seconds) if one.behind_seconds else ""
        behind = "" if one.changes_behind is None else str(one.changes_behind)
        shown.row(one.name, _state(one), behind, lasts, str(one.delivered), str(one.rejected), one.reason or "")
    console().print(shown)


def _state(one: DestinationState) -> str:
    return f"{one.state}, snapshot" if one.snapshot else one.state
