"""Who may call what the admin token protects.

Invariant: it fails closed.  Without a token nobody is an operator, and a header that cannot be read is a wrong one.
Senders of webhooks are not known here: the sources authenticate them.
"""

from __future__ import annotations

import hmac
from functools import wraps

from aiohttp import web
from aiohttp.typedefs import Handler

from hookbridge.errors import AdminTokenRequired
from hookbridge.web.keys import SERVICE


def is_operator(request: web.Request) -> bool:
    """Whether the request carries ``Authorization: Bearer <admin token>``; compared in constant time."""
    expected = request.app[SERVICE].admin_token
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    # Headers may hold bytes that are no UTF-8, as surrogates; compare_digest takes bytes of any kind.
    same = hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), expected.encode())
    return same and scheme.lower() == "bearer" and expected != ""


def operators_only(handler: Handler) -> Handler:
    """Let only operators through.  The wrapped handler raises AdminTokenRequired for everyone else."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not is_operator(request):
            raise AdminTokenRequired(
                "This needs the admin token", hint="Send it as: Authorization: Bearer <HOOKBRIDGE_ADMIN_TOKEN>"
            )
        return await handler(request)

    return guarded
