"""Under which names the service answers: the Host header, held against what is allowed.

A page that a browser has open can have its own name point at 127.0.0.1 (DNS rebinding), and then sends whatever it
likes to a service on this machine; its name in ``Host`` gives it away.  Invariants: where nothing else keeps a stranger
out (signatures are not verified, it listens on loopback, no names are configured) only loopback names are answered;
configured names hold everywhere but on ``/healthz``, which says nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from hookbridge.config import Config
from hookbridge.errors import HostRefused
from hookbridge.settings.hosts import is_loopback, name_of
from hookbridge.web.keys import HOSTS
from hookbridge.web.route import UNDER_ANY_NAME, endpoint_of

HOST_HINT = (
    "add the name to [server] allowed_hosts; where that is empty, VERIFY_WEBHOOK_SIGNATURES=true with a WEBHOOK_SECRET"
    " admits any name"
)

Admits = Callable[[str], bool]
"""Whether a ``Host`` header's value is answered."""


def admits_of(config: Config) -> Admits | None:
    """Give what decides; None where any name is answered."""
    if names := names_of(config):
        return lambda host: name_of(host) in names
    if config.signatures.verify or not is_loopback(config.server.host):
        return None
    return lambda host: is_loopback(name_of(host))


def names_of(config: Config) -> frozenset[str]:
    """Give the configured names, each as ``name_of`` gives it."""
    return frozenset(map(name_of, config.server.allowed_hosts))


@web.middleware
async def known_hosts_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer under the names that are allowed.  Raises HostRefused for another one."""
    admits = request.app[HOSTS]
    if admits is not None and endpoint_of(request) != UNDER_ANY_NAME and not admits(request.headers.get("Host", "")):
        raise HostRefused("This service does not answer under that name", hint=HOST_HINT)
    return await handler(request)
