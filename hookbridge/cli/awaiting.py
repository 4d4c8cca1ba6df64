"""Waiting until an event is settled, and saying meanwhile why it is not.

It ends at the deadline that it was given, whatever the service does; what the reason means is the service's business.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from hookbridge.api.events import EventDetail
from hookbridge.api.health import Readiness, ReadinessSummary
from hookbridge.api.lanes import LaneState
from hookbridge.cli.api import Api
from hookbridge.cli.command import note

FIRST_SECONDS = 0.05
"""Between two looks at first; most events are settled by then."""
LATER_SECONDS = 1.0
TOLD_AFTER_SECONDS = 1.0
"""Younger waits need no reason."""


def until_settled(api: Api, event_id: str, timeout_seconds: float) -> tuple[EventDetail, str]:
    """Give the event as it was seen last, and why it was open then; empty where it is settled or nothing tells.

    Each reason is told on stderr when it is new.  Raises NotRunning or Refused.
    """
    began = time.monotonic()
    gap, last_reasons = FIRST_SECONDS, ""
    while True:
        event = api.ask("GET", f"/api/v1/events/{event_id}", EventDetail)
        if event.state != "open":
            return event, ""
        waited = time.monotonic() - began
        over = waited >= timeout_seconds
        if over or waited >= TOLD_AFTER_SECONDS:
            why = "; ".join(_reasons(event, api.readiness()))
            if why != last_reasons and why and not over:
                note(f"waiting: {why}")
            last_reasons = why
        if over:
            return event, last_reasons
        time.sleep(min(gap, timeout_seconds - waited))
        gap = min(2 * gap, LATER_SECONDS)


def _reasons(event: EventDetail, readiness: Readiness | ReadinessSummary) -> Iterator[str]:
    """Say what holds an open event up, the nearest reason first."""
    for failure in event.failures[-1:]:
        yield f"attempt {failure.attempt} failed: {failure.error}"
    if not isinstance(readiness, Readiness):
        return
    for table in readiness.tables:
        if (table.source, table.table) == (event.source, event.table) and table.reason:
            yield f"{table.table} is {table.state} ({table.reason})"
    for lane in readiness.lanes:
        if lane.source == event.source:
            yield from _reasons_of(lane, event.table)


def _reasons_of(lane: LaneState, table: str) -> Iterator[str]:
    """Say what holds up an event of a table in its lane."""
    for waiting in lane.waiting:
        if waiting.table == table:
            yield f"{waiting.table} cannot be read ({waiting.reason})"
    if lane.state not in {"running", "standby"}:
        yield f"the lane of {lane.source} is {lane.state}" + (f" ({lane.reason})" if lane.reason else "")
    elif lane.queued:
        yield f"{lane.queued} records wait for a worker of {lane.source}"
