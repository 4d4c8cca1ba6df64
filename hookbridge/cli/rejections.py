"""``destinations rejected``, ``replay`` and ``dismiss``: what a destination does not take, and what becomes of it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from hookbridge.api.destinations import (
    DestinationState,
    DismissChangesBody,
    DismissedChanges,
    RejectedChange,
    RejectedChanges,
)
from hookbridge.cli.api import Refused
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    UrlOption,
    counted,
    moment,
    no_such,
    note,
    print_answer,
    service_at,
)
from hookbridge.cli.replaying import IDS_AT_ONCE
from hookbridge.cli.titles import called
from hookbridge.errors import ConfigError

PAGE_MAX = 500

REJECTED_EPILOG = """
Examples:

  ./scripts/run destinations rejected search

  ./scripts/run destinations rejected search --json | jq -r .reason

Exit codes: 0 listed, 1 there is no such destination, 2 it could not be asked.
"""
REPLAY_EPILOG = """
Examples:

  ./scripts/run destinations replay search     when it is mended there

  ./scripts/run destinations rejected search   what it does not take even so

Each record is sent as it is by now, or that it is gone. A destination that has stopped goes on.

Exit codes: 0 done, 1 there is no such destination, 2 it could not be done.
"""

DISMISS_EPILOG = """
Examples:

  ./scripts/run destinations dismiss search 1234 1235

  ./scripts/run destinations dismiss search --all       all by now

The numbers are those that destinations rejected shows. What is dismissed is forgotten, and not sent
again before the record changes. A destination goes on that has stopped because no more are kept.

Exit codes: 0 done, 1 there is no such destination, 2 it could not be done.
"""

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As config.toml names it.")]
SeqsArgument = Annotated[list[int] | None, typer.Argument(metavar="SEQ", help="Of each change; else --all.")]
AllOption = Annotated[bool, typer.Option("--all", help="All that it has rejected by now.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="So many at most.")]
CursorOption = Annotated[int | None, typer.Option("--cursor", min=1, help="Only changes with a smaller seq than this.")]


def rejected(
    name: NameArgument,
    limit: LimitOption = 20,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """List what a destination has rejected, the newest change first."""
    shown, behind, path = 0, cursor, _path(name, "rejected")
    with service_at(config, url) as api:
        while shown < limit:
            asked = {"cursor": behind, "limit": min(limit - shown, PAGE_MAX)}
            try:
                page = api.ask("GET", path, RejectedChanges, **asked)
            except Refused as error:
                raise no_such(error, as_json=as_json) from None
            for one in page.rejected:
                print_answer(one, _line(one), as_json=as_json)
            shown += len(page.rejected)
            behind = page.next_cursor
            if behind is None:
                break
    if behind is not None:
        note(f"There are more: --cursor {behind}")
    if not shown:
        note("There is none" if cursor else f"{name} has rejected nothing that it has not taken since")


def replay(name: NameArgument, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None) -> None:
    """Send a destination what it has rejected again, each record as it is by now."""
    with service_at(config, url) as api:
        try:
            now = api.ask("POST", _path(name, "replay"), DestinationState)
        except Refused as error:
            raise no_such(error, as_json=as_json) from None
    when = "sent again when it is resumed" if now.state == "paused" else "sent again"
    print_answer(now, f"{now.name}: {counted(now.rejected, 'rejected change')} {when}", as_json=as_json)


def dismiss(
    name: NameArgument,
    seqs: SeqsArgument = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Give up what a destination has rejected: these changes, or all of them."""
    if bool(seqs) == everything:
        none = "no change is named: give the seq of each, or --all"
        raise ConfigError(["numbers and --all exclude each other" if everything else none])
    chosen = sorted(set(seqs or ()))
    parts = [chosen[start : start + IDS_AT_ONCE] for start in range(0, len(chosen), IDS_AT_ONCE)]
    bodies = [DismissChangesBody(all=True)] if everything else [DismissChangesBody(seqs=tuple(one)) for one in parts]
    number = 0
    with service_at(config, url) as api:
        for body in bodies:
            try:
                number += api.ask("POST", _path(name, "dismiss"), DismissedChanges, body).dismissed
            except Refused as error:
                raise no_such(error, as_json=as_json) from None
    rest = max(len(chosen) - number, 0)
    others = f"; {counted(rest, 'other')} not rejected" if rest else ""
    line = f"{name}: {counted(number, 'rejected change')} dismissed{others}"
    print_answer({"dismissed": number, "left_alone": rest}, line, as_json=as_json)


def _path(name: str, what: str) -> str:
    return f"/api/v1/destinations/{quote(name, safe='')}/{what}"


def _line(one: RejectedChange) -> str:
    record = f"{one.source}:{one.table}:{one.id}"
    return " ".join(
        filter(None, (f"{moment(one.rejected_at)}  {one.seq}  {record}  {one.reason} ", called(one)))
    ).rstrip()
