"""An event as one line of a log with its colour, and as the lines that show everything of it.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from hookbridge.api.events import EventDetail, EventSummary
from hookbridge.cli.titles import called

STYLES: Mapping[str, str] = {
    "open": "yellow",
    "applied": "green",
    "coalesced": "dim green",
    "ignored": "dim",
    "dead": "bold red",
}


def status_of(event: EventSummary) -> str:
    """Give how it ended, or ``open``."""
    return str(event.outcome or event.state)


def style_of(event: EventSummary) -> str:
    """Give its colour on a terminal."""
    return STYLES.get(status_of(event), "")


def line_of(event: EventSummary) -> str:
    """Give its line: when it came, its number, how it ended, what it says, why where that is said, and its title."""
    received = event.received_at
    record = f"{event.source}:{event.table}:{event.record_id}"
    parts = [
        stamp(received),
        f"{event.id:>8}",
        f"{status_of(event):<9}",
        f"{event.origin:<7}",
        f"{event.type:<6}",
        record,
    ]
    if event.settled_at is not None:
        parts.append(f"{(event.settled_at - received).total_seconds():.3f}s")
    if event.verification is not None:
        parts.append(str(event.verification))
    if event.attempts > 1:
        parts.append(f"{event.attempts} attempts")
    if event.reason:
        parts.append(f"({event.reason})")
    parts.append(called(event))
    return " ".join(filter(None, parts))


def stamp(at: datetime) -> str:
    """Write a time of UTC as lines of a log begin."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}Z"


def lines_of(event: EventDetail) -> Iterator[str]:
    """Give a line for each thing that is known of it, without the body."""
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if value is not None and name not in {"body", "failures", "headers"}:
            yield _named(name, str(msgspec.to_builtins(value)))
    shown = ""
    for one in event.failures:
        yield _named(f"attempt {one.attempt}", f"failed at {msgspec.to_builtins(one.began_at)}: {one.error}")
        traceback = one.traceback or ""
        lines = traceback.splitlines() if traceback != shown else ["(the same traceback)"] if traceback else []
        yield from (_named("", line) for line in lines)
        shown = traceback
    for name, value in (event.headers or {}).items():
        yield _named("header", f"{name}: {value}")


def _named(name: str, value: str) -> str:
    return f"{name:>14}  {value}"
