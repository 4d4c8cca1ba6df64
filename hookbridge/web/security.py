"""How callers say who they are, for ``/openapi.json``.  It lets nobody in: ``access`` and the sources do."""

from __future__ import annotations

from hookbridge.web.route import Route, Scheme
from hookbridge.web.schemas import Json

SCHEMES: dict[Scheme, Json] = {
    "adminToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "`HOOKBRIDGE_ADMIN_TOKEN`, or the one in the file `admin-token` beside the data file",
    },
    "readToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "`HOOKBRIDGE_READ_TOKEN`, which reads records, search and changes, and does nothing else",
    },
    "webhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Webhook-Signature",
        "description": "HMAC-SHA256 of the raw body in hex, with or without `sha256=`; the key is a `WEBHOOK_SECRET`",
    },
    "standardWebhooks": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: `v1,<base64>` over `webhook-id`, `webhook-timestamp` and the raw body; the"
        " key is a `WEBHOOK_SECRET` that begins with `whsec_`",
    },
    "staticToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A `WEBHOOK_SECRET` itself, for senders that can compute nothing: only where"
        " `[signatures] static_token` is switched on. `X-Webhook-Signature` takes it as well",
    },
    "notionSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Notion-Signature",
        "description": "`sha256=` and the HMAC-SHA256 of the raw body in hex; the key is the verification token",
    },
}


def requirements(route: Route) -> list[Json]:
    """Give the ways to call a route, any of which is enough."""
    if route.access == "operators":
        return [{"adminToken": []}]
    if route.access == "readers":
        return [{"readToken": []}, {"adminToken": []}]
    # The empty one: signatures need not be verified, and what is public is answered to anybody.
    ways: list[Json] = [{scheme: []} for scheme in route.schemes]
    return [{}, *ways] if ways else []
