"""``notion-token``: the verification token that Notion's handshake brought, for pasting into the integration's form."""

from __future__ import annotations

from typing import Annotated

import typer

from hookbridge.api.lanes import VerificationToken
from hookbridge.cli.api import Refused
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    UrlOption,
    moment,
    no_such,
    note,
    print_json,
    refuse_ignored,
    say,
    service_at,
)
from hookbridge.cli.ending import program

EPILOG = """
Examples:

  ./scripts/run notion-token             for pasting into Notion's form

  ./scripts/run notion-token --confirm   says that Notion's form has taken it

  ./scripts/run notion-token --forget    a new subscription brings its own

Notion presents a token when a subscription is made, and hookbridge keeps the first one. When Notion's form has taken
it, confirm it: until then it may be a stranger's. When a stranger was first, forget it and make the subscription anew.

Exit codes: 0 printed, confirmed or forgotten, 1 none has come yet, 2 the service could not be asked.
"""
PATH = "/api/v1/notion/verification-token"

ForgetOption = Annotated[bool, typer.Option("--forget", help="Forget it: the next handshake is kept.")]
ConfirmOption = Annotated[bool, typer.Option("--confirm", help="Confirm it: Notion's form has taken it.")]


def notion_token(
    forget: ForgetOption = False,
    confirm: ConfirmOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Print the verification token that Notion presented."""
    if forget:
        refuse_ignored({"--confirm": confirm}, "what is forgotten cannot be confirmed")
    with service_at(config, url) as api:
        if forget:
            api.delete(PATH)
            token = None
        else:
            method, path = ("POST", f"{PATH}/confirm") if confirm else ("GET", PATH)
            try:
                token = api.ask(method, path, VerificationToken)
            except Refused as error:
                raise no_such(error, as_json=as_json) from None
    if as_json:
        print_json(token or {"verification_token": None})
    elif token is None:
        say("Forgotten; the next handshake is kept")
    else:
        say(token.verification_token)
        if confirm:
            note("Confirmed.")
        elif not token.confirmed:
            came = f"It came at {moment(token.learnt_at)} from {token.learnt_from} and is not confirmed."
            note(f"{came} When Notion's form has taken it: {program()} notion-token --confirm")
