"""The one route table: each module of endpoints lists its own, beside their handlers.

Invariant: a path that is not here does not exist.
"""

from __future__ import annotations

from hookbridge.web import (
    admin,
    changes,
    dashboard,
    destinations,
    docs,
    events,
    health,
    live,
    metrics,
    reconcile,
    records,
    trial,
    webhooks,
)
from hookbridge.web.route import Route

PAGES: tuple[Route, ...] = (
    Route(method="GET", path="/", handler=dashboard.page, access="public"),
    Route(method="GET", path="/dashboard/{name}", handler=dashboard.asset, access="public"),
    Route(method="GET", path="/docs", handler=docs.page, access="public"),
    Route(method="GET", path="/docs/assets/{name}", handler=docs.asset, access="public"),
    Route(method="GET", path="/openapi.json", handler=docs.openapi, access="public"),
)
"""What a browser opens; not part of the OpenAPI document."""

ROUTES: tuple[Route, ...] = (
    *webhooks.ROUTES,
    *trial.ROUTES,
    *records.ROUTES,
    *changes.ROUTES,
    *events.ROUTES,
    *live.ROUTES,
    *admin.ROUTES,
    *destinations.ROUTES,
    *reconcile.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
    *PAGES,
)
