"""The inbox, for operators."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.web import acks, events, examples, formats, trial
from hookbridge.web.meanings import NAMES
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
        query=trial.TrialQuery,
        headers=NAMES,
        request=Request(bodies=formats.EVENTS, examples=examples.EVENTS),
        answers={
            202: Answer(
                description="The event is on disk and will be processed",
                bodies=(acks.Accepted,),
                example=examples.SUPABASE_ACCEPTED,
                headers=acks.ACK_HEADERS,
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
        query=events.EventQuery,
        answers={200: Answer(description="One page", bodies=(events.EventPageAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/events/{id}",
        handler=events.event,
        access="operators",
        tag="events",
        name="event",
        summary="One event with its body and its way",
        answers={200: Answer(description="The event", bodies=(events.EventDetail,))},
        refusals=(errors.NotFound,),
    ),
    Route(
        method="POST",
        path="/api/v1/events/{id}/replay",
        handler=events.replay_one,
        access="operators",
        tag="events",
        name="replayEvent",
        summary="Process an event again",
        answers={200: Answer(description="0 when it is still open or was ignored, else 1", bodies=(events.Replayed,))},
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
        request=Request(bodies=(events.ReplayBody,), examples=examples.REPLAY),
        answers={200: Answer(description="How many", bodies=(events.Replayed,))},
        refusals=(errors.StoreUnavailable, errors.TryLater),
    ),
)
