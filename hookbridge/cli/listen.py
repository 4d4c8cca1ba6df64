"""``listen``: the service's feed on a developer's machine, line by line, and forwarded to an app there until Ctrl-C.

Only an outgoing connection is made: the app is told as a destination would be, without an address of its own.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hookbridge.cli.change_line import Forwarded, json_of, parts_of
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    SourceOption,
    UrlOption,
    note,
    print_json,
    refuse_ignored,
    say_parts,
    service_at,
    settings_of,
)
from hookbridge.cli.ending import NO, ended_by_sigterm
from hookbridge.cli.watching import looks
from hookbridge.config import ChangeType, Destination
from hookbridge.errors import ConfigError
from hookbridge.verdict import lasting

if TYPE_CHECKING:
    from hookbridge.cli.following import Following, Piece
    from hookbridge.cli.forwarding import Forwarding
    from hookbridge.feed import Place

EPILOG = """
Examples:

  ./scripts/run listen   prints what changes from now on

  ./scripts/run listen --forward-to http://localhost:3000/hook

  ./scripts/run listen --forward-to localhost:3000 --secret-env HOOK_SECRET

  ./scripts/run listen --since start --table users   all that there is first

  ./scripts/run listen --json | jq -c '[.type, .id, .data]'

  ./scripts/run listen --url https://hooks.example.com   a service elsewhere

It needs HOOKBRIDGE_READ_TOKEN (or the admin token), and no open port: this
machine asks, and the service answers.

The app gets what a destination gets: a POST with {"changes": …, "next": …},
signed by Standard Webhooks. What it does not answer with 2xx is sent again,
after 0, 2, 4, 8, 10 … seconds, and what comes behind it waits: it is told
everything, in order, at least once. A message that it answers with 400, 413 or
422 is cut in halves, down to the change that it does not take. At the end, by
Ctrl-C and SIGTERM too, the place is printed with which --since goes on.

A line: when hookbridge read it, upsert or delete, how the app answered and in
how many ms, the record, and what people call it.

Exit codes: 130 ended by Ctrl-C, 143 by SIGTERM, 141 nobody reads it any more,
1 the app said 410, 2 it could not be asked, or the place is gone.
"""

BATCH = 100
BATCH_BYTES = 1024 * 1024
"""As destinations have them unless they say otherwise."""
AWAY_SECONDS = 1.0
"""So often a service that is away is looked for."""

ToOption = Annotated[
    str | None, typer.Option("--forward-to", metavar="URL", help="POST each change to this app; without it, print.")
]
SinceOption = Annotated[
    str,
    typer.Option("--since", metavar="PLACE", help="now, start (everything first), a seq, or a place that was printed."),
]
TableOption = Annotated[str | None, typer.Option("--table", help="Only this table.")]
TypeOption = Annotated[ChangeType | None, typer.Option("--type", help="Only upsert, or only delete.")]
SecretOption = Annotated[
    str | None,
    typer.Option("--secret-env", metavar="NAME", help="The variable with the secret; a new one is made without."),
]
BatchOption = Annotated[
    int | None, typer.Option("--batch", min=1, max=500, help="So many changes a message at most; 100 without it.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", min=0.1, help="So many seconds the app may take; 10 without it. More, in a debugger."),
]
GoneOption = Annotated[
    bool, typer.Option("--snapshot-if-gone", help="Where the place is gone, begin again with everything.")
]


def listen(
    forward_to: ToOption = None,
    since: SinceOption = "now",
    source: SourceOption = None,
    table: TableOption = None,
    type_: TypeOption = None,
    secret_env: SecretOption = None,
    batch: BatchOption = None,
    timeout: TimeoutOption = None,
    snapshot_if_gone: GoneOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Show what changes from now on, and forward it to an app on this machine, until Ctrl-C."""
    from hookbridge.cli.following import Following, Wanted
    from hookbridge.cli.forwarding import Forwarding

    place = _place(since)
    to = None if forward_to is None else _destination(forward_to, secret_env, timeout, config)
    if to is None:
        given = {"--secret-env": secret_env, "--batch": batch, "--timeout": timeout}
        refuse_ignored(given, "only with --forward-to")
    wanted = Wanted(
        source=source,
        table=table,
        type=type_,
        include="data,content" if to is not None or as_json else "",
        batch=batch or BATCH,
        batch_bytes=BATCH_BYTES,
        snapshot_if_gone=snapshot_if_gone,
    )
    with service_at(config, url, reads=True) as api, ended_by_sigterm():
        following = Following(api, wanted)
        following.begin(place)
        _greet(api.url, since, to, drawn=secret_env is None)
        _Listening(following, None if to is None else Forwarding(to), as_json=as_json).go_on()


