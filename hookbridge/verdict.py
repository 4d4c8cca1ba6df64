"""Is it healthy?  One sentence, and everything that needs somebody, worst first, with what to do.  Pure.

It claims no more than what has been seen: "converged" takes credentials, loaded tables and a comparison that is not
long ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec.structs import replace

from hookbridge.api.cluster import ClusterState
from hookbridge.api.destinations import DestinationState
from hookbridge.api.health import HealthVerdict, Level, Problem, Readiness
from hookbridge.api.lanes import LaneState
from hookbridge.api.pull import PullState
from hookbridge.api.reconcile import ContentProgress, TableStatus
from hookbridge.model import ROLES, SourceName
from hookbridge.store.values import Totals

LATE_SECONDS = 60.0
"""An open event that is older waits for something."""
POLL_GAPS = 3
"""So many gaps without a complete poll are too many."""
SWEEP_SECONDS = 26 * 3600.0
"""The same of the sweeps of a table that is only swept."""

CREDENTIALS: dict[SourceName, str] = {"supabase": "SUPABASE_URL and SUPABASE_KEY", "notion": "NOTION_TOKEN"}
SECTIONS: dict[SourceName, str] = {"supabase": "[[supabase.tables]]", "notion": "[[notion.databases]]"}


def judge(seen: Readiness, totals: Totals, now: float) -> HealthVerdict:
    """Judge the service by what its parts say.  ``now`` is epoch seconds."""
    found = [*_whole(seen, totals), *_parts(seen, totals, now)]
    problems = (*(one for one in found if one.level == "bad"), *(one for one in found if one.level == "warn"))
    notes = tuple(_notes(seen, totals, now))
    if problems:
        worst = problems[0]
        return HealthVerdict(level=worst.level, kind=worst.kind, text=worst.text, problems=problems, notes=notes)
    level, kind, text = _quiet(seen, totals)
    return HealthVerdict(level=level, kind=kind, text=text, problems=(), notes=notes)


def lasting(seconds: float) -> str:
    """Write how long something lasts, as people say it."""
    if seconds < 1:
        return "< 1 s"
    for below, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < below:
            return f"{int(seconds / unit + 0.5)} {name}"
    return f"{int(seconds / 86_400 + 0.5)} d"


# What is wrong


def _bad(
    kind: str, text: str, todo: str, events: dict[str, str] | None = None, *, remedy: str | None = None
) -> Problem:
    """Without a ``remedy`` what is to do quotes nobody."""
    return Problem(level="bad", kind=kind, text=text, todo=todo, remedy=remedy or todo, events=events)


def _warn(
    kind: str, text: str, todo: str, events: dict[str, str] | None = None, *, remedy: str | None = None
) -> Problem:
    return Problem(level="warn", kind=kind, text=text, todo=todo, remedy=remedy or todo, events=events)


def _sentence(reason: str | None) -> str:
    """End with one full stop what others have said, with or without one."""
    return f"{(reason or '').removesuffix('.')}."


def _whole(seen: Readiness, totals: Totals) -> Iterator[Problem]:
    """What concerns the whole service: one reason at most, the nearest one."""
    if seen.store_fault:
        text = "The data file cannot be relied on: webhooks are refused"
        yield _bad("store fault", text, f"{_sentence(seen.store_fault.reason)} {seen.store_fault.remedy}.")
    elif not seen.inbox_writable:
        why = "" if (found := seen.inbox_problem) is None else f"{_sentence(found.reason)} Try: {found.remedy}. "
        todo = f"{why}Senders that try again lose nothing."
        yield _bad("inbox", "The inbox cannot be written: webhooks are refused", todo)
    elif not seen.ready:
        text = "Webhooks are refused: the disk is nearly full, or the service is stopping"
        yield _bad("refusing", text, "Free space on the disk of the data folder.")
    elif not totals.books.balanced():
        todo = "This is a mistake of hookbridge: keep a copy of its data and report it."
        yield _bad("books", "The books do not balance", todo)


def _parts(seen: Readiness, totals: Totals, now: float) -> Iterator[Problem]:
    for lane in seen.lanes:
        yield from _of_lane(lane, now)
    if dead := totals.books.dead:
        todo = "Look at the reason, repair what it names, then replay or dismiss them."
        yield _bad("dead letters", _counted(dead, "dead letter"), todo, {"outcome": "dead"})
    for table in seen.tables:
        yield from _of_table(table, now)
    if seen.pull is not None:
        yield from _of_pull(seen.pull, now)
    for destination in seen.destinations:
        yield from (replace(one, destination=destination.name) for one in _of_destination(destination, now))
    if seen.cluster:
        yield from _of_other_lanes(seen.cluster, seen.lanes)
        yield from _of_cluster(seen.cluster)
    age = seen.oldest_open_seconds
    # A lane that stands still has said so already, and why.
    if age is not None and age > LATE_SECONDS and all(lane.state in {"running", "standby"} for lane in seen.lanes):
        todo = "Attempts that fail, a slow source or handler, or more than can be done."
        yield _warn("late", f"The oldest open event waits for {lasting(age)}", todo, {"state": "open"})


def _of_lane(lane: LaneState, now: float) -> Iterator[Problem]:
    why = f"{_sentence(lane.reason)} " if lane.reason else ""
    since = _since(lane.since, now)
    lasts = f" for {lasting(since)}" if since is not None and since >= 1 else ""
    kind = f"{lane.source} {lane.state}"
    match lane.state:
        case "refused":
            remedy = f"Set {CREDENTIALS[lane.source]} to one that may read, and restart. Its events wait."
            yield _bad(kind, f"{lane.source} refuses our key{lasts}", f"{why}{remedy}", remedy=remedy)
        case "down":
            remedy = "It is asked again and again; its events wait and lose no attempt."
            yield _warn(kind, f"{lane.source} is down{lasts}", f"{why}{remedy}", remedy=remedy)
        case "paused":
            yield _warn(kind, f"{lane.source} is paused{lasts}", "Resume it when it may go on. Its events wait.")
        case "running" | "standby":
            pass
    for table in lane.waiting:
        remedy = (f"Try: {table.hint}. " if table.hint else "") + "It is asked for again and again."
        text = f"{table.table} cannot be read: its records wait"
        yield _warn(f"{table.table} waiting", text, f"{_sentence(table.reason)} {remedy}", remedy=remedy)


def _of_other_lanes(cluster: ClusterState, ours: tuple[LaneState, ...]) -> Iterator[Problem]:
    """What stands still on other nodes, and not here, where it has been said already."""
    here = {(lane.source, lane.state) for lane in ours}
    elsewhere: dict[tuple[SourceName, str], list[str]] = {}
    reasons: dict[tuple[SourceName, str], str] = {}
    for node in cluster.nodes:
        for lane in node.lanes if node.name != cluster.node and not node.away else ():
            if lane.state in {"down", "refused"} and (lane.source, lane.state) not in here:
                elsewhere.setdefault((lane.source, lane.state), []).append(node.name)
                reasons.setdefault((lane.source, lane.state), f"{_sentence(lane.reason)} " if lane.reason else "")
    for (source, state), names in elsewhere.items():
        where, kind, why = ", ".join(names), f"{source} {state}", reasons[source, state]
        if state == "refused":
            remedy = f"Set {CREDENTIALS[source]} there to one that may read, and restart. Its events wait."
            yield _bad(kind, f"{source} refuses the key of {where}", f"{why}{remedy}", remedy=remedy)
        else:
            remedy = "It is asked again and again; its events wait and lose no attempt."
            yield _warn(kind, f"{source} is down, as {where} knows it", f"{why}{remedy}", remedy=remedy)


def _of_table(table: TableStatus, now: float) -> Iterator[Problem]:
    kind, name = f"{table.table} {table.state}", _named(table)
    name = name[0].upper() + name[1:] if table.source == "notion" else name
    which = f"{table.table}: " if table.source == "notion" else ""
    if table.state == "unconfirmed":
        how = "with POST /api/v1/reconcile, kind “sweep” and “confirm”."
        remedy = f"{which}Look whether they are meant, and confirm them {how}"
        todo = f"{which}{table.reason}, {how}"
        yield _bad(kind, f"{name}: deletions wait for you", todo, remedy=remedy)
    elif table.state == "failing":
        remedy = "It is tried again and again."
        todo = f"{which}{_sentence(table.reason)} {remedy}"
        yield _warn(kind, f"{name} cannot be compared", todo, remedy=f"{which}{remedy}")
    elif table.content is not None and table.content.refused is not None:
        remedy = "Its pages are copied without, and their bodies are asked for again."
        todo = f"{which}{_sentence(table.content.refused)} {remedy}"
        text = f"{name}: the bodies of its pages are not given"
        yield _warn(f"{table.table} bodies", text, todo, remedy=f"{which}{remedy}")
    elif table.state == "following" and not _is_fresh(table, now):
        todo = f"{which}Changes since then that no webhook told are not known yet."
        yield _warn(f"{table.table} stale", f"{name} was last compared {_ago(_compared(table), now)}", todo)


def _of_pull(pull: PullState, now: float) -> Iterator[Problem]:
    lasts, hint = lasting(_since(pull.since, now) or 0.0), f"Try: {pull.hint}. " if pull.hint else ""
    kind, remedy = f"pull {pull.state}", f"{hint}Changes wait at Supabase, and none is lost."
    todo = f"{_sentence(pull.reason)} {remedy}"
    match pull.state:
        case "refused":
            yield _bad(kind, f"Supabase's outbox gives us no changes for {lasts}", todo, remedy=remedy)
        case "down":
            yield _warn(kind, f"Supabase's outbox cannot be asked for {lasts}", todo, remedy=remedy)
        case "held":
            text = f"No changes are taken from Supabase for {lasts}: our inbox takes none"
            yield _warn(kind, text, todo, remedy=remedy)
        case _ if (pull.oldest_seconds or 0.0) > LATE_SECONDS:
            text = f"The oldest change in Supabase's outbox waits for {lasting(pull.oldest_seconds or 0.0)}"
            yield _warn("pull late", text, "More changes than can be taken, or a transaction there that does not end.")


def _of_destination(destination: DestinationState, now: float) -> Iterator[Problem]:
    if destination.rejected:
        number = f"{destination.rejected:,} change{'s' * (destination.rejected > 1)}"
        todo = "Look at the reasons (destinations rejected), repair what they name, then replay or dismiss them."
        text = f"The destination {destination.name} has rejected {number}"
        yield _warn(f"destination {destination.name} rejected", text, todo)
    if destination.state == "running":
        return
    kind, lasts = f"destination {destination.name} {destination.state}", lasting(_since(destination.since, now) or 0.0)
    why = f"{destination.url}: {_sentence(destination.reason)} "
    again = "Its changes wait, and it is tried again and again."
    resumed = "Its changes wait until it is resumed."
    anew = "It is running again when it has taken that."
    match destination.state:
        case "refused":
            text = f"The destination {destination.name} refuses our requests for {lasts}"
            yield _bad(kind, text, f"{why}{again}", remedy=again)
        case "stopped":
            text = f"The destination {destination.name} has stopped"
            yield _bad(kind, text, f"{why}{resumed}", remedy=resumed)
        case "behind":
            text = f"The destination {destination.name} is told everything anew for {lasts}"
            yield _warn(kind, text, f"{why}{anew}", remedy=anew)
        case "paused":
            yield _warn(kind, f"The destination {destination.name} is paused", "Resume it when it may go on.")
        case _:
            text = f"The destination {destination.name} is down for {lasts}"
            yield _warn(kind, text, f"{why}{again}", remedy=again)


def _of_cluster(cluster: ClusterState) -> Iterator[Problem]:
    for node in cluster.nodes:
        if node.away:
            text = f"The node {node.name} was last heard of {lasting(node.seen_seconds)} ago"
            todo = "Others do what it did. Look at its log, and at its way to the store, or start it anew."
            yield _warn(f"node {node.name} away", text, todo)
    here = [node for node in cluster.nodes if not node.away]
    for role in ROLES:
        if not any(role in node.roles for node in here):
            yield _warn(f"nobody can {role}", f"No node has the role {role}", "Start one whose [node] roles have it.")
    if others := ", ".join(node.name for node in here if node.same_admin_token is False):
        todo = "Give all nodes the same HOOKBRIDGE_ADMIN_TOKEN, and restart them."
        yield _warn("admin tokens", f"Nodes have different admin tokens: {cluster.node} and {others}", todo)


# What is said where nothing is wrong


def _quiet(seen: Readiness, totals: Totals) -> tuple[Level, str, str]:
    for kind, text in _loading(seen):
        return "busy", kind, text
    if totals.books.open:
        return "busy", "working", f"Working on {_counted(totals.books.open, 'event')}"
    used = [lane for lane in seen.lanes if _is_used(seen, totals, lane)]
    if not used:
        return "idle", "nothing", "Nothing received yet"
    if blind := " and ".join(lane.source for lane in used if not lane.has_credentials):
        return "idle", f"{blind} unverified", f"All settled, not verified: no credentials for {blind}"
    if alone := " and ".join(lane.source for lane in used if not _tables(seen, lane)):
        return "idle", f"{alone} uncompared", f"All settled, not compared: no table of {alone} is followed"
    return "good", "converged", "Converged: every event is settled"


def _loading(seen: Readiness) -> Iterator[tuple[str, str]]:
    """Say what is loaded for the first time, pages before their bodies."""
    for table in seen.tables:
        if table.state == "backfilling":
            of = "" if table.total is None else f" of {_grouped(table.total)}"
            yield f"{table.table} backfilling", f"Backfilling {_named(table)}: {_grouped(table.listed)}{of}"
    for table in seen.tables:
        if table.content is not None and (text := _of_bodies(table.content)):
            yield f"{table.table} bodies", f"Reading the bodies of {_named(table)}: {text}"


def _of_bodies(progress: ContentProgress) -> str:
    """Say how far the bodies of a table are read; the empty text where they are."""
    if progress.stored >= progress.total:
        return ""
    left = "" if progress.left_seconds is None else f", about {lasting(progress.left_seconds)} left"
    return f"{_grouped(progress.stored)} of {_grouped(progress.total)}{left}"


def _notes(seen: Readiness, totals: Totals, now: float) -> Iterator[str]:
    """What is not wrong, but would be better otherwise; and what the verdict rests on."""
    if not any(totals.by_source.get(lane.source) for lane in seen.lanes):
        yield "No event has come in yet. “Send a test event” makes one."
    for lane in seen.lanes:
        if not _is_used(seen, totals, lane):
            continue
        if not lane.has_credentials:
            yield f"Set {CREDENTIALS[lane.source]}: then every event of {lane.source} is verified against it."
        elif not _tables(seen, lane):
            section = SECTIONS[lane.source]
            yield f"List tables under {section} in config.toml: then lost webhooks of {lane.source} are found."
    for table in seen.tables:
        if table.state == "following":
            swept = _ago(table.last_sweep_at, now)
            yield f"{table.table}: compared {_ago(_compared(table), now)}, completely {swept}."


def _tables(seen: Readiness, lane: LaneState) -> list[TableStatus]:
    return [table for table in seen.tables if table.source == lane.source]


def _is_used(seen: Readiness, totals: Totals, lane: LaneState) -> bool:
    return bool(totals.by_source.get(lane.source) or _tables(seen, lane))


def _compared(table: TableStatus) -> datetime | None:
    return table.last_sweep_at if table.poll_gap_seconds is None else table.last_poll_at


def _is_fresh(table: TableStatus, now: float) -> bool:
    gap, age = table.poll_gap_seconds, _since(_compared(table), now)
    return age is not None and age <= (SWEEP_SECONDS if gap is None else max(LATE_SECONDS, POLL_GAPS * gap))


# Words


def _named(table: TableStatus) -> str:
    """Name a table in a headline, in which the id of a database would say nothing."""
    return "a database of notion" if table.source == "notion" else table.table


def _counted(number: int, noun: str) -> str:
    return f"{_grouped(number)} {noun}{'' if number == 1 else 's'}"


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")  # as the page writes its figures


def _since(at: datetime | None, now: float) -> float | None:
    return None if at is None else max(now - at.timestamp(), 0.0)


def _ago(at: datetime | None, now: float) -> str:
    since = _since(at, now)
    if since is None:
        return "never"
    return "just now" if since < 1 else f"{lasting(since)} ago"
