"""The senders' endpoints: an ack for what is on disk.

What is done with a webhook, ``reception`` says.  Most of them are acknowledged at the ``door`` already; what is special
or wrong comes here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from hookbridge.api import examples, formats
from hookbridge.api import webhooks as said
from hookbridge.api.stats import Statistics
from hookbridge.errors import HandshakeRefused, InvalidSignature, InvalidSource, TryLater
from hookbridge.model import SourceName
from hookbridge.sources.source import Handshake
from hookbridge.web.bodies import read_body
from hookbridge.web.clients import client
from hookbridge.web.keys import RECEPTIONS, SERVICE
from hookbridge.web.replies import json_reply
from hookbridge.web.route import SIGNED, Answer, Request, Route


def webhook(source_name: SourceName) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make the endpoint of one source."""

    async def handler(request: web.Request) -> web.StreamResponse:
        service = request.app[SERVICE]
        body = await read_body(request)
        reception = request.app[RECEPTIONS][source_name]
        try:
            taken = reception.take(request.headers, body)
        except (InvalidSignature, HandshakeRefused):
            if source_name != "notion" or not await service.holds.look_for_token():
                raise
            taken = reception.take(request.headers, body)
        if isinstance(taken, Handshake):
            await service.holds.take_token(taken.token, client(request))
            return json_reply(said.HandshakeStored())
        await asyncio.wait((taken.stored,))
        return taken.ack().response()

    return handler


async def statistics(request: web.Request) -> web.StreamResponse:
    """Show the guide's statistics: totals only, so anyone may ask."""
    return json_reply(await request.app[SERVICE].statistics())


def stored(example: object) -> Answer:
    """Describe the 202."""
    meaning = "The event is on disk and will be processed"
    return Answer(description=meaning, bodies=(said.Accepted,), example=example, headers=said.ACK_HEADERS)


STORED = (
    "The event is stored durably before the answer 202; the record is then read from its source. The signature is"
    " asked for where signatures are verified."
)

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/webhooks/supabase",
        handler=webhook("supabase"),
        access="signed",
        schemes=SIGNED,
        headers=said.WebhookHeaders,
        tag="webhooks",
        name="receiveSupabase",
        description=f"Receive a Supabase webhook. {STORED} Formats: the guide's, Database Webhooks, our trigger's.",
        request=Request(bodies=formats.SUPABASE, examples=examples.SUPABASE),
        answers={202: stored(examples.SUPABASE_ACCEPTED)},
        refusals=(InvalidSource, TryLater),
    ),
    Route(
        method="POST",
        path="/api/v1/webhooks/notion",
        handler=webhook("notion"),
        access="signed",
        schemes=(*SIGNED, "notionSignature"),
        headers=said.WebhookHeaders,
        tag="webhooks",
        name="receiveNotion",
        description="Receive a Notion webhook, or its verification handshake."
        f" {STORED} Formats: the guide's, integration webhooks, what a database automation sends.",
        request=Request(bodies=formats.NOTION, examples=examples.NOTION),
        answers={
            200: Answer(description="The verification token is stored", bodies=(said.HandshakeStored,)),
            202: stored(examples.NOTION_ACCEPTED),
        },
        refusals=(InvalidSource, HandshakeRefused, TryLater),
    ),
    Route(
        method="GET",
        path="/api/v1/webhooks/stats",
        handler=statistics,
        access="public",
        tag="webhooks",
        name="statistics",
        answers={200: Answer(description="Totals since the first start", bodies=(Statistics,))},
    ),
)
