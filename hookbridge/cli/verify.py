"""``verify``: prove that copy and source agree, or name what differs; with ``--heal``, repair it.

The running service compares; when none runs, this process opens the data file and does it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from hookbridge.cli.answers import PROOF_LINES
from hookbridge.cli.api import Api, Refused, named
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    SourceOption,
    TableOption,
    UrlOption,
    note,
    print_json,
    refuse_ignored,
    say,
    settings_of,
)
from hookbridge.cli.ending import FINE, NO
from hookbridge.config import Settings

EPILOG = """
Examples:

  python -m hookbridge verify                                     every followed table

  python -m hookbridge verify --source supabase --table users

  python -m hookbridge verify --heal                              raise an event for each difference

  python -m hookbridge verify --json > proof.ndjson               one object a line; the last one is the result

Exit codes: 0 copy and source are equal, 1 they differ or a record could not be read whole, 2 it could not be finished.
"""

HealOption = Annotated[bool, typer.Option("--heal", help="Raise an event for each difference, and look again.")]
KEYS_SHOWN = 20

Lines = Iterator[dict[str, Any]]


def verify(
    source: SourceOption = None,
    table: TableOption = None,
    heal: HealOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Compare copy and source completely."""
    if source is None:
        refuse_ignored({"--table": table}, "needs --source, because a table is a table of one source")
    asked = {"heal": heal, **({"source": source} if source else {}), **({"table": table} if table else {})}
    settings = settings_of(config)
    api = Api.of(settings, url)
    try:
        there = named(url) is not None or api.is_running()
        lines = api.lines("/api/v1/verify", asked, PROOF_LINES) if there else _alone(settings, asked)
        agrees = _print(lines, as_json=as_json)
    finally:
        api.close()
    raise typer.Exit(FINE if agrees else NO)


def _print(lines: Lines, *, as_json: bool) -> bool:
    """Print what comes, and give the result.  Raises Refused when there is none."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    different = 0
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        for line in lines:
            if line["type"] == "error":
                raise Refused(0, line["message"], hint=line["hint"])
            if line["type"] == "progress":
                name = f"{line['source']} {line['table']}"
                if name not in tasks:
                    tasks[name] = progress.add_task(name, total=None)
                progress.update(tasks[name], completed=line["compared"], total=line["total"])
            elif line["type"] == "table":
                different += line["differing"] + line["missing"] + line["extra"]
            if as_json:
                print_json(line)
            elif line["type"] == "table":
                _table(line)
            elif line["type"] == "result":
                _result(line, different)
            if line["type"] == "result":
                return bool(line["agrees"])
    raise Refused(0, "The comparison ended without a result", hint="look at the service's log")


def _table(line: dict[str, Any]) -> None:
    counts = ", ".join(f"{line[kind]} {kind}" for kind in ("equal", "differing", "missing", "extra"))
    counts += f", {line['cut']} cut" if line["cut"] else ""
    healed = f", {line['healed']} healed" if line["healed"] else ""
    say(f"{line['source']} {line['table']}: {counts}{healed}")
    for kind, keys in line["keys"].items():
        more = f" and {line[kind] - KEYS_SHOWN} more" if line[kind] > KEYS_SHOWN else ""
        say(f"  {kind}: {', '.join(keys[:KEYS_SHOWN])}{more}")


def _result(line: dict[str, Any], different: int) -> None:
    if line["agrees"]:
        say(f"Copy and source are equal as of {line['as_of']}.")
    if different:
        say("Copy and source differ. `python -m hookbridge verify --heal` raises an event for each difference.")
    if line["cut"]:
        say(f"Not compared whole: {line['cut']}. A larger [notion] property_requests_max reads more of them.")


def _alone(settings: Settings, asked: dict[str, Any]) -> Lines:
    """Compare in this process, with the service's own parts and without its socket."""
    from hookbridge.observe.logs import configure

    note("No service is running: comparing in this process.")
    quiet = msgspec.structs.replace(settings.config.logging, level="error")
    configure(quiet, settings.secrets, stream=sys.stderr)
    # Only what is compared: nothing is to be found and repaired meanwhile.
    still = msgspec.structs.replace(settings.config.reconcile, enabled=False)
    config = msgspec.structs.replace(settings.config, reconcile=still)
    settings = msgspec.structs.replace(settings, config=config)
    with asyncio.Runner() as runner:
        found: list[dict[str, Any]] = runner.run(_compare(settings, asked))
    yield from found


async def _compare(settings: Settings, asked: dict[str, Any]) -> list[dict[str, Any]]:
    from hookbridge.service import Service
    from hookbridge.web.reconcile import VerifyBody, proof_lines

    body = _convert(asked, VerifyBody)
    service = await Service.open(settings)
    working = asyncio.create_task(service.run(), name="service")
    try:
        return [msgspec.to_builtins(line) async for line in proof_lines(service, body)]
    finally:
        await service.stop()
        await working


def _convert(asked: dict[str, Any], kind: type[Any]) -> Any:  # noqa: ANN401  of that kind
    try:
        return msgspec.convert(asked, kind)
    except msgspec.ValidationError as error:
        raise Refused(0, str(error), hint="see --help") from None
