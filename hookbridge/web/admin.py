"""What operators ask and do: events, replay, lanes, Notion's verification token.

Every handler here stands behind the admin token (the route table says so, and a test enumerates it).  A replay makes
events open again and returns; the lanes do the work.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from hookbridge.errors import FieldProblem, InvalidFields, InvalidParameter, NotFound
from hookbridge.model import SOURCES, Origin, Outcome, SourceName, StoredEvent, Verification
from hookbridge.service import Service
from hookbridge.store.contract import EventFilter
from hookbridge.web.bodies import read_body
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import json_body, query, table_filter
from hookbridge.web.replies import json_reply

PRIVATE = {"Cache-Control": "no-store"}

State = Literal["open", "settled"]
TABLE = Meta(description="Needs `source`")


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to list."""

    source: SourceName | None = None
    table: Annotated[str | None, TABLE] = None
    record_id: str | None = None
    type: str | None = None
    origin: Origin | None = None
    outcome: Outcome | None = None
    state: State | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: Annotated[int, Meta(ge=1, le=2**63 - 1, description="`next_cursor` of the page before")] | None = None


class ReplayBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to process again: at least one of the filters, or `all`."""

    source: SourceName | None = None
    table: Annotated[str | None, TABLE] = None
    record_id: str | None = None
    type: str | None = None
    origin: Origin | None = None
    outcome: Outcome | None = None
    all: bool = False
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


class EventSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An event, without its body."""

    id: int
    source: SourceName
    table: str
    record_id: str
    type: str
    origin: Origin
    format: str
    state: State
    outcome: Outcome | None
    reason: str | None
    verification: Verification | None
    attempts: int
    occurred_at: str | None
    """The sender's own timestamp, as it wrote it."""
    received_at: datetime
    settled_at: datetime | None


class EventDetail(EventSummary, frozen=True, kw_only=True):
    """An event with its body."""

    body: msgspec.Raw
    """As it arrived; null for an event that came without one (a poll, a sweep)."""


class EventPageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Events, newest first."""

    events: tuple[EventSummary, ...]
    next_cursor: int | None
    """Pass it as `cursor` for the next page; null on the last one."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many events are processed again."""

    replayed: int
    limit_reached: bool
    """There may be more that match."""


class VerificationToken(msgspec.Struct, frozen=True, kw_only=True):
    """What to paste into the form of the webhook subscription in Notion."""

    verification_token: str


async def events(request: web.Request) -> web.StreamResponse:
    """List events, newest first."""
    service = request.app[SERVICE]
    asked = query(request, EventQuery)
    is_open = None if asked.state is None else asked.state == "open"
    page = await service.store.events(_filter(service, asked, is_open=is_open), before=asked.cursor, limit=asked.limit)
    return json_reply(
        EventPageAnswer(events=tuple(map(_summary, page.events)), next_cursor=page.next_cursor), headers=PRIVATE
    )


async def event(request: web.Request) -> web.StreamResponse:
    """Show one event with its body.  Raises NotFound."""
    stored = await _event(request)
    body = msgspec.Raw(stored.event.body or b"null")
    return json_reply(EventDetail(**msgspec.structs.asdict(_summary(stored)), body=body), headers=PRIVATE)


async def replay_one(request: web.Request) -> web.StreamResponse:
    """Process one settled event again; an open one is processed anyway.  Raises NotFound."""
    stored = await _event(request)
    service = request.app[SERVICE]
    count = await service.replay(EventFilter(), limit=1, event_id=stored.id)
    return json_reply(Replayed(replayed=count, limit_reached=False))


async def replay(request: web.Request) -> web.StreamResponse:
    """Process the settled events that match again."""
    service = request.app[SERVICE]
    raw = await read_body(request, service.settings.config.server.max_body_bytes)
    asked = json_body(raw, ReplayBody)
    which = _filter(service, asked, is_open=None)
    if (which == EventFilter()) != asked.all:
        raise InvalidFields(
            [FieldProblem(("body",), 'give at least one filter, or {"all": true} alone for every event', "value_error")]
        )
    count = await service.replay(which, limit=asked.limit)
    return json_reply(Replayed(replayed=count, limit_reached=count == asked.limit))


async def verification_token(request: web.Request) -> web.StreamResponse:
    """Show the token that Notion's handshake brought.  Raises NotFound before the first."""
    token = await request.app[SERVICE].verification_token()
    if token is None:
        raise NotFound(
            "No verification token was received yet",
            hint="Create a webhook subscription in Notion that points at /api/v1/webhooks/notion",
        )
    return json_reply(VerificationToken(verification_token=token), headers=PRIVATE)


async def forget_verification_token(request: web.Request) -> web.StreamResponse:
    """Forget the token, so that the next handshake is accepted."""
    await request.app[SERVICE].forget_verification_token()
    return web.Response(status=204)


async def pause(request: web.Request) -> web.StreamResponse:
    """Hold a source's lane until it is resumed, restarts included.  Events go on being stored."""
    service, source = request.app[SERVICE], _source(request)
    await service.pause(source)
    return json_reply(service.lanes[source].state())


async def resume(request: web.Request) -> web.StreamResponse:
    """Let a held lane go on."""
    service, source = request.app[SERVICE], _source(request)
    await service.resume(source)
    return json_reply(service.lanes[source].state())


def _source(request: web.Request) -> SourceName:
    written = request.match_info["source"]
    for source in SOURCES:
        if written == source:
            return source
    raise InvalidParameter("source", f"expected one of {', '.join(SOURCES)}", where="path")


async def _event(request: web.Request) -> StoredEvent:
    written = request.match_info["id"]
    if not (written.isascii() and written.isdigit() and len(written) <= _MAX_ID_DIGITS):
        raise InvalidParameter("id", "expected an event's number", where="path")
    stored = await request.app[SERVICE].store.event(int(written))
    if stored is None:
        raise NotFound(f"There is no event {written}")
    return stored


_MAX_ID_DIGITS = 18  # fits the store's 64 bits


def _filter(service: Service, asked: EventQuery | ReplayBody, *, is_open: bool | None) -> EventFilter:
    table = table_filter(service, asked.source, asked.table)
    record_id = asked.record_id
    if asked.source is not None and table is not None and record_id is not None:
        record_id = service.sources[asked.source].key(table, record_id).id
    return EventFilter(
        source=asked.source,
        table=table,
        record_id=record_id,
        type=asked.type,
        origin=asked.origin,
        outcome=asked.outcome,
        open=is_open,
    )


def _summary(stored: StoredEvent) -> EventSummary:
    event = stored.event
    return EventSummary(
        id=stored.id,
        source=event.record.source,
        table=event.record.table,
        record_id=event.record.id,
        type=event.type,
        origin=event.origin,
        format=event.format,
        state="open" if stored.outcome is None else "settled",
        outcome=stored.outcome,
        reason=stored.reason,
        verification=stored.verification,
        attempts=stored.attempts,
        occurred_at=event.occurred_at,
        received_at=datetime.fromtimestamp(stored.received_at, UTC),
        settled_at=None if stored.settled_at is None else datetime.fromtimestamp(stored.settled_at, UTC),
    )
