"""What a browser opens; not part of the OpenAPI document."""

from __future__ import annotations

from hookbridge.web import dashboard, docs
from hookbridge.web.route import Route

ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/", handler=dashboard.page, access="public"),
    Route(method="GET", path="/dashboard/{name}", handler=dashboard.asset, access="public"),
    Route(method="GET", path="/docs", handler=docs.page, access="public"),
    Route(method="GET", path="/docs/assets/{name}", handler=docs.asset, access="public"),
    Route(method="GET", path="/openapi.json", handler=docs.openapi, access="public"),
)
