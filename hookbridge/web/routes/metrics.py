"""What Prometheus reads."""

from __future__ import annotations

from hookbridge.errors import StoreUnavailable
from hookbridge.web import metrics
from hookbridge.web.route import Answer, Route

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/metrics",
        handler=metrics.metrics,
        access="operators",
        tag="health",
        name="metrics",
        summary="All figures, for Prometheus",
        answers={
            200: Answer(
                description="Prometheus' text format, version 0.0.4",
                bodies=(str,),
                media="text/plain",
                example="# TYPE hookbridge_dead_letters gauge\nhookbridge_dead_letters 0.0\n",
            )
        },
        refusals=(StoreUnavailable,),
    ),
)
