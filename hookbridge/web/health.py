"""Two questions of whoever runs the process: does it live, and can it take webhooks.

``/healthz`` touches nothing but the event loop, so a broken disk does not get the process killed.  ``/readyz`` shows a
stranger states and our own warnings: reasons may quote a source's answer.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from hookbridge.api.health import Health, Readiness, ReadinessSummary
from hookbridge.api.lanes import LaneSummary
from hookbridge.web.access import is_operator
from hookbridge.web.keys import SERVICE
from hookbridge.web.replies import json_reply
from hookbridge.web.route import Answer, Route


async def healthz(request: web.Request) -> web.StreamResponse:  # noqa: ARG001  every handler is called with it
    """Say that the process lives: it answers as long as the event loop runs."""
    return json_reply(Health(status="ok"))


async def readyz(request: web.Request) -> web.StreamResponse:
    """Say whether webhooks can be taken (200) or not (503); operators see why."""
    readiness = await request.app[SERVICE].readiness()
    status = 200 if readiness.ready else 503
    if is_operator(request):
        if readiness.inbox_writable:  # else a store that cannot be asked would be waited for
            labelled = await request.app[SERVICE].naming.labelled(readiness.tables)
            readiness = msgspec.structs.replace(readiness, tables=labelled)
        return json_reply(readiness, status)
    summary = ReadinessSummary(
        ready=readiness.ready,
        inbox_writable=readiness.inbox_writable,
        store_fault=readiness.store_fault,
        lanes=tuple(LaneSummary(source=lane.source, state=lane.state) for lane in readiness.lanes),
        warnings=request.app[SERVICE].warnings(),
    )
    return json_reply(summary, status)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/healthz",
        handler=healthz,
        access="public",
        tag="health",
        name="healthz",
        answers={200: Answer(description="It lives", bodies=(Health,))},
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=readyz,
        access="public",
        schemes=("adminToken",),
        tag="health",
        name="readyz",
        answers={
            200: Answer(description="They can; with the admin token in detail", bodies=(ReadinessSummary, Readiness)),
            503: Answer(
                description="They cannot: the inbox cannot be written, its file is gone or damaged, the disk is"
                " nearly full, or the service ends.",
                bodies=(ReadinessSummary, Readiness),
            ),
        },
    ),
)
