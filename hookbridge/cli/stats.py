"""``stats``: the books, the lanes and the followed tables of the running service, once or again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hookbridge.cli.api import NO, Api
from hookbridge.cli.command import PIPE_CHARACTERS, ConfigOption, JsonOption, UrlOption, print_json, service_at

if TYPE_CHECKING:
    from rich.console import RenderableType

EPILOG = """
Examples:

  python -m hookbridge stats

  python -m hookbridge stats --watch                     again every 2 s, with rates, until Ctrl-C

  python -m hookbridge stats --json | jq .books

  python -m hookbridge stats --watch --every 10 --json > stats.ndjson

Exit codes: 0 shown, 1 the books do not balance, 2 it could not be asked.
"""

WatchOption = Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")]
EveryOption = Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks, with --watch.")]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen at one moment."""

    at: float
    stats: dict[str, Any]
    readiness: dict[str, Any]


def stats(
    watch: WatchOption = False,
    every: EveryOption = 2.0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Show the statistics; with --watch live, with rates."""
    with service_at(config, url) as api:
        if watch:
            _watch(api, every, as_json=as_json)
        seen = _look(api)
        if as_json:
            print_json(seen.stats)
        else:
            _print(_shown(None, seen))
    if not seen.stats["books_balanced"]:
        raise typer.Exit(NO)


def _look(api: Api) -> Look:
    return Look(at=time.monotonic(), stats=api.ask("GET", "/api/v1/webhooks/stats"), readiness=api.readiness())


def _looks(api: Api, every: float) -> Iterator[Look]:
    while True:
        yield _look(api)
        time.sleep(every)


def _watch(api: Api, every: float, *, as_json: bool) -> None:
    """Show every look; ends with the service or by Ctrl-C."""
    before: Look | None = None
    if as_json or not sys.stdout.isatty():
        for seen in _looks(api, every):
            if as_json:
                print_json(seen.stats)
            else:
                _print(_shown(before, seen))
            before = seen
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        for seen in _looks(api, every):
            live.update(_shown(before, seen), refresh=True)
            before = seen


def _print(shown: RenderableType) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else PIPE_CHARACTERS).print(shown)


def _shown(before: Look | None, seen: Look) -> RenderableType:
    from rich.console import Group

    parts: list[RenderableType] = [_books(before, seen), _lanes(seen)]
    if seen.stats["freshness"]:
        parts.append(_tables(seen.stats))
    return Group(*parts)


def _books(before: Look | None, seen: Look) -> RenderableType:
    from rich.table import Table

    stats, books = seen.stats, seen.stats["books"]
    oldest = stats["oldest_open_event_age_seconds"]
    shown = Table("", "", box=None, show_header=False)
    ready = seen.readiness["ready"]
    shown.add_row("state", "ready" if ready else "[red]not ready[/red]")
    balance = "" if stats["books_balanced"] else "  [bold red]the books do not balance[/bold red]"
    shown.add_row("received", f"{books['received']}{_rate(before, seen, 'received')}{balance}")
    for name in ("open", "applied", "coalesced", "ignored", "dead"):
        shown.add_row(name, f"{books[name]}{_rate(before, seen, name) if name == 'applied' else ''}")
    shown.add_row("oldest open", "none" if oldest is None else f"{oldest:.1f} s")
    shown.add_row("duplicates, retries", f"{stats['duplicates']}, {stats['total_retries']}")
    shown.add_row("processing, average", f"{stats['average_processing_time_seconds'] * 1000:.1f} ms")
    verified = ", ".join(f"{count} {name}" for name, count in stats["verification"].items() if count)
    shown.add_row("verification", verified or "none yet")
    return shown


def _rate(before: Look | None, seen: Look, name: str) -> str:
    if before is None or seen.at <= before.at:
        return ""
    new = seen.stats["books"][name] - before.stats["books"][name]
    return f"  ({new / (seen.at - before.at):.1f}/s)"


def _lanes(seen: Look) -> RenderableType:
    from rich.table import Table

    shown = Table("source", "lane", "reason", "waiting", "busy")
    # Without the admin token there are only the states that anyone may see.
    for lane in seen.readiness.get("lanes", ()):
        shown.add_row(
            lane["source"],
            lane["state"],
            lane.get("reason") or "",
            str(lane.get("queued", "")),
            str(lane.get("busy", "")),
        )
    return shown


def _tables(stats: dict[str, Any]) -> RenderableType:
    from rich.table import Table

    shown = Table("table", "last poll", "last sweep", "lag", "webhooks lost")
    for name, fresh in stats["freshness"].items():
        loss = stats["webhook_loss"].get(name)
        shown.add_row(
            name,
            _age(fresh["poll_age_seconds"]),
            _age(fresh["sweep_age_seconds"]),
            "" if fresh["lag_seconds"] is None else f"{fresh['lag_seconds']:.1f} s",
            "" if loss is None else f"{loss['missed']} of {loss['announced'] + loss['missed']}",
        )
    return shown


def _age(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s ago"
