"""The one route table, a file for each group of paths.

Invariant: a path that is not here does not exist; a route that says ``operators`` cannot be called without the admin
token.  The handlers are in the modules of ``hookbridge.web``.
"""

from __future__ import annotations

from hookbridge.web.route import Route
from hookbridge.web.routes import events, health, live, metrics, pages, reconcile, records, sources, webhooks

ROUTES: tuple[Route, ...] = (
    *webhooks.ROUTES,
    *records.ROUTES,
    *events.ROUTES,
    *live.ROUTES,
    *sources.ROUTES,
    *reconcile.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
    *pages.ROUTES,
)
