"""``token``: where the admin token stands, and the link to the dashboard that carries it.

Whoever can run this can read the token's file, so it gives nothing away; into a pipe it is not printed unasked.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from hookbridge.cli.api import address, named
from hookbridge.cli.command import ConfigOption, JsonOption, UrlOption, note, print_json, say, settings_of
from hookbridge.cli.ending import program
from hookbridge.errors import ConfigError
from hookbridge.settings import admin_token

EPILOG = """
Examples:

  ./scripts/run token   where it is, and the dashboard's link

  ./scripts/run token --show --json | jq -r .token

The token stands in .env after `init`, else in a file beside the data file, made at the first start. On a terminal the
link carries it; into a pipe only with --show.

Exit codes: 0 printed, 2 there is no token yet.
"""

ShowOption = Annotated[bool, typer.Option("--show", help="Print the token, also into a pipe.")]


def token(
    show: ShowOption = False, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None
) -> None:
    """Show the link to the dashboard, and where the admin token stands."""
    settings = settings_of(config)
    secret = admin_token.known(settings)
    if secret is None:
        problem = f"There is no admin token yet, or it may not be read: {admin_token.file_of(settings)}"
        raise ConfigError([problem], hint=f"{program()}, which makes it at the first start")
    place = admin_token.place(settings, os.environ)
    shown = show or (sys.stdout.isatty() and not as_json)
    page = (named(url) or address(settings)).rstrip("/") + "/"
    link = f"{page}#token={secret}" if shown else page
    if as_json:
        print_json({"place": place, "dashboard": link, **({"token": secret} if shown else {})})
        return
    say(f"dashboard  {link}")
    if show:
        say(f"token      {secret}")
    say(f"stands in  {place}")
    if not shown:
        note("The token is not printed into a pipe: --show does it.")
