"""The senders' endpoints: an ack for what is on disk.

Invariant: a 202 is written after ``intake.accept`` returned, so never before the events are on disk.  Nothing is
decided here: what a body is, ``pipeline/receive`` says; whether it may come in, ``pipeline/append``.

Most webhooks take the express way (``express``), which has the same steps; what is special or wrong comes here.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from hookbridge.api.webhooks import HandshakeStored
from hookbridge.model import SourceName
from hookbridge.pipeline.headers import kept
from hookbridge.pipeline.receive import receive
from hookbridge.sources.source import Handshake
from hookbridge.web.acks import ack
from hookbridge.web.bodies import read_body
from hookbridge.web.clients import client
from hookbridge.web.keys import SERVICE
from hookbridge.web.replies import json_reply

WEBHOOKS: Mapping[str, SourceName] = {
    "/api/v1/webhooks/supabase": "supabase",
    "/api/v1/webhooks/notion": "notion",
}
"""The endpoints of the sources."""


def webhook(source_name: SourceName) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make the endpoint of one source."""

    async def handler(request: web.Request) -> web.StreamResponse:
        service = request.app[SERVICE]
        body = await read_body(request, service.settings.config.server.max_body_bytes)
        now, began = time.time(), time.perf_counter()
        received = receive(service.sources[source_name], request.headers, body, now)
        if isinstance(received, Handshake):
            await service.holds.take_token(received.token, client(request))
            return json_reply(HandshakeStored())
        receipts = await service.intake.accept(received.events, kept(request.headers))
        seconds = time.perf_counter() - began
        service.meters.of[source_name].ack.observe(seconds)
        if service.traces is not None:
            service.traces.received(source_name, request.headers, receipts, seconds)
        return ack(request, received.details, receipts, now)

    return handler


async def statistics(request: web.Request) -> web.StreamResponse:
    """The guide's statistics: totals only, so anyone may ask."""
    return json_reply(await request.app[SERVICE].statistics())
