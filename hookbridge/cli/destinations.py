"""``destinations list``: how those stand who are told of changes."""

from __future__ import annotations

import typer

from hookbridge.api.destinations import DestinationList, DestinationState
from hookbridge.cli.command import ConfigOption, JsonOption, UrlOption, console, print_json, say, service_at
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

Exit codes: 0 done, 2 it could not be done.
"""

app = typer.Typer(help="See who is told of changes.", epilog=EPILOG)


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


def _print(known: DestinationList) -> None:
    from hookbridge.cli.tables import Rows

    shown = Rows("destination", "state", "behind", "for", "delivered", "reason")
    for one in known.destinations:
        lasts = lasting(one.behind_seconds) if one.behind_seconds else ""
        behind = "" if one.changes_behind is None else str(one.changes_behind)
        shown.row(one.name, _state(one), behind, lasts, str(one.delivered), one.reason or "")
    console().print(shown)


def _state(one: DestinationState) -> str:
    return f"{one.state}, snapshot" if one.snapshot else one.state
