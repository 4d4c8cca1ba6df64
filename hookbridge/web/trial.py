"""Payloads by hand: the guide's test endpoint, and an operator's way into the inbox.

Invariants: the test endpoint stores nothing, and answers as the real endpoint would, with the same errors; both ask a
stranger for the signature, or the admin token, and an operator with the admin token for nothing else.  Whose payload it
is, only its text may say, and that is read when one of the sources takes its sender for its own, not before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
from aiohttp import web

from hookbridge.api import examples, formats
from hookbridge.api import webhooks as said
from hookbridge.errors import FieldProblem, HandshakeRefused, InvalidFields, InvalidSource, Refusal, TryLater
from hookbridge.model import SOURCES, SourceName
from hookbridge.pipeline.headers import kept
from hookbridge.pipeline.receive import refusals_of
from hookbridge.service import Service
from hookbridge.sources.bodies import decode_any, is_object
from hookbridge.sources.encodings import text_of
from hookbridge.sources.members import decode_members
from hookbridge.sources.source import Delivery, Handshake, Source
from hookbridge.web.access import is_operator
from hookbridge.web.acks import ack_headers
from hookbridge.web.bodies import read_body
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import query
from hookbridge.web.replies import json_reply
from hookbridge.web.route import SIGNED, Answer, Request, Route
from hookbridge.web.webhooks import stored


async def trial(request: web.Request) -> web.StreamResponse:
    """Check a payload without storing it.

    It is received as its endpoint would receive it, and what would happen is said. The signature is asked for where
    signatures are verified; the admin token stands for it.
    """
    service = request.app[SERVICE]
    asked = query(request, said.TrialQuery).source
    body = await read_body(request)
    operator = is_operator(request)
    refusals = {} if operator else await _refusals(service, request.headers, body)
    if len(refusals) == len(service.sources):
        raise refusals[asked or SOURCES[-1]]
    body = text_of(body)
    source = service.sources[asked or _source_of(body)]
    if source.name in refusals:
        raise refusals[source.name]
    received = source.decode(request.headers, body)
    if isinstance(received, Handshake):
        return json_reply(_HANDSHAKE)
    processed, reason = await service.would_be_processed(received)
    return json_reply(
        said.Trial(
            status="valid",
            message="Webhook payload is valid",
            parsed_payload=_parsed(source, received, body),
            would_be_processed=processed,
            reason=reason,
            records=tuple(str(event.record) for event in received.events),
        )
    )


async def _refusals(service: Service, headers: Mapping[str, str], body: bytes) -> dict[SourceName, Refusal]:
    """Give the refusal of each source, by what is known to any node."""
    refusals = refusals_of(service.sources, headers, body, time.time())
    if "notion" in refusals and await service.holds.look_for_token():
        return refusals_of(service.sources, headers, body, time.time())
    return refusals


async def send(request: web.Request) -> web.StreamResponse:
    """Send an event by hand.  It is taken as its endpoint would take it; the admin token stands for the signature."""
    service = request.app[SERVICE]
    asked = query(request, said.TrialQuery).source
    body = text_of(await read_body(request))
    received = service.sources[asked or _source_of(body)].decode(request.headers, body)
    if isinstance(received, Handshake):
        raise InvalidFields([FieldProblem(("body",), "expected an event; this is Notion's handshake", "value_error")])
    # An operator's word, and no announcement of the source's: it must not make the measured loss smaller.
    events = tuple(msgspec.structs.replace(event, origin="replay") for event in received.events)
    receipts = await service.intake.accept(events, kept(request.headers))
    return json_reply(said.Accepted(details=received.details), 202, ack_headers(receipts))


_HANDSHAKE = said.Trial(
    status="valid",
    message="Notion's verification handshake is valid",
    parsed_payload=None,
    would_be_processed=False,
    reason="a handshake announces a token and no event",
)


def _source_of(body: bytes) -> SourceName:
    """Tell whose payload it is: by the guide's field, else by what only Notion sends, else Supabase's."""
    try:
        values = decode_members(body, ("source", *_NOTIONS_OWN))
    except InvalidFields:  # no object, which any source says
        return "supabase"
    named = values.get("source")
    if isinstance(named, str):
        for source in SOURCES:
            if named == source:
                return source
        raise InvalidSource(" or ".join(SOURCES), named)
    return "notion" if is_object(named) or not _NOTIONS_OWN.isdisjoint(values) else "supabase"


_NOTIONS_OWN = frozenset(("entity", "verification_token"))


def _parsed(source: Source, delivery: Delivery, body: bytes) -> said.ParsedPayload:
    details = delivery.details
    values = decode_any(body)
    metadata = values.get("metadata") if isinstance(values, dict) else None
    return said.ParsedPayload(
        event_type=details.event_type,
        source=details.source,
        table_name=details.table_name if isinstance(details.table_name, str) else str(details.database_id),
        record_id=details.record_id,
        data=source.columns_of(delivery.events[-1]),
        timestamp=details.timestamp,
        metadata=metadata if isinstance(metadata, dict) else {},
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/webhooks/test",
        handler=trial,
        access="signed",
        schemes=(*SIGNED, "notionSignature", "adminToken"),
        headers=said.SignedHeaders,
        tag="webhooks",
        name="testWebhook",
        query=said.TrialQuery,
        request=Request(bodies=(*formats.EVENTS, formats.NotionHandshake), examples=examples.TRIAL),
        answers={200: Answer(description="The payload is valid", bodies=(said.Trial,), example=examples.TRIAL_VALID)},
        refusals=(InvalidSource, HandshakeRefused),
    ),
    Route(
        method="POST",
        path="/api/v1/events",
        handler=send,
        tag="events",
        name="sendEvent",
        query=said.TrialQuery,
        headers=said.NamingHeaders,
        request=Request(bodies=formats.EVENTS, examples=examples.EVENTS),
        answers={202: stored(examples.SUPABASE_ACCEPTED)},
        refusals=(InvalidSource, TryLater),
    ),
)
