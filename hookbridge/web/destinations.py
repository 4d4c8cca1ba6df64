"""What operators see of destinations, and do to them: whichever node answers, the one that delivers hears of it."""

from __future__ import annotations

from aiohttp import web

from hookbridge.api.destinations import (
    DestinationList,
    DestinationPath,
    DestinationState,
    DismissChangesBody,
    DismissedChanges,
    RejectedChange,
    RejectedChanges,
    RejectionQuery,
    RewindBody,
    TrialAnswer,
)
from hookbridge.clock import time_of
from hookbridge.errors import FieldProblem, InvalidFields, InvalidParameter, NotFound, StoreUnavailable
from hookbridge.naming import Called
from hookbridge.store.values import Rejection
from hookbridge.web.bodies import read_body
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import json_body, query
from hookbridge.web.replies import PRIVATE, json_reply
from hookbridge.web.route import Answer, Request, Route


async def listing(request: web.Request) -> web.StreamResponse:
    """Say how each destination stands, whichever node delivers to it."""
    states = await request.app[SERVICE].destinations.states()
    return json_reply(DestinationList(destinations=states), headers=PRIVATE)


async def one(request: web.Request) -> web.StreamResponse:
    """Say how a destination stands."""
    return await _shown(request)


async def pause(request: web.Request) -> web.StreamResponse:
    """Send it nothing until it is resumed, restarts included; nothing is lost meanwhile."""
    await request.app[SERVICE].destinations.pause(request.match_info["name"])
    return await _shown(request)


async def resume(request: web.Request) -> web.StreamResponse:
    """Let it go on, also where it has stopped, and try it at once."""
    await request.app[SERVICE].destinations.resume(request.match_info["name"])
    return await _shown(request)


async def rewind(request: web.Request) -> web.StreamResponse:
    """Let it go on at another place of the feed."""
    asked = json_body(await read_body(request), RewindBody)
    try:
        await request.app[SERVICE].destinations.rewind(request.match_info["name"], asked.to)
    except ValueError as error:
        raise InvalidParameter("to", str(error), where="body") from None
    return await _shown(request)


async def rejected(request: web.Request) -> web.StreamResponse:
    """List what a destination has rejected: of each record the last change, until it takes one."""
    service, asked = request.app[SERVICE], query(request, RejectionQuery)
    name = request.match_info["name"]
    found = await service.destinations.rejected(name, before=asked.cursor, limit=asked.limit + 1)
    rows = found[: asked.limit]
    called = await service.naming.of_each(one.record for one in rows)
    page = RejectedChanges(
        rejected=tuple(_rejected(one, called[one.record]) for one in rows),
        next_cursor=rows[-1].seq if len(found) > len(rows) else None,
    )
    return json_reply(page, headers=PRIVATE)


def _rejected(one: Rejection, called: Called) -> RejectedChange:
    return RejectedChange(
        source=one.record.source,
        table=one.record.table,
        table_label=called.table_label,
        id=one.record.id,
        title=called.title,
        seq=one.seq,
        reason=one.reason,
        rejected_at=time_of(one.rejected_at),
    )


async def replay(request: web.Request) -> web.StreamResponse:
    """Send what a destination has rejected again: each record as it is by now, or that it is gone.

    It goes on then, also where it has stopped. What it does not take stays rejected.
    """
    await request.app[SERVICE].destinations.replay(request.match_info["name"])
    return await _shown(request)


async def dismiss(request: web.Request) -> web.StreamResponse:
    """Give up what a destination has rejected: it is forgotten, and not sent again before the record changes.

    One that has stopped because no more are kept goes on then; one that has stopped for another reason does not.
    """
    asked = json_body(await read_body(request), DismissChangesBody)
    if (asked.seqs is None) != asked.all:
        problem = 'give "seqs", or {"all": true} alone for every rejected change'
        raise InvalidFields([FieldProblem(("body",), problem, "value_error")])
    seqs = None if asked.seqs is None else frozenset(asked.seqs)
    number = await request.app[SERVICE].destinations.dismiss(request.match_info["name"], seqs)
    return json_reply(DismissedChanges(dismissed=number), headers=PRIVATE)


async def test(request: web.Request) -> web.StreamResponse:
    """Send it a message without changes now, and say what it made of that; its place and state stay as they are."""
    return json_reply(await request.app[SERVICE].destinations.test(request.match_info["name"]), headers=PRIVATE)


async def _shown(request: web.Request) -> web.StreamResponse:
    state = await request.app[SERVICE].destinations.state(request.match_info["name"])
    return json_reply(state, headers=PRIVATE)


_STANDS = {200: Answer(description="How it stands", bodies=(DestinationState,))}

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/destinations",
        handler=listing,
        tag="destinations",
        name="destinations",
        answers={200: Answer(description="How they stand", bodies=(DestinationList,))},
        refusals=(StoreUnavailable,),
    ),
    Route(
        method="GET",
        path="/api/v1/destinations/{name}",
        place=DestinationPath,
        handler=one,
        tag="destinations",
        name="destination",
        answers=_STANDS,
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="POST",
        path="/api/v1/destinations/{name}/pause",
        place=DestinationPath,
        handler=pause,
        tag="destinations",
        name="pauseDestination",
        answers=_STANDS,
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="POST",
        path="/api/v1/destinations/{name}/resume",
        place=DestinationPath,
        handler=resume,
        tag="destinations",
        name="resumeDestination",
        answers=_STANDS,
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="POST",
        path="/api/v1/destinations/{name}/rewind",
        place=DestinationPath,
        handler=rewind,
        tag="destinations",
        name="rewindDestination",
        request=Request(
            bodies=(RewindBody,), examples={"everything anew": {"to": "start"}, "what came since": {"to": "1234"}}
        ),
        answers=_STANDS,
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="GET",
        path="/api/v1/destinations/{name}/rejected",
        place=DestinationPath,
        query=RejectionQuery,
        handler=rejected,
        tag="destinations",
        name="rejectedChanges",
        answers={200: Answer(description="What it has rejected", bodies=(RejectedChanges,))},
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="POST",
        path="/api/v1/destinations/{name}/replay",
        place=DestinationPath,
        handler=replay,
        tag="destinations",
        name="replayDestination",
        answers=_STANDS,
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="POST",
        path="/api/v1/destinations/{name}/dismiss",
        place=DestinationPath,
        handler=dismiss,
        tag="destinations",
        name="dismissRejectedChanges",
        request=Request(
            bodies=(DismissChangesBody,), examples={"theseTwo": {"seqs": [7, 8]}, "everything": {"all": True}}
        ),
        answers={200: Answer(description="How many", bodies=(DismissedChanges,))},
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="POST",
        path="/api/v1/destinations/{name}/test",
        place=DestinationPath,
        handler=test,
        tag="destinations",
        name="testDestination",
        answers={200: Answer(description="What it made of it", bodies=(TrialAnswer,))},
        refusals=(NotFound, StoreUnavailable),
    ),
)
