"""The senders' endpoints: an ack for what is on disk.

Invariant: a 202 is written after ``intake.accept`` returned, so never before the events are on disk.  Nothing is
decided here: what a body is, ``pipeline/receive`` says; whether it may come in, ``pipeline/append``.

This is the hot path: about 15 µs of our own a webhook.  No line is logged for an ack and nothing is looked up twice.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from hookbridge.model import Receipt, SourceName
from hookbridge.pipeline.receive import receive
from hookbridge.sources.source import AckDetails, Handshake
from hookbridge.web.acks import ack
from hookbridge.web.bodies import read_body
from hookbridge.web.keys import SERVICE
from hookbridge.web.replies import json_reply

_encode = msgspec.json.Encoder().encode


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The guide's 202: the events of this request are on disk."""

    status: str = "accepted"
    message: str = "Webhook payload received and queued for processing"
    details: AckDetails


class HandshakeStored(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to Notion's verification handshake."""

    status: str = "verification_token_stored"
    message: str = (
        "GET /api/v1/notion/verification-token shows the token; paste it into the form of the subscription in Notion"
    )


def webhook(source_name: SourceName) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make the endpoint of one source."""

    async def handler(request: web.Request) -> web.StreamResponse:
        service = request.app[SERVICE]
        body = await read_body(request, service.settings.config.server.max_body_bytes)
        now = time.time()
        received = receive(service.sources[source_name], request.headers, body, now)
        if isinstance(received, Handshake):
            await service.handshake(received.token)
            return json_reply(HandshakeStored())
        receipts = await service.intake.accept(received.events)
        return ack(request, _encode(Accepted(details=received.details)), _ack_headers(receipts), now)

    return handler


def _ack_headers(receipts: tuple[Receipt, ...]) -> dict[str, str]:
    headers = {"X-Hookbridge-Event": ",".join([str(receipt.event_id) for receipt in receipts])}
    if any([receipt.duplicate for receipt in receipts]):  # noqa: C419  a list of one is faster than a generator
        headers["X-Hookbridge-Duplicate"] = "true"
    return headers


async def statistics(request: web.Request) -> web.StreamResponse:
    """The guide's statistics: totals only, so anyone may ask."""
    return json_reply(await request.app[SERVICE].statistics())