def _place(since: str) -> Place | int | None:
    """Read where to begin, as ``Following`` does.  Raises ConfigError."""
    from hookbridge.feed import SEQ, Place

    if since in {"now", "start"}:
        return None if since == "now" else 0
    try:
        return int(since) if re.fullmatch(SEQ, since) else Place.parse(since)
    except ValueError:
        problem = f"--since: expected now, start, a seq, or a place as it is printed at the end, got {since!a}"
        raise ConfigError([problem]) from None


def _destination(url: str, secret_env: str | None, timeout: float | None, config: Path | None) -> Destination:
    """Give the app as the destination that it is told as.  Raises ConfigError."""
    from hookbridge.settings.destinations import wrong_secret, wrong_url
    from hookbridge.sources.signing import new_secret

    url = url if "://" in url else f"http://{url}"
    problems = list(wrong_url("--forward-to", url))
    if problems:
        raise ConfigError(problems)
    secret = new_secret()
    if secret_env is not None:
        secret = _secret(secret_env, settings_of(config).folder, problems)
        problems += wrong_secret(secret_env, secret) if not problems else ()
    if problems:
        raise ConfigError(problems, hint="set it as the app has it; without --secret-env a new one is made and shown")
    to = Destination(name="listen", url=url, secret=secret)
    return to if timeout is None else Destination(name="listen", url=url, secret=secret, timeout_seconds=timeout)


def _secret(name: str, folder: Path, problems: list[str]) -> str:
    from hookbridge.settings.loading import variables
    from hookbridge.settings.secrets import read_secret
    from hookbridge.settings.texts import undressed

    secret, problem = undressed(read_secret(name, variables(folder, os.environ, problems), folder, problems))
    if not problems:
        problem = problem or (None if secret else "it is not set, in the environment or in .env")
        problems += [f"{name}: {problem}"] if problem else []
    return secret


def _greet(service: str, since: str, to: Destination | None, *, drawn: bool) -> None:
    """Say what happens now, and what the app needs for it."""
    begins = {"now": "from now on", "start": "everything that there is first", "0": "everything that there is first"}
    where = "" if to is None else f", forwarded to {to.url}"
    note(f"Changes of {service}, {begins.get(since, f'behind {since}')}{where}; Ctrl-C ends it")
    if to is not None and drawn:
        note(f"Signed with a new secret: {to.secret}   (one of yours: --secret-env NAME)")


class _Listening:
    """What comes, printed when it was dealt with, and counted."""

    def __init__(self, following: Following, forwarding: Forwarding | None, *, as_json: bool) -> None:
        self._following = following
        self._forwarding = forwarding
        self._as_json = as_json
        self._began = time.monotonic()
        self._changes = 0

    def go_on(self) -> None:
        """Deal with what comes until somebody ends it, and say then what that was."""
        from hookbridge.cli.forwarding import Unwanted

        try:
            for pieces in looks(self._following.look, 0.0, away_seconds=AWAY_SECONDS):
                for piece in pieces:
                    self._deal(piece)
        except BrokenPipeError:
            raise  # nobody reads, so nobody wants to know
        except Unwanted:
            self._sum_up()
            raise typer.Exit(NO) from None
        except BaseException:
            self._sum_up()
            raise

    def _deal(self, piece: Piece) -> None:
        if self._forwarding is None:
            self._say(piece, None)
            return
        for part, forwarded in self._forwarding.forward(piece):
            self._say(part, forwarded)
            self._following.place = part.next  # the other half may never be taken

    def _say(self, piece: Piece, forwarded: Forwarded | None) -> None:
        self._changes += piece.draft.number
        for entry in piece.told:
            if self._as_json:
                print_json(json_of(entry, forwarded))
            else:
                say_parts(parts_of(entry, forwarded))

    def _sum_up(self) -> None:
        changes = f"{self._changes} change{'s' * (self._changes != 1)}"
        if self._forwarding is not None:
            messages = self._forwarding.messages
            changes += f" forwarded in {messages} message{'s' * (messages != 1)}"
        lasted = lasting(time.monotonic() - self._began)
        note(f"{changes} in {lasted}; it goes on with --since {self._following.place}")
