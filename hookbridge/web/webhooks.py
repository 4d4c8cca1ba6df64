"""The senders' endpoints: an ack for what is on disk.

What is done with a webhook, ``reception`` says.  Most of them are acknowledged at the ``door`` already; what is special
or wrong comes here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from hookbridge.api.webhooks import HandshakeStored
from hookbridge.model import SourceName
from hookbridge.sources.source import Handshake
from hookbridge.web.bodies import read_body
from hookbridge.web.clients import client
from hookbridge.web.keys import RECEPTIONS, SERVICE
from hookbridge.web.replies import json_reply


def webhook(source_name: SourceName) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make the endpoint of one source."""

    async def handler(request: web.Request) -> web.StreamResponse:
        service = request.app[SERVICE]
        body = await read_body(request, service.settings.config.server.max_body_bytes)
        taken = request.app[RECEPTIONS][source_name].take(request.headers, body)
        if isinstance(taken, Handshake):
            await service.holds.take_token(taken.token, client(request))
            return json_reply(HandshakeStored())
        await asyncio.wait((taken.stored,))
        return taken.ack().response()

    return handler


async def statistics(request: web.Request) -> web.StreamResponse:
    """The guide's statistics: totals only, so anyone may ask."""
    return json_reply(await request.app[SERVICE].statistics())
