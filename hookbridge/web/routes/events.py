"""The inbox, for operators."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.api import events as said
from hookbridge.api import examples, formats, webhooks
from hookbridge.web import events, trial
from hookbridge.web.route import Answer, Request, Route

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/events",
        handler=trial.send,
        access="operators",
        tag="events",
        name="sendEvent",
        summary="Send an event by hand",
        query=webhooks.TrialQuery,
        headers=webhooks.NamingHeaders,
        request=Request(bodies=formats.EVENTS, examples=examples.EVENTS),
        answers={
            202: Answer(
                description="The event is on disk and will be processed",
                bodies=(webhooks.Accepted,),
                example=examples.SUPABASE_ACCEPTED,
                headers=webhooks.ACK_HEADERS,
            )
        },
        refusals=(errors.InvalidSource, errors.TryLater),
    ),
    Route(
        method="GET",
        path="/api/v1/events",
        handler=events.events,
        access="operators",
        tag="events",
        name="listEvents",
        summary="Events, newest first",
        query=said.EventQuery,
        answers={200: Answer(description="One page", bodies=(said.EventPageAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/events/{id}",
        handler=events.event,
        access="operators",
        tag="events",
        name="event",
        place=said.EventPath,
        summary="One event with its body and its way",
        answers={200: Answer(description="The event", bodies=(said.EventDetail,))},
        refusals=(errors.NotFound,),
    ),
    Route(
        method="POST",
        path="/api/v1/events/{id}/replay",
        handler=events.replay_one,
        access="operators",
        tag="events",
        name="replayEvent",
        place=said.EventPath,
        summary="Process an event again",
        answers={200: Answer(description="0 when it is still open or was ignored, else 1", bodies=(said.Replayed,))},
        refusals=(errors.NotFound, errors.StoreUnavailable, errors.TryLater),
    ),
    Route(
        method="POST",
        path="/api/v1/events/replay",
        handler=events.replay,
        access="operators",
        tag="events",
        name="replayEvents",
        summary="Process the events that match again, or count them",
        request=Request(bodies=(said.ReplayBody,), examples=examples.REPLAY),
        answers={200: Answer(description="How many", bodies=(said.Replayed,))},
        refusals=(errors.StoreUnavailable, errors.TryLater),
    ),
)
