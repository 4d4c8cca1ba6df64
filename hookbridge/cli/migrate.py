"""``migrate``: carries everything from a data file into a Postgres, and compares both sides.

It asks no service; the one that has the file must be stopped.  It can be interrupted, and goes on when called again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from hookbridge.cli.command import ConfigOption, JsonOption, note, print_json, say, settings_of
from hookbridge.cli.ending import FINE, NO
from hookbridge.cli.stepping import stepped
from hookbridge.config import Settings
from hookbridge.errors import ConfigError
from hookbridge.settings.store_url import EXPECTED, is_address

if TYPE_CHECKING:
    from hookbridge.migration import Progress, Result  # knows both engines, which `--help` need not wait for

EPILOG = """
Examples:

  ./scripts/run migrate      from the settings' file to HOOKBRIDGE_STORE__URL

  ./scripts/run migrate sqlite:///data/hookbridge.db postgresql://me@db/app

  ./scripts/run migrate --json | jq 'select(.type == "result")'

Stop the service first. A password is better in .env than on a command line, where every user of the machine sees it.

Exit codes: 0 all is there and equal on both sides, 1 it is not equal, 2 it could not be finished: call it again.
"""

SQLITE = "sqlite:///"

FileArgument = Annotated[
    str, typer.Argument(help="The data file, as sqlite:///PATH; without it the one that the settings name.")
]
UrlArgument = Annotated[str, typer.Argument(help="The database, as postgresql://…; without it HOOKBRIDGE_STORE__URL.")]
DIFFERENCES_SHOWN = 20


def migrate(
    file: FileArgument = "", url: UrlArgument = "", as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Carry everything from a data file into a Postgres that several nodes share."""
    settings = settings_of(config)
    path = _file_of(file) if file else settings.data_file
    result = _print(_steps(settings, path, url or settings.store_url), as_json=as_json)
    if as_json:
        print_json(result)
    else:
        _tell(result)
    raise typer.Exit(FINE if result.equal else NO)


def _file_of(url: str) -> Path:
    """Give the path of ``sqlite:///data/hookbridge.db``, or of ``sqlite:////var/lib/…``.  Raises ConfigError."""
    if not url.startswith(SQLITE) or url == SQLITE:
        shown = "an address" if "://" in url else repr(url)  # which may have a password
        hint = "four slashes begin an absolute path; the database comes behind the file"
        raise ConfigError([f"the data file: expected sqlite:///PATH, and this is {shown}"], hint=hint)
    return Path(url.removeprefix(SQLITE)).absolute()


def _steps(settings: Settings, path: Path, url: str) -> Iterator[Progress | Result]:
    from hookbridge.observe.logs import configure
    from hookbridge.store.opening import require_driver

    require_driver()
    from hookbridge import migration

    if not is_address(url):
        problem = f"the database: {EXPECTED}" if url else "no database is named"
        raise ConfigError([problem], hint="put HOOKBRIDGE_STORE__URL=postgresql://… into .env")
    configure(msgspec.structs.replace(settings.config.logging, level="error"), settings.secrets, stream=sys.stderr)
    yield from stepped(migration.migrate(path, url))


def _print(steps: Iterator[Progress | Result], *, as_json: bool) -> Result:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from hookbridge.migration import Result

    bars: dict[str, TaskID] = {}
    with Bars(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        for step in steps:
            if isinstance(step, Result):
                return step
            if as_json:
                print_json(step)
            if step.kind not in bars:
                bars[step.kind] = shown.add_task(step.kind.replace("_", " "), total=step.total)
            shown.update(bars[step.kind], completed=step.done, total=step.total)
    raise AssertionError("a migration without a result")


def _tell(result: Result) -> None:
    rows = ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in result.rows.items() if number)
    say(f"Carried: {rows or 'nothing, because there was nothing'}.")
    if result.replaced:
        note(f"In {result.replaced} texts a U+0000, which Postgres does not hold, is U+2400 now.")
    if not result.equal:
        say(f"The two sides differ in {len(result.differences)} ways, and no node will start on the database:")
        for difference in result.differences[:DIFFERENCES_SHOWN]:
            say(f"  {difference}")
        return
    say(
        f"Both sides are equal: counts, books, all copies, {result.events_compared} events byte for byte,"
        f" {result.searches_compared} searches."
    )
    say(f"The data file is {result.file} now.")
