"""The inbox, as operators see it: events listed and shown, processed again, and dead letters given up.

Every handler here stands behind the admin token (the route table says so, and a test enumerates it).  A replay makes
events open again and returns; the lanes do the work.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from hookbridge.api import events as said
from hookbridge.api import examples
from hookbridge.clock import epoch_time, time_of
from hookbridge.errors import FieldProblem, InvalidFields, InvalidParameter, NotFound, StoreUnavailable, TryLater
from hookbridge.model import Failure, Outcome, StoredEvent
from hookbridge.naming import Called, Labels
from hookbridge.pipeline.replay import dead, dismiss, replayable
from hookbridge.service import Service
from hookbridge.store.values import DeadGroup, EventFilter
from hookbridge.web.bodies import read_body
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import Where, instant, json_body, query, record_ids, table_names
from hookbridge.web.protocol import while_heard
from hookbridge.web.replies import PRIVATE, json_reply
from hookbridge.web.route import Answer, Request, Route


async def events(request: web.Request) -> web.StreamResponse:
    """List events, newest first.

    A page with filters looks at 20,000 events at most: it may be short, or empty, though older ones match. Then
    `next_cursor` goes on; there are no more when it is null. With `ids`, those events are listed as they are now,
    however many; numbers that no event has are left out.
    """
    service = request.app[SERVICE]
    asked = query(request, said.EventQuery)
    which = msgspec.structs.replace(
        _filter(service, asked, "query"),
        outcome=asked.outcome,
        ids=None if asked.ids is None else tuple(map(int, asked.ids.split(","))),
        open=None if asked.state is None else asked.state == "open",
    )
    limit = asked.limit if which.ids is None else len(which.ids)
    with while_heard(request):
        page = await service.store.events(which, before=asked.cursor, limit=limit)
    called = await service.naming.of_events(page.events, service.sources)
    shown = tuple(map(_summary, page.events, called))
    answer = said.EventPageAnswer(events=shown, next_cursor=page.next_cursor, horizon=page.horizon)
    return json_reply(answer, headers=PRIVATE)


async def event(request: web.Request) -> web.StreamResponse:
    """Show one event with its body and its way.  Raises NotFound."""
    stored = await _event(request)
    service = request.app[SERVICE]
    failures = await service.store.failures(stored)
    (called,) = await service.naming.of_events([stored], service.sources)
    shown = said.EventDetail(
        **msgspec.structs.asdict(_summary(stored, called)),
        stored_at=epoch_time(stored.stored_at),
        claimed_at=epoch_time(stored.claimed_at),
        verified_at=epoch_time(stored.verified_at),
        failures=tuple(map(_failed_attempt, failures)),
        headers=None if stored.headers is None else msgspec.json.decode(stored.headers, type=dict[str, str]),
        body=msgspec.Raw(stored.event.body or b"null"),
    )
    return json_reply(shown, headers=PRIVATE)


async def replay_one(request: web.Request) -> web.StreamResponse:
    """Process one settled event again; an open one is processed anyway.  Raises NotFound."""
    stored = await _event(request)
    service = request.app[SERVICE]
    done = await service.replay(EventFilter(ids=(stored.id,)), limit=1)
    return _replayed(done.count)


async def replay(request: web.Request) -> web.StreamResponse:
    """Process the settled events that match again, or count them."""
    service = request.app[SERVICE]
    asked = json_body(await read_body(request), said.ReplayBody)
    which = msgspec.structs.replace(_filter(service, asked, "body"), outcome=asked.outcome, ids=asked.ids)
    _require_filter(which, everything=asked.all)
    if asked.dry_run:
        with while_heard(request):
            matching = await replayable(service.store, which)
        return _replayed(0, matching=matching)
    done = await service.replay(which, limit=asked.limit, before=asked.cursor)
    return _replayed(done.count, next_cursor=done.next_cursor)


def _replayed(count: int, *, matching: int | None = None, next_cursor: int | None = None) -> web.Response:
    reached = next_cursor is not None
    return json_reply(said.Replayed(matching=matching, replayed=count, limit_reached=reached, next_cursor=next_cursor))


async def dead_letters(request: web.Request) -> web.StreamResponse:
    """Gather the dead letters by their reasons.

    Reasons that differ in numbers and UUIDs only are one. Replay or dismiss a group with the filters
    `outcome=dead` and its `reason`.
    """
    service = request.app[SERVICE]
    which = _filter(service, query(request, said.EventScope), "query")
    with while_heard(request):
        found = await service.store.dead_letters(which)
    labels = await service.naming.of_tables((of.source, of.table) for one in found.groups for of in one.tables)
    groups = tuple(_dead_group(one, labels) for one in found.groups)
    return json_reply(said.DeadLetters(groups=groups, complete=found.complete), headers=PRIVATE)


def _dead_group(group: DeadGroup, labels: Labels) -> said.DeadGroup:
    tables = tuple(
        said.DeadOfTable(
            source=of.source,
            table=of.table,
            table_label=labels[of.source, of.table],
            count=of.count,
            first_at=time_of(of.first_at),
            last_at=time_of(of.last_at),
        )
        for of in group.tables
    )
    return said.DeadGroup(
        reason=group.kind,
        count=group.count,
        newest=group.newest,
        newest_reason=group.reason,
        first_at=time_of(group.first_at),
        last_at=time_of(group.last_at),
        tables=tables,
    )


async def dismiss_events(request: web.Request) -> web.StreamResponse:
    """Give up the dead letters that match, or count them: they are ignored from then on, and cannot be replayed."""
    service = request.app[SERVICE]
    asked = json_body(await read_body(request), said.DismissBody)
    which = _filter(service, asked, "body")
    which = msgspec.structs.replace(which, outcome=Outcome(asked.outcome) if asked.outcome else None, ids=asked.ids)
    _require_filter(which, everything=asked.all)
    if asked.dry_run:
        with while_heard(request):
            matching = await replayable(service.store, dead(which))
        return _dismissed(0, matching=matching)
    done = await dismiss(service.store, which, note=asked.note, limit=asked.limit, before=asked.cursor)
    return _dismissed(done.count, next_cursor=done.next_cursor)


def _dismissed(count: int, *, matching: int | None = None, next_cursor: int | None = None) -> web.Response:
    reached = next_cursor is not None
    return json_reply(
        said.Dismissed(matching=matching, dismissed=count, limit_reached=reached, next_cursor=next_cursor)
    )


def _require_filter(which: EventFilter, *, everything: bool) -> None:
    """Raises InvalidFields where nothing narrows to some events and not all are meant, or both are said."""
    if (which == EventFilter()) != everything:
        raise InvalidFields(
            [FieldProblem(("body",), 'give at least one filter, or {"all": true} alone for every event', "value_error")]
        )


async def _event(request: web.Request) -> StoredEvent:
    written = request.match_info["id"]
    if not (written.isascii() and written.isdigit() and len(written) <= _MAX_ID_DIGITS):
        raise InvalidParameter("id", "expected an event's number", where="path")
    stored = await request.app[SERVICE].store.event(int(written))
    if stored is None:
        raise NotFound(f"There is no event {written}")
    return stored


_MAX_ID_DIGITS = 18  # fits the store's 64 bits


def _filter(service: Service, asked: said.EventScope, where: Where) -> EventFilter:
    return EventFilter(
        source=asked.source,
        tables=table_names(service, asked.source, asked.table, where=where),
        record_ids=record_ids(service, asked.source, asked.table, asked.record_id, where=where),
        type=asked.type,
        origin=asked.origin,
        text=asked.q,
        reason=asked.reason,
        since=instant("since", asked.since, where=where),
        until=instant("until", asked.until, where=where),
    )


def _summary(stored: StoredEvent, called: Called) -> said.EventSummary:
    event = stored.event
    return said.EventSummary(
        id=stored.id,
        source=event.record.source,
        table=event.record.table,
        record_id=event.record.id,
        title=called.title,
        table_label=called.table_label,
        type=event.type,
        origin=event.origin,
        format=event.format,
        state="open" if stored.outcome is None else "settled",
        outcome=stored.outcome,
        reason=stored.reason,
        verification=stored.verification,
        attempts=stored.attempts,
        occurred_at=event.occurred_at,
        received_at=time_of(stored.received_at),
        settled_at=epoch_time(stored.settled_at),
    )


def _failed_attempt(failure: Failure) -> said.FailedAttempt:
    return said.FailedAttempt(
        attempt=failure.number,
        began_at=time_of(failure.began_at),
        ended_at=time_of(failure.ended_at),
        error=failure.error,
        traceback=failure.traceback,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/events",
        handler=events,
        tag="events",
        name="listEvents",
        query=said.EventQuery,
        answers={200: Answer(description="One page", bodies=(said.EventPageAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/events/dead",
        handler=dead_letters,
        tag="events",
        name="deadLetters",
        query=said.EventScope,
        answers={200: Answer(description="The groups", bodies=(said.DeadLetters,))},
    ),
    Route(
        method="GET",
        path="/api/v1/events/{id}",
        handler=event,
        tag="events",
        name="event",
        place=said.EventPath,
        answers={200: Answer(description="The event", bodies=(said.EventDetail,))},
        refusals=(NotFound,),
    ),
    Route(
        method="POST",
        path="/api/v1/events/{id}/replay",
        handler=replay_one,
        tag="events",
        name="replayEvent",
        place=said.EventPath,
        answers={200: Answer(description="0 when it is still open or was ignored, else 1", bodies=(said.Replayed,))},
        refusals=(NotFound, StoreUnavailable, TryLater),
    ),
    Route(
        method="POST",
        path="/api/v1/events/replay",
        handler=replay,
        tag="events",
        name="replayEvents",
        request=Request(bodies=(said.ReplayBody,), examples=examples.REPLAY),
        answers={200: Answer(description="How many", bodies=(said.Replayed,))},
        refusals=(StoreUnavailable, TryLater),
    ),
    Route(
        method="POST",
        path="/api/v1/events/dismiss",
        handler=dismiss_events,
        tag="events",
        name="dismissEvents",
        request=Request(bodies=(said.DismissBody,), examples=examples.DISMISS),
        answers={200: Answer(description="How many", bodies=(said.Dismissed,))},
        refusals=(StoreUnavailable,),
    ),
)
