"""What commands share: their options, settings, the way to the service, and how they print."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hookbridge.cli.api import Api, Refused
from hookbridge.cli.ending import NO
from hookbridge.config import Settings
from hookbridge.errors import ConfigError
from hookbridge.model import SourceName
from hookbridge.observe.terminal import harmless

if TYPE_CHECKING:
    from rich.console import Console  # what prints no table need not wait for it

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration file; without it ./config.toml, if there is one.")
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Where the service is, when not where it is configured.")]
SourceArgument = Annotated[SourceName, typer.Argument(help="supabase or notion.")]
SourceOption = Annotated[SourceName | None, typer.Option("--source", help="Only supabase, or only notion.")]
TableOption = Annotated[str | None, typer.Option("--table", help="Only this table; needs --source.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]

_encode = msgspec.json.Encoder(decimal_format="number").encode

PIPE_CHARACTERS = 200
JOINERS = "\u200c\u200d"
"""They drive no terminal: Persian words and many an emoji are not themselves without."""


def settings_of(config: Path | None) -> Settings:
    """Load the settings as ``serve`` does.  Raises ConfigError."""
    from hookbridge.settings import load

    return load(config, os.environ, Path.cwd())


def service_at(config: Path | None, url: str | None, *, reads: bool = False) -> closing[Api]:
    """Give the running service; ``reads`` for what the read token opens, too."""
    return closing(Api.of(settings_of(config), url, reads=reads))


def no_such(error: Refused, *, as_json: bool) -> Exception:
    """Give what to raise when something was looked for: what is not there is an answer, everything else a failure."""
    if error.status != HTTPStatus.NOT_FOUND or not error.code:
        return error
    print_answer({"error": error.code, "message": error.message}, error.message, as_json=as_json)
    return typer.Exit(NO)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun and what it does, as in ``1 event is``."""
    return f"{number} {noun} is" if number == 1 else f"{number} {noun}s are"


def note(line: str, *, style: str = "") -> None:
    """Say something beside the output: that there is none, or how far it is; in colour on a terminal."""
    if style and sys.stderr.isatty():
        from rich.console import Console
        from rich.text import Text

        Console(stderr=True).print(Text(printable(line), style=style), soft_wrap=True)
    else:
        print(printable(line), file=sys.stderr)


def refuse_ignored(ignored: Mapping[str, object], because: str) -> None:
    """Refuse options that would do nothing.  ``ignored`` has them with their values.  Raises ConfigError."""
    given = [name for name, value in ignored.items() if value not in (None, False, "") and value != []]
    if given:
        raise ConfigError([f"{name}: {because}" for name in given])


def read_input(file: Path) -> bytes:
    """Read a file; ``-`` is standard input.  Raises ConfigError."""
    try:
        return sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"], hint="name a file that can be read, or - for stdin") from None


def print_json(value: Any) -> None:  # noqa: ANN401  any JSON
    """Print one object as a line: in UTF-8, whatever the terminal speaks, and nothing that drives one."""
    sys.stdout.flush()
    sys.stdout.buffer.write(written(value).encode() + b"\n")
    sys.stdout.flush()


def print_answer(value: Any, line: str, *, style: str = "", as_json: bool) -> None:  # noqa: ANN401  any JSON
    """Print what was answered: as JSON, or in words."""
    if as_json:
        print_json(value)
    else:
        say(line, style=style)


def print_pretty(value: Any) -> None:  # noqa: ANN401  any JSON
    """Print JSON for a reader."""
    for line in msgspec.json.format(written(value), indent=2).split("\n"):
        print(printable(line))  # a right-to-left mark, say


def written(value: Any) -> str:  # noqa: ANN401  any JSON
    """Write JSON on one line, every number with the digits it came with, and nothing that drives a terminal."""
    return harmless(msgspec.json.format(_encode(value), indent=-1).decode())


def moment(at: datetime | None) -> str:
    """Write a time as the API does."""
    return str(msgspec.to_builtins(at))


def console() -> Console:
    """Give what prints tables: into a pipe none is cut to the width of a terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_CHARACTERS)


def say(line: str, *, style: str = "") -> None:
    """Print one line, in colour on a terminal.  What senders wrote may stand in it: nothing of it is markup."""
    say_parts([(line, style)])


def say_parts(parts: Iterable[tuple[str, str]]) -> None:
    """Print one line of several texts, each with its style.  As in ``say``, nothing of them is markup."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        Console().print(Text.assemble(*((printable(text), style) for text, style in parts)), soft_wrap=True)
    else:
        sys.stdout.write("".join(printable(text) for text, _ in parts) + "\n")
        sys.stdout.flush()


def printable(text: str) -> str:
    """Take out what would drive a terminal: a sender may have written it."""
    return "".join(one if one.isprintable() or one in JOINERS else " " if one in "\t\n\r" else "\ufffd" for one in text)
