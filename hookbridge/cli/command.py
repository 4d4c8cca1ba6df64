"""What commands share: settings, the way to the service, errors as two lines and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hookbridge.cli.api import CANNOT, NO, Api, Refused
from hookbridge.config import Settings
from hookbridge.errors import ConfigError, HookbridgeError
from hookbridge.model import SourceName

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration file; without it ./config.toml, if there is one.")
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Where the service is, when not where it is configured.")]
SourceArgument = Annotated[SourceName, typer.Argument(help="supabase or notion.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]

_encode = msgspec.json.Encoder(decimal_format="number").encode

PIPE_CHARACTERS = 200
"""Into a pipe no table is cut to the width of a terminal."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn our errors into two lines and exit code 2; Ctrl-C into 130, as shells do."""
    try:
        yield
    except HookbridgeError as error:
        for line in error.problems if isinstance(error, ConfigError) else [error.message]:
            print(f"error: {line}", file=sys.stderr)
        if error.hint:
            print(f"try: {error.hint}", file=sys.stderr)
        raise typer.Exit(CANNOT) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def settings_of(config: Path | None) -> Settings:
    """Load the settings as ``serve`` does.  Raises ConfigError."""
    from hookbridge.settings import load

    return load(config, os.environ, Path.cwd())


@contextmanager
def service_at(config: Path | None, url: str | None) -> Iterator[Api]:
    """Give the running service, and explain what goes wrong with it."""
    with explained():
        api = Api.of(settings_of(config), url)
        try:
            yield api
        finally:
            api.close()


def no_such(error: Refused) -> Exception:
    """Give what to raise when something was looked for: what is not there is an answer, everything else a failure."""
    if error.status != HTTPStatus.NOT_FOUND:
        return error
    say(error.message)
    return typer.Exit(NO)


def read_input(file: Path) -> bytes:
    """Read a file; ``-`` is standard input.  Raises ConfigError."""
    try:
        return sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"], hint="name a file that can be read, or - for stdin") from None


def print_json(value: Any) -> None:  # noqa: ANN401  any JSON
    """Print one object as a line."""
    sys.stdout.write(written(value) + "\n")
    sys.stdout.flush()


def print_pretty(value: Any) -> None:  # noqa: ANN401  any JSON
    """Print JSON for a reader."""
    # What drives a terminal is escaped by JSON itself, but for what lies above ASCII's control characters.
    for line in msgspec.json.format(_encode(value), indent=2).decode().split("\n"):
        print(printable(line))


def written(value: Any) -> str:  # noqa: ANN401  any JSON
    """Write JSON on one line, every number with the digits it came with."""
    return _encode(value).decode()


def say(line: str, *, style: str = "") -> None:
    """Print one line, in colour on a terminal.  What senders wrote may stand in it: nothing of it is markup."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        Console().print(Text(printable(line), style=style), soft_wrap=True)
    else:
        sys.stdout.write(printable(line) + "\n")
        sys.stdout.flush()


def printable(text: str) -> str:
    """Take out what would drive a terminal: a sender may have written it."""
    return "".join(one if one.isprintable() else " " if one in "\t\n\r" else "\ufffd" for one in text)
