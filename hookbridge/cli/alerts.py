"""``alerts``: whether people can be told when the service is not healthy."""

from __future__ import annotations

import asyncio

import msgspec
import typer

from hookbridge.cli.command import ConfigOption, JsonOption, print_json, say, settings_of
from hookbridge.cli.ending import NO
from hookbridge.errors import ConfigError

EPILOG = """
Examples:

  ./scripts/run alerts test

Exit codes: 0 done, 1 not taken, 2 it could not be done.
"""

TEST_EPILOG = """
Examples:

  ./scripts/run alerts test

  ./scripts/run alerts test --json | jq .reason

It sends from here, whether or not the service runs, and says of each URL what it answers; a beat counts as one of the
service's.

Exit codes: 0 taken, 1 not taken, 2 there is nobody to tell.
"""

app = typer.Typer(help="Try whether people are told when the service is not healthy.", epilog=EPILOG)


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message."""

    type: str
    url: str
    taken: bool
    reason: str | None


@app.callback()
def group() -> None:
    """Try whether people are told when the service is not healthy."""


@app.command("test", epilog=TEST_EPILOG)
def trial(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Send a test alert, and a beat where there is a URL for it, and say what is answered."""
    from hookbridge.alerts import send_test  # waits for nobody who only wants `--help`
    from hookbridge.observe.redaction import redaction
    from hookbridge.outgoing import origin

    settings = settings_of(config)
    redaction.begin(settings.secrets)
    if not settings.alerts_url and not settings.beat_url:
        problem = "HOOKBRIDGE_ALERTS__URL: it is not set, so nobody is told when the service is not healthy"
        raise ConfigError([problem], hint="write the URL of a chat's webhook, or of your own, into .env")
    with asyncio.Runner() as runner:
        untold, missed = runner.run(send_test(settings))
    tried = [
        Tried(type=type_, url=origin(url), taken=reason is None, reason=reason)
        for type_, url, reason in (("alert", settings.alerts_url, untold), ("beat", settings.beat_url, missed))
        if url
    ]
    for one in tried:
        if as_json:
            print_json(one)
        else:
            say(
                f"{one.url} takes the {one.type}"
                if one.taken
                else f"{one.url} does not take the {one.type}: {one.reason}"
            )
    if not all(one.taken for one in tried):
        raise typer.Exit(NO)
