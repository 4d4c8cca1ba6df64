"""``stats``: the books, the lanes and the followed tables of the running service, once or again and again."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import typer

from hookbridge.api.cluster import ClusterState
from hookbridge.api.health import Readiness, ReadinessSummary
from hookbridge.api.lanes import LaneState
from hookbridge.api.stats import Statistics
from hookbridge.cli.api import Api
from hookbridge.cli.command import (
    ConfigOption,
    JsonOption,
    UrlOption,
    console,
    print_json,
    refuse_ignored,
    service_at,
)
from hookbridge.cli.ending import NO
from hookbridge.cli.watching import looks
from hookbridge.model import ROLES
from hookbridge.verdict import lasting

if TYPE_CHECKING:
    from rich.console import RenderableType

EPILOG = """
Examples:

  ./scripts/run stats

  ./scripts/run stats --watch   again every 2 s, with rates, until Ctrl-C

  ./scripts/run stats --json | jq .books

  ./scripts/run stats --watch --every 10 --json > stats.ndjson

Exit codes: 0 shown, 1 the books do not balance, 2 it could not be asked.
"""

WatchOption = Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")]
EveryOption = Annotated[
    float | None, typer.Option("--every", min=0.1, help="Seconds between two looks, with --watch; 2 without it.")
]
EVERY_SECONDS = 2.0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen at one moment."""

    at: float
    stats: Statistics
    readiness: Readiness | ReadinessSummary

    def as_json(self) -> dict[str, Any]:
        """Give everything that is shown of it."""
        shown = {**msgspec.structs.asdict(self.stats), "ready": self.readiness.ready, "lanes": self.readiness.lanes}
        if isinstance(self.readiness, Readiness) and self.readiness.pull is not None:
            shown["pull"] = self.readiness.pull
        cluster = isinstance(self.readiness, Readiness) and self.readiness.cluster
        return {**shown, "cluster": cluster} if cluster else shown


def stats(
    watch: WatchOption = False,
    every: EveryOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Show the statistics; with --watch live, with rates."""
    if not watch:
        refuse_ignored({"--every": every}, "only with --watch")
    with service_at(config, url) as api:
        if watch:
            _watch(api, every or EVERY_SECONDS, as_json=as_json)
        seen = _look(api)
        _print(None, seen, as_json=as_json)
    if not seen.stats.books_balanced:
        raise typer.Exit(NO)


def _look(api: Api) -> Look:
    stats = api.ask("GET", "/api/v1/webhooks/stats", Statistics)
    return Look(at=time.monotonic(), stats=stats, readiness=api.readiness())


def _watch(api: Api, every: float, *, as_json: bool) -> None:
    """Show every look; ends by Ctrl-C."""
    before: Look | None = None
    if as_json or not sys.stdout.isatty():
        for seen in looks(lambda: _look(api), every):
            _print(before, seen, as_json=as_json)
            before = seen
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        for seen in looks(lambda: _look(api), every):
            live.update(_shown(before, seen), refresh=True)
            before = seen


def _print(before: Look | None, seen: Look, *, as_json: bool) -> None:
    if as_json:
        print_json(seen.as_json())
    else:
        console().print(_shown(before, seen))


def _shown(before: Look | None, seen: Look) -> RenderableType:
    from rich.console import Group

    parts: list[RenderableType] = [_books(before, seen), _lanes(seen)]
    if seen.stats.freshness:
        parts.append(_tables(seen.stats))
    if isinstance(seen.readiness, Readiness) and seen.readiness.cluster:
        parts.append(_nodes(seen.readiness.cluster))
    return Group(*parts)


def _books(before: Look | None, seen: Look) -> RenderableType:
    from hookbridge.cli.tables import Rows

    stats, books = seen.stats, seen.stats.books
    oldest = stats.oldest_open_event_age_seconds
    shown = Rows("", "", box=None, show_header=False)
    ready = seen.readiness.ready
    shown.row("state", "ready" if ready else "not ready", style="" if ready else "red")
    if isinstance(seen.readiness, Readiness) and seen.readiness.verdict:
        shown.row("verdict", seen.readiness.verdict.text)
    balance, style = ("", "") if stats.books_balanced else ("  the books do not balance", "bold red")
    shown.row("received", f"{books.received}{_rate(before, seen, 'received')}{balance}", style=style)
    shown.row("open", str(books.open))
    shown.row("applied", f"{books.applied}{_rate(before, seen, 'applied')}")
    for name, count in (("coalesced", books.coalesced), ("ignored", books.ignored), ("dead", books.dead)):
        shown.row(name, str(count))
    shown.row("oldest open", "none" if oldest is None else lasting(oldest))
    shown.row("duplicates, retries", f"{stats.duplicates}, {stats.total_retries}")
    shown.row("processing, average", f"{stats.average_processing_time_seconds * 1000:.1f} ms")
    verified = ", ".join(f"{count} {name}" for name, count in stats.verification.items() if count)
    shown.row("verification", verified or "none yet")
    return shown


def _rate(before: Look | None, seen: Look, name: Literal["received", "applied"]) -> str:
    if before is None or seen.at <= before.at:
        return ""
    new = getattr(seen.stats.books, name) - getattr(before.stats.books, name)
    return f"  ({new / (seen.at - before.at):.1f}/s)"


def _lanes(seen: Look) -> RenderableType:
    from hookbridge.cli.tables import Rows

    shown = Rows("source", "lane", "reason", "waiting", "busy")
    # Without the admin token there are only the states that anyone may see.
    for lane in seen.readiness.lanes:
        if not isinstance(lane, LaneState):
            shown.row(lane.source, lane.state)
            continue
        shown.row(lane.source, lane.state, lane.reason or "", str(lane.queued), str(lane.busy))
        for table in lane.waiting:
            shown.row("", "waits", f"{table.table}: {table.reason}", "", "")
    if isinstance(seen.readiness, Readiness) and seen.readiness.pull is not None:
        pull = seen.readiness.pull
        waiting = "" if pull.waiting is None else str(pull.waiting)
        shown.row("supabase outbox", pull.state, pull.reason or "", waiting, "")
    return shown


def _tables(stats: Statistics) -> RenderableType:
    from hookbridge.cli.tables import Rows

    shown = Rows("table", "last poll", "last sweep", "lag", "webhooks lost")
    for name, fresh in stats.freshness.items():
        loss = stats.webhook_loss.get(name)
        shown.row(
            name,
            _age(fresh.poll_age_seconds),
            _age(fresh.sweep_age_seconds),
            "" if fresh.lag_seconds is None else lasting(fresh.lag_seconds),
            "" if loss is None else f"{loss.missed} of {loss.announced + loss.missed}",
        )
    return shown


def _nodes(cluster: ClusterState) -> RenderableType:
    from hookbridge.cli.tables import Rows

    shown = Rows("node", "version", "roles", "leads", "waiting", "busy", "heard of")
    for node in cluster.nodes:
        name = f"{node.name} (this one)" if node.name == cluster.node else node.name
        busy = sum(lane.busy for lane in node.lanes)
        waiting = sum(lane.queued for lane in node.lanes)
        heard = _age(node.seen_seconds) + (", away" if node.away else "")
        roles = "all" if len(node.roles) == len(ROLES) else ", ".join(node.roles)
        shown.row(name, node.version, roles, ", ".join(node.leads), str(waiting), str(busy), heard)
    return shown


def _age(seconds: float | None) -> str:
    return "never" if seconds is None else f"{lasting(seconds)} ago"
