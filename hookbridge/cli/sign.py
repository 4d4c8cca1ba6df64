"""``sign``: the headers that a sender has to send with a body.

It sends nothing, and shows no secret.
"""

from __future__ import annotations

import sys
import time
import uuid
from pathlib import Path
from typing import Annotated

import typer

from hookbridge.cli.command import ConfigOption, JsonOption, explained, print_json, read_input, settings_of

EPILOG = """
Examples:

  python -m hookbridge sign body.json

  python -m hookbridge sign body.json > headers.txt && curl -H @headers.txt -H 'Content-Type: application/json' --data-binary @body.json URL

  echo -n '{"a": 1}' | python -m hookbridge sign --notion

A WEBHOOK_SECRET that begins with whsec_ signs by Standard Webhooks, any other one with X-Webhook-Signature. The body is
signed byte for byte: what is sent must be the same file.
"""  # noqa: E501  a command to copy

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
    from hookbridge.cli.signed import notion_headers, sender_headers
    from hookbridge.errors import ConfigError

    with explained():
        settings, body = settings_of(config), read_input(file)
        if notion:
            if not settings.secrets.notion_webhook_secrets:
                raise ConfigError(["NOTION_WEBHOOK_SECRET: not set, so nothing can be signed as Notion does"])
            made = notion_headers(settings.secrets.notion_webhook_secrets[0], body)
        else:
            made = sender_headers(settings, body, message_id=id_ or f"msg_{uuid.uuid4().hex}", now=time.time())
    if as_json:
        print_json(made)
    else:
        sys.stdout.writelines(f"{name}: {value}\n" for name, value in made.items())
