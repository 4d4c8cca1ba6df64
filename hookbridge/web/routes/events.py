"""The inbox, for operators."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.web import admin, examples
from hookbridge.web.route import Answer, Request, Route

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/events",
        handler=admin.events,
        access="operators",
        tag="events",
        name="listEvents",
        summary="Events, newest first",
        query=admin.EventQuery,
        answers={200: Answer(description="One page", bodies=(admin.EventPageAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/events/{id}",
        handler=admin.event,
        access="operators",
        tag="events",
        name="event",
        summary="One event with its body",
        answers={200: Answer(description="The event", bodies=(admin.EventDetail,))},
        refusals=(errors.NotFound,),
    ),
    Route(
        method="POST",
        path="/api/v1/events/{id}/replay",
        handler=admin.replay_one,
        access="operators",
        tag="events",
        name="replayEvent",
        summary="Process an event again",
        answers={200: Answer(description="0 when it is still open or was ignored, else 1", bodies=(admin.Replayed,))},
        refusals=(errors.NotFound, errors.StoreUnavailable),
    ),
    Route(
        method="POST",
        path="/api/v1/events/replay",
        handler=admin.replay,
        access="operators",
        tag="events",
        name="replayEvents",
        summary="Process the events that match again",
        request=Request(bodies=(admin.ReplayBody,), examples=examples.REPLAY),
        answers={200: Answer(description="How many", bodies=(admin.Replayed,))},
        refusals=(errors.StoreUnavailable,),
    ),
)
