"""Two questions of whoever runs the process: does it live, and can it take webhooks.

``/healthz`` touches nothing but the event loop, so a broken disk does not get the process killed.  ``/readyz`` shows a
stranger states and our own warnings: reasons may quote a source's answer.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from hookbridge.model import SourceName
from hookbridge.store.values import Fault
from hookbridge.web.access import is_operator
from hookbridge.web.keys import SERVICE
from hookbridge.web.replies import json_reply


class Health(msgspec.Struct, frozen=True):
    """The event loop runs."""

    status: str = "ok"
    """Always `ok`."""


class LaneSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger may know of a lane."""

    source: SourceName
    state: str
    """`running`, `down`, `refused` or `paused`."""


class ReadinessSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger may know of the service."""

    ready: bool
    """Whether webhooks can be taken."""
    inbox_writable: bool
    """Whether the inbox can be written."""
    store_fault: Fault | None
    """Why the store cannot be relied on until an operator acts: its file is gone from its place, or damaged."""
    lanes: tuple[LaneSummary, ...]
    """One for each source."""
    warnings: tuple[str, ...]
    """What an operator should look at."""


async def healthz(request: web.Request) -> web.StreamResponse:  # noqa: ARG001  every handler is called with it
    """Answer as long as the event loop runs."""
    return json_reply(Health())


async def readyz(request: web.Request) -> web.StreamResponse:
    """Answer 200 when webhooks can be taken, else 503; operators see why."""
    readiness = await request.app[SERVICE].readiness()
    status = 200 if readiness.ready else 503
    if is_operator(request):
        return json_reply(readiness, status)
    summary = ReadinessSummary(
        ready=readiness.ready,
        inbox_writable=readiness.inbox_writable,
        store_fault=readiness.store_fault,
        lanes=tuple(LaneSummary(source=lane.source, state=lane.state) for lane in readiness.lanes),
        warnings=request.app[SERVICE].warnings(),
    )
    return json_reply(summary, status)
