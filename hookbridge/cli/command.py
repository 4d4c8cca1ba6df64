"""What commands share: settings, the way to the service, errors as two lines and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hookbridge.cli.api import CANNOT, Api
from hookbridge.config import Settings
from hookbridge.errors import ConfigError, HookbridgeError

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration file; without it ./config.toml, if there is one.")
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Where the service is, when not where it is configured.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


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


def print_json(value: Any) -> None:  # noqa: ANN401  any JSON
    """Print one object as a line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
