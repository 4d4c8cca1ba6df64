"""``poll``: the reconciler alone, posting to a hookbridge elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hookbridge.cli.command import ConfigOption, settings_of
from hookbridge.cli.ending import lose_output

EPILOG = """
Examples:

  ./scripts/run poll --to https://hooks.example.com

  ./scripts/run poll --to https://hooks.example.com --config poller.toml

It follows the tables and databases of config.toml with the credentials of the environment, signs with WEBHOOK_SECRET,
and keeps its cursors in a file of its own. A service that runs on this machine polls by itself and needs none of this.

Exit codes: 0 stopped, 1 crashed, 2 cannot start.
"""

ToOption = Annotated[str, typer.Option("--to", help="The URL of the hookbridge that takes the webhooks.")]
StateOption = Annotated[Path, typer.Option("--state", help="The data file of this poller; not that of a service.")]


LogJsonOption = Annotated[bool, typer.Option("--json", help="Write the log as JSON, also on a terminal.")]


def poll(
    to: ToOption,
    state: StateOption = Path("data/poll.db"),
    as_json: LogJsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find what no webhook announced, and announce it to a hookbridge elsewhere, until Ctrl-C."""
    from hookbridge.observe.logs import configure, take_over
    from hookbridge.sidecar import poll as follow

    settings = settings_of(config)
    logging = settings.config.logging
    take_over()
    configure(msgspec.structs.replace(logging, format="json") if as_json else logging, settings.secrets)
    try:
        with asyncio.Runner() as runner:
            runner.run(follow(settings, to=to, state=state.absolute()))
    finally:
        lose_output()
