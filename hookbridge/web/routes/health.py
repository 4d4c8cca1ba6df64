"""Whether it lives and can take webhooks."""

from __future__ import annotations

from hookbridge.api.health import Health, Readiness, ReadinessSummary
from hookbridge.web import health
from hookbridge.web.route import Answer, Route

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/healthz",
        handler=health.healthz,
        access="public",
        tag="health",
        name="healthz",
        summary="Whether the process lives",
        answers={200: Answer(description="It lives", bodies=(Health,))},
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=health.readyz,
        access="public",
        schemes=("adminToken",),
        tag="health",
        name="readyz",
        summary="Whether webhooks can be taken",
        answers={
            200: Answer(description="They can; with the admin token in detail", bodies=(ReadinessSummary, Readiness)),
            503: Answer(
                description="They cannot: the inbox cannot be written, its file is gone or damaged, the disk is"
                " nearly full, or the service ends.",
                bodies=(ReadinessSummary, Readiness),
            ),
        },
    ),
)
