"""The aiohttp application: one explicit route table, and what is made of it.

Invariant: a path that is not in the table does not exist; a route that says ``operators`` cannot be called without the
admin token.  It starts nothing and owns nothing: the service is given.
"""

from __future__ import annotations

from aiohttp import web

from hookbridge import errors
from hookbridge.books import Statistics
from hookbridge.pipeline.lanes import LaneState
from hookbridge.service import Readiness, Service
from hookbridge.web import admin, docs, examples, health, openapi, records, trial, webhooks
from hookbridge.web.access import operators_only
from hookbridge.web.bodies import expect
from hookbridge.web.keys import OPENAPI, SERVICE
from hookbridge.web.middlewares import errors_as_json
from hookbridge.web.route import Answer, Request, Route

ACK_HEADERS = {
    "X-Hookbridge-Event": "The event's id in the inbox; two, separated by a comma, where a key changed",
    "X-Hookbridge-Duplicate": "`true` when the event was known already",
}

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/webhooks/supabase",
        handler=webhooks.webhook("supabase"),
        access="signed",
        tag="webhooks",
        name="receiveSupabase",
        summary="Receive a Supabase webhook",
        request=Request(bodies=(dict,), examples=examples.SUPABASE),
        answers={
            202: Answer(
                description="The event is on disk and will be processed",
                bodies=(webhooks.Accepted,),
                example=examples.SUPABASE_ACCEPTED,
                headers=ACK_HEADERS,
            )
        },
        refusals=(errors.InvalidSource, errors.TryLater),
    ),
    Route(
        method="POST",
        path="/api/v1/webhooks/notion",
        handler=webhooks.webhook("notion"),
        access="signed",
        tag="webhooks",
        name="receiveNotion",
        summary="Receive a Notion webhook, or its verification handshake",
        request=Request(bodies=(dict,), examples=examples.NOTION),
        answers={
            200: Answer(description="The verification token is stored", bodies=(webhooks.HandshakeStored,)),
            202: Answer(
                description="The event is on disk and will be processed",
                bodies=(webhooks.Accepted,),
                example=examples.NOTION_ACCEPTED,
                headers=ACK_HEADERS,
            ),
        },
        refusals=(errors.InvalidSource, errors.HandshakeRefused, errors.TryLater),
    ),
    Route(
        method="POST",
        path="/api/v1/webhooks/test",
        handler=trial.trial,
        access="signed",
        tag="webhooks",
        name="testWebhook",
        summary="Check a payload without storing it",
        query=trial.TrialQuery,
        request=Request(bodies=(dict,), examples=examples.TRIAL),
        answers={200: Answer(description="The payload is valid", bodies=(trial.Trial,), example=examples.TRIAL_VALID)},
        refusals=(errors.InvalidSource,),
    ),
    Route(
        method="GET",
        path="/api/v1/webhooks/stats",
        handler=webhooks.statistics,
        access="public",
        tag="webhooks",
        name="statistics",
        summary="Processing metrics",
        answers={200: Answer(description="Totals since the first start", bodies=(Statistics,))},
    ),
    Route(
        method="GET",
        path="/api/v1/records/{source}/{table}/{id}",
        handler=records.record,
        access="operators",
        tag="records",
        name="record",
        summary="A record as its source has it",
        answers={200: Answer(description="The record", bodies=(records.RecordAnswer,))},
        refusals=(
            errors.NotFound,
            errors.SourceUnavailable,
            errors.RecordUnreadable,
            errors.SourceRefused,
            errors.RecordImpossible,
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/search",
        handler=records.search,
        access="operators",
        tag="records",
        name="search",
        summary="Find records by words",
        query=records.SearchQuery,
        answers={200: Answer(description="Hits, best first", bodies=(records.SearchAnswer,))},
    ),
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
    Route(
        method="POST",
        path="/api/v1/sources/{source}/pause",
        handler=admin.pause,
        access="operators",
        tag="sources",
        name="pauseSource",
        summary="Hold a source's lane; its webhooks go on being stored",
        answers={200: Answer(description="The lane now", bodies=(LaneState,))},
        refusals=(errors.StoreUnavailable,),
    ),
    Route(
        method="POST",
        path="/api/v1/sources/{source}/resume",
        handler=admin.resume,
        access="operators",
        tag="sources",
        name="resumeSource",
        summary="Let a held lane go on",
        answers={200: Answer(description="The lane now", bodies=(LaneState,))},
        refusals=(errors.StoreUnavailable,),
    ),
    Route(
        method="GET",
        path="/api/v1/notion/verification-token",
        handler=admin.verification_token,
        access="operators",
        tag="notion",
        name="verificationToken",
        summary="The token that Notion's handshake brought",
        answers={200: Answer(description="The token", bodies=(admin.VerificationToken,))},
        refusals=(errors.NotFound,),
    ),
    Route(
        method="DELETE",
        path="/api/v1/notion/verification-token",
        handler=admin.forget_verification_token,
        access="operators",
        tag="notion",
        name="forgetVerificationToken",
        summary="Forget the token",
        answers={204: Answer(description="The next handshake is accepted")},
        refusals=(errors.StoreUnavailable,),
    ),
    Route(
        method="GET",
        path="/healthz",
        handler=health.healthz,
        access="public",
        tag="health",
        name="healthz",
        summary="Whether the process lives",
        answers={200: Answer(description="It lives", bodies=(health.Health,))},
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=health.readyz,
        access="public",
        tag="health",
        name="readyz",
        summary="Whether webhooks can be taken",
        answers={
            200: Answer(
                description="They can; with the admin token in detail", bodies=(health.ReadinessSummary, Readiness)
            ),
            503: Answer(description="They cannot", bodies=(health.ReadinessSummary, Readiness)),
        },
    ),
    Route(method="GET", path="/docs", handler=docs.page, access="public"),
    Route(method="GET", path="/docs/assets/{name}", handler=docs.asset, access="public"),
    Route(method="GET", path="/openapi.json", handler=docs.openapi, access="public"),
)


def build_app(service: Service) -> web.Application:
    """Make the application of a service that is open already."""
    app = web.Application(middlewares=[errors_as_json], client_max_size=service.settings.config.server.max_body_bytes)
    app[SERVICE] = service
    app[OPENAPI] = openapi.document(ROUTES)
    for route in ROUTES:
        handler = operators_only(route.handler) if route.access == "operators" else route.handler
        resource = app.router.add_resource(route.path)
        resource.add_route(route.method, handler, expect_handler=expect)
        if route.method == "GET":
            resource.add_route("HEAD", handler, expect_handler=expect)
    return app
