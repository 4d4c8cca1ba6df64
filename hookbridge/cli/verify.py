"""``verify``: prove that copy and source agree, or name what differs; with ``--heal``, repair it.

The running service compares; when none runs, this process opens the data file and does it.  Invariant: without
``--heal`` nothing is processed, applied or raised.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from typing import Annotated, Any

import msgspec
import typer

from hookbridge.api import reconcile as said
from hookbridge.cli.api import Api, Refused, named
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    SourceOption,
    TableOption,
    UrlOption,
    moment,
    note,
    print_json,
    refuse_ignored,
    say,
    settings_of,
)
from hookbridge.cli.ending import FINE, NO, program
from hookbridge.cli.stepping import stepped
from hookbridge.cli.titles import in_table, titled
from hookbridge.config import Settings
from hookbridge.model import SourceName

EPILOG = """
Examples:

  ./scripts/run verify                         every followed table

  ./scripts/run verify --source supabase --table users

  ./scripts/run verify --heal                  an event for each difference

  ./scripts/run verify --content               the bodies of pages, too

  ./scripts/run verify --json > proof.ndjson   the last line is the result

Bodies of pages are compared by the time of their edit; --content takes one request for each, and says how long.

Without a running service nothing but the comparison is done, unless --heal is given: then events are processed, too.

Exit codes: 0 copy and source are equal, 1 they differ or a record could not be read whole, 2 it could not be finished,
for all tables or for one of them.
"""

HealOption = Annotated[bool, typer.Option("--heal", help="Raise an event for each difference, and look again.")]
ContentOption = Annotated[bool, typer.Option("--content", help="Read and compare the body of every page, too.")]
KEYS_SHOWN = 20

Line = said.Line | said.Failure
_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def verify(
    source: SourceOption = None,
    table: TableOption = None,
    heal: HealOption = False,
    content: ContentOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Compare copy and source completely."""
    if source is None:
        refuse_ignored({"--table": table}, "needs --source, because a table is a table of one source")
    asked = {
        "heal": heal,
        "content": content,
        **({"source": source} if source else {}),
        **({"table": table} if table else {}),
    }
    settings = settings_of(config)
    with closing(Api.of(settings, url)) as api:
        there = named(url) is not None or api.is_running()
        lines = api.lines("/api/v1/verify", asked, _DECODER) if there else _alone(settings, asked)
        agrees = _print(lines, as_json=as_json)
    raise typer.Exit(FINE if agrees else NO)


def _print(lines: Iterator[Line], *, as_json: bool) -> bool:
    """Print what comes, and give the result.  Raises Refused when there is none."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    seen: list[Line] = []
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        for line in lines:
            if isinstance(line, said.Failure):
                raise Refused(0, line.message, hint=line.hint)
            if isinstance(line, said.Progress):
                name = f"{line.source} {line.table}"
                if name not in tasks:
                    tasks[name] = progress.add_task(name, total=None)
                progress.update(tasks[name], completed=line.compared, total=line.total)
            else:
                seen.append(line)
            if as_json:
                print_json(line)
            elif isinstance(line, said.TableProof):
                _table(line)
            elif isinstance(line, said.Unproven):
                say(_with(f"{line.source} {line.table}: not compared", in_table(line)))
    if not (results := [line for line in seen if isinstance(line, said.Verdict)]):
        raise Refused(0, "The comparison ended without a result", hint="look at the service's log")
    if not as_json:
        _result(results[0], sum(line.different for line in seen if isinstance(line, said.TableProof)))
    _refuse_unproven([line for line in seen if isinstance(line, said.Unproven)], results[0].tables)
    return results[0].agrees


def _refuse_unproven(tables: list[said.Unproven], compared: int) -> None:
    """Raise Refused where a table could not be compared: whatever the others are, that is no proof."""
    if tables:
        which = ", ".join(f"{one.source} {one.table}" for one in tables)
        message = f"{len(tables)} of {len(tables) + compared} tables could not be compared ({which}): "
        raise Refused(0, message + tables[0].message, hint=tables[0].hint)


def _table(line: said.TableProof) -> None:
    cut = f", {line.cut} cut" if line.cut else ""
    cut += f", {line.waiting} without their bodies yet" if line.waiting else ""
    healed = f", {line.healed} healed" if line.healed else ""
    counts = f"{line.equal} equal, {line.differing} differing, {line.missing} missing, {line.extra} extra"
    say(_with(f"{line.source} {line.table}: {counts}{cut}{healed}", in_table(line)))
    for kind, keys in line.keys.items():
        for key in keys[:KEYS_SHOWN]:
            title = line.titles.get(key, key)
            say(_with(f"  {kind}: {key}", titled(title) if title != key else ""))
        if (left := getattr(line, kind) - KEYS_SHOWN) > 0:
            say(f"  {kind}: and {left} more")


def _with(text: str, called: str) -> str:
    """Put what people call it behind the line that speaks of it."""
    return f"{text} {called}" if called else text


def _result(line: said.Verdict, different: int) -> None:
    if line.agrees:
        say(f"Copy and source are equal as of {moment(line.as_of)}.")
    if different:
        say(f"Copy and source differ. `{program()} verify --heal` raises an event for each difference.")
    if line.cut:
        say(f"Not compared whole: {line.cut}. A larger [notion] property_requests_max reads more of them.")
    if line.waiting:
        say(f"Bodies that are still to be read: {line.waiting}. `{program()} reconcile` says how long that takes.")


def _alone(settings: Settings, options: dict[str, Any]) -> Iterator[Line]:
    """Compare in this process; what is not to be healed is left exactly as it is, open events too."""
    from hookbridge import sidecar
    from hookbridge.observe.logs import configure

    heal = options["heal"]
    note(f"No service is running: {'processing, comparing and healing' if heal else 'comparing'} in this process.")
    quiet = msgspec.structs.replace(settings.config.logging, level="error")
    configure(quiet, settings.secrets, stream=sys.stderr)
    source, table = options.get("source"), options.get("table")
    content = options["content"]
    yield from stepped((_healing if heal else sidecar.prove)(settings, source, table, content=content))


async def _healing(
    settings: Settings, source: SourceName | None, table: str | None, *, content: bool
) -> AsyncGenerator[said.Line]:
    """Compare with a whole service beside it, which processes what the differences raise."""
    from hookbridge.service import Service

    # Nothing else is to be found and repaired meanwhile.
    still = msgspec.structs.replace(settings.config.reconcile, enabled=False)
    config = msgspec.structs.replace(settings.config, reconcile=still)
    service = await Service.open(msgspec.structs.replace(settings, config=config))
    working = asyncio.create_task(service.run(), name="service")
    try:
        name = None if source is None or table is None else service.sources[source].table(table)
        async with aclosing(service.reconciler.verify(source, name, heal=True, content=content)) as lines:
            async for line in lines:
                yield line
    finally:
        await service.stop()
        await working
