"""``verify``: prove that copy and source agree, or name what differs; with ``--heal``, repair it.

The running service compares; when none runs, this process opens the data file and does it.  Invariant: without
``--heal`` nothing is processed, applied or raised.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

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
from hookbridge.cli.ending import FINE, NO, program
from hookbridge.config import Settings
from hookbridge.model import SourceName

if TYPE_CHECKING:
    from hookbridge.reconcile.verdict import Line  # --help must not wait for it

EPILOG = """
Examples:

  ./scripts/run verify                         every followed table

  ./scripts/run verify --source supabase --table users

  ./scripts/run verify --heal                  an event for each difference

  ./scripts/run verify --json > proof.ndjson   the last line is the result

Without a running service nothing but the comparison is done, unless --heal is given: then events are processed, too.

Exit codes: 0 copy and source are equal, 1 they differ or a record could not be read whole, 2 it could not be finished,
for all tables or for one of them.
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
    seen: dict[str, list[dict[str, Any]]] = {}
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        for line in lines:
            if line["type"] == "error":
                raise Refused(0, line["message"], hint=line["hint"])
            if line["type"] == "progress":
                name = f"{line['source']} {line['table']}"
                if name not in tasks:
                    tasks[name] = progress.add_task(name, total=None)
                progress.update(tasks[name], completed=line["compared"], total=line["total"])
            else:
                seen.setdefault(line["type"], []).append(line)
            if as_json:
                print_json(line)
            elif line["type"] == "table":
                _table(line)
    if not (result := seen.get("result")):
        raise Refused(0, "The comparison ended without a result", hint="look at the service's log")
    if not as_json:
        _result(result[0], sum(one["differing"] + one["missing"] + one["extra"] for one in seen.get("table", ())))
    _refuse_unproven(seen.get("unproven", []), result[0]["tables"])
    return bool(result[0]["agrees"])


def _refuse_unproven(tables: list[dict[str, Any]], compared: int) -> None:
    """Raise Refused where a table could not be compared: whatever the others are, that is no proof."""
    if tables:
        which = ", ".join(f"{one['source']} {one['table']}" for one in tables)
        message = f"{len(tables)} of {len(tables) + compared} tables could not be compared ({which}): "
        raise Refused(0, message + tables[0]["message"], hint=tables[0]["hint"])


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
        say(f"Copy and source differ. `{program()} verify --heal` raises an event for each difference.")
    if line["cut"]:
        say(f"Not compared whole: {line['cut']}. A larger [notion] property_requests_max reads more of them.")


def _alone(settings: Settings, asked: dict[str, Any]) -> Lines:
    """Compare in this process; what is not to be healed is left exactly as it is, open events too."""
    from hookbridge import sidecar
    from hookbridge.observe.logs import configure

    heal = asked["heal"]
    note(f"No service is running: {'processing, comparing and healing' if heal else 'comparing'} in this process.")
    quiet = msgspec.structs.replace(settings.config.logging, level="error")
    configure(quiet, settings.secrets, stream=sys.stderr)
    source, table = asked.get("source"), asked.get("table")
    steps = _healing(settings, source, table) if heal else sidecar.prove(settings, source, table)

    async def step() -> Line | None:
        return await anext(steps, None)

    with asyncio.Runner() as runner:
        try:
            while (line := runner.run(step())) is not None:
                yield msgspec.to_builtins(line)
        finally:
            runner.run(steps.aclose())


async def _healing(settings: Settings, source: SourceName | None, table: str | None) -> AsyncGenerator[Line]:
    """Compare with a whole service beside it, which processes what the differences raise."""
    from hookbridge.service import Service

    # Nothing else is to be found and repaired meanwhile.
    still = msgspec.structs.replace(settings.config.reconcile, enabled=False)
    config = msgspec.structs.replace(settings.config, reconcile=still)
    service = await Service.open(msgspec.structs.replace(settings, config=config))
    working = asyncio.create_task(service.run(), name="service")
    try:
        name = None if source is None or table is None else service.sources[source].table(table)
        async with aclosing(service.reconciler.verify(source, name, heal=True)) as lines:
            async for line in lines:
                yield line
    finally:
        await service.stop()
        await working
