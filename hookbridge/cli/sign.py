"""``sign``: the headers that a sender has to send with a body.

It sends nothing, and shows no secret.  While secrets are rotated, the first one signs: that is the new one.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from hookbridge.cli.command import ConfigOption, JsonOption, print_json, read_input, refuse_ignored, settings_of
from hookbridge.errors import ConfigError

EPILOG = """
Examples:

  ./scripts/run sign body.json

  ./scripts/run sign body.json > headers.txt

  curl -H @headers.txt --json @body.json URL       (of 7.82 or newer)

  echo -n '{"a": 1}' | ./scripts/run sign --notion

A WEBHOOK_SECRET that begins with whsec_ signs by Standard Webhooks, any other one with X-Webhook-Signature. The body is
signed byte for byte: what is sent must be the same file.

Exit codes: 0 printed, 2 there is no secret, or nothing to sign.
"""

FileArgument = Annotated[Path, typer.Argument(help="The body; - is standard input.", show_default="-")]
NotionOption = Annotated[bool, typer.Option("--notion", help="Sign as Notion does, with NOTION_WEBHOOK_SECRET.")]
IdOption = Annotated[str | None, typer.Option("--id", help="The webhook-id of Standard Webhooks; a new one without.")]


def sign(
    file: FileArgument = Path("-"),
    notion: NotionOption = False,
    id_: IdOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Print the headers that sign a body with the configured secret."""
    from hookbridge.sources.signing import headers, hmac_hex

    secrets = settings_of(config).secrets
    if id_ is not None:
        _check_id(id_)
    if notion:
        refuse_ignored({"--id": id_}, "Notion's signature has none")
        if not secrets.notion_webhook_secrets:
            problem = "NOTION_WEBHOOK_SECRET: not set, so nothing can be signed as Notion does"
            raise ConfigError([problem], hint="set it in .env to the subscription's verification token")
        from hookbridge.sources.notion.signature import HEADER

        made = {HEADER: hmac_hex(secrets.notion_webhook_secrets[0], read_input(file))}
    else:
        if not secrets.webhook_secrets:
            problem = "WEBHOOK_SECRET: not set, so nothing can be signed"
            raise ConfigError([problem], hint="set it in .env, as the service has it")
        if not secrets.webhook_secrets[0].startswith("whsec_"):
            refuse_ignored({"--id": id_}, "only a secret that begins with whsec_ signs it")
        made = headers(secrets.webhook_secrets[0], read_input(file), message_id=id_, now=time.time())
    if as_json:
        print_json(made)
    else:
        sys.stdout.writelines(f"{name}: {value}\n" for name, value in made.items())


def _check_id(id_: str) -> None:
    """Refuse what is no header's value, or would be a second header.  Raises ConfigError."""
    if not id_ or not id_.isascii() or not id_.isprintable() or " " in id_:
        raise ConfigError([f"--id: {id_!a} is no id"], hint="printable ASCII characters without spaces")
