"""``demo``: the service with two local sources, edits, lost webhooks and outages; no account, nothing left behind."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from hookbridge.cli.command import JsonOption, print_json, say
from hookbridge.cli.ending import NO, tell

if TYPE_CHECKING:
    from hookbridge.demo.telling import Line

EPILOG = """
Examples:

  ./scripts/run demo            until Ctrl-C, on any free port

  ./scripts/run demo --seconds 60 --port 8080

  ./scripts/run demo --nodes 3  over a Postgres; one dies now and then

  ./scripts/run demo --seed 7   the same edits each time

  ./scripts/run demo --seconds 1 --json | jq .figures.differing

Your settings, credentials and data are not touched.

Exit codes: 0 stopped, 1 copy and source did not become equal, 2 cannot start.
"""

SEEDS = 10_000
STYLES = {"dashboard": "bold", "down": "yellow", "up": "yellow", "proven": "bold green", "books": "dim"}

SecondsOption = Annotated[
    float | None,
    typer.Option("--seconds", min=0, help="End after so long, when the round is complete; without it at Ctrl-C."),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, help="The edits that this number draws; without it any.")
]
NodesOption = Annotated[
    int,
    typer.Option(
        "--nodes", min=1, max=9, help="So many nodes, which share a Postgres; one of them is killed now and then."
    ),
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 is any free one.")]


def demo(
    seconds: SecondsOption = None,
    seed: SeedOption = None,
    nodes: NodesOption = 1,
    port: PortOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Show how copies follow their sources while webhooks get lost and sources go down, without any account."""
    import sys

    from hookbridge.config import Secrets
    from hookbridge.demo.session import LOGGING, Options, run
    from hookbridge.demo.story import NotConverged
    from hookbridge.observe.logs import configure

    configure(LOGGING, Secrets(), stream=sys.stderr)
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    options = Options(port=port, seconds=seconds, nodes=nodes, seed=seed)
    try:
        run(options, _print_json if as_json else _print)
    except NotConverged as error:
        tell([f"{error.message} (seed {options.seed})"], f"--seed {options.seed}, to see whether it happens again")
        raise typer.Exit(NO) from None


def _print(line: Line) -> None:
    where = f"[round {line.round}] " if line.round else ""
    say(where + line.text, style=STYLES.get(line.kind, ""))


def _print_json(line: Line) -> None:
    print_json(line)
