"""Who may call what a token protects, and who may call a sender's endpoint: nobody, on a node that takes none.

Invariant: it fails closed.  Without a token nobody is an operator or a reader, and a header that cannot be read is a
wrong one.  Senders of webhooks are not known here: the sources authenticate them.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from functools import wraps

from aiohttp import web
from aiohttp.typedefs import Handler

from hookbridge.errors import AdminTokenRequired, NotReceiving
from hookbridge.model import Role
from hookbridge.web.keys import SERVICE
from hookbridge.web.route import Route

ELSEWHERE_RETRY_SECONDS = 5
"""Until then a balancer has another node in its place."""


_SEND_IT = "Send it as: Authorization: Bearer <{}>"
ADMIN_HINT = _SEND_IT.format("HOOKBRIDGE_ADMIN_TOKEN")
READ_HINT = _SEND_IT.format("HOOKBRIDGE_READ_TOKEN or HOOKBRIDGE_ADMIN_TOKEN")


def is_operator(request: web.Request) -> bool:
    """Whether the request carries ``Authorization: Bearer <admin token>``; compared in constant time."""
    return _carries(request, request.app[SERVICE].admin_token)


def is_reader(request: web.Request) -> bool:
    """Whether it carries the read token, or the admin token."""
    # Both are looked at, whichever it is: how long that takes tells nothing.
    reads = _carries(request, request.app[SERVICE].settings.secrets.read_token)
    return is_operator(request) or reads


def _carries(request: web.Request, expected: str) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    # Headers may hold bytes that are no UTF-8, as surrogates; compare_digest takes bytes of any kind.
    same = hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), expected.encode())
    return same and scheme.lower() == "bearer" and expected != ""


def operators_only(handler: Handler) -> Handler:
    """Let only operators through.  The wrapped handler raises AdminTokenRequired for everyone else."""

    @wraps(handler)
    async def let_in(request: web.Request) -> web.StreamResponse:
        if not is_operator(request):
            raise AdminTokenRequired("This needs the admin token", hint=ADMIN_HINT)
        return await handler(request)

    return let_in


def readers_only(handler: Handler) -> Handler:
    """Let only readers and operators through.  The wrapped handler raises AdminTokenRequired for everyone else."""

    @wraps(handler)
    async def let_in(request: web.Request) -> web.StreamResponse:
        if not is_reader(request):
            raise AdminTokenRequired("This needs the read token, or the admin token", hint=READ_HINT)
        return await handler(request)

    return let_in


def guarded(route: Route, roles: Collection[Role]) -> Handler:
    """Give the handler of a route as a node with these roles has it."""
    if route.access == "operators":
        return operators_only(route.handler)
    if route.access == "readers":
        return readers_only(route.handler)
    return receivers_only(route.handler) if route.access == "signed" and "receive" not in roles else route.handler


def receivers_only(handler: Handler) -> Handler:
    """Stand for a sender's endpoint on a node without the role ``receive``.  It raises NotReceiving."""

    @wraps(handler)
    async def elsewhere(request: web.Request) -> web.StreamResponse:  # noqa: ARG001  every handler is called with it
        raise NotReceiving(
            "This node takes no webhooks",
            retry_after_seconds=ELSEWHERE_RETRY_SECONDS,
            hint="send them to a node whose [node] roles have receive",
        )

    return elsewhere
