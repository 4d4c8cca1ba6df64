"""``notion-token``: the verification token that Notion's handshake brought, for pasting into the integration's form."""

from __future__ import annotations

from typing import Annotated

import typer

from hookbridge.cli.answers import VerificationToken
from hookbridge.cli.api import Refused
from hookbridge.cli.command import ConfigOption, JsonOption, UrlOption, no_such, print_json, say, service_at

EPILOG = """
Examples:

  python -m hookbridge notion-token              prints it: paste it into the integration's webhook form

  python -m hookbridge notion-token --forget     forgets it, so that a new subscription can present its own

Notion presents a token when a subscription is made, and hookbridge keeps the first one. When a stranger was first,
forget it and make the subscription anew.

Exit codes: 0 printed or forgotten, 1 none has come yet, 2 the service could not be asked.
"""
PATH = "/api/v1/notion/verification-token"

ForgetOption = Annotated[bool, typer.Option("--forget", help="Forget it: the next handshake is kept.")]


def notion_token(
    forget: ForgetOption = False, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None
) -> None:
    """Print the verification token that Notion presented."""
    with service_at(config, url) as api:
        if forget:
            api.delete(PATH)
            token = None
        else:
            try:
                token = api.ask("GET", PATH, VerificationToken)["verification_token"]
            except Refused as error:
                raise no_such(error, as_json=as_json) from None
    if as_json:
        print_json({"verification_token": token})
    else:
        say(token or "Forgotten; the next handshake is kept")
