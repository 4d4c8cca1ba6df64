"""Under which names the service answers: the Host header, held against what is allowed.

A page that a browser has open can have its own name point at 127.0.0.1 (DNS rebinding), and then sends whatever it
likes to a service on this machine; its name in ``Host`` gives it away.  Invariants: where nothing else keeps a stranger
out (signatures are not verified, it listens on loopback, no names are configured) only loopback names are answered;
configured names hold everywhere but on ``/healthz``, which says nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from hookbridge.config import Config
from hookbridge.errors import HostRefused
from hookbridge.readiness import LOOPBACK
from hookbridge.web.keys import HOSTS
from hookbridge.web.route import UNDER_ANY_NAME

Admits = Callable[[str], bool]
"""Whether a ``Host`` header's value is answered."""


def admits_of(config: Config) -> Admits | None:
    """Give what decides; None where any name is answered."""
    if config.server.allowed_hosts:
        names = frozenset(name.lower().rstrip(".") for name in config.server.allowed_hosts)
        return lambda host: name_of(host) in names
    if config.signatures.verify or config.server.host not in LOOPBACK:
        return None
    return lambda host: is_loopback(name_of(host))


def name_of(host: str) -> str:
    """Give the name of a ``Host`` header without its port, an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def is_loopback(name: str) -> bool:
    """Whether a name or address means the machine itself."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@web.middleware
async def known_hosts_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer under the names that are allowed.  Raises HostRefused for another one."""
    admits = request.app[HOSTS]
    if admits is not None and request.path != UNDER_ANY_NAME and not admits(request.headers.get("Host", "")):
        raise HostRefused(
            "This service does not answer under that name",
            hint="add the name to [server] allowed_hosts, or set VERIFY_WEBHOOK_SIGNATURES=true and WEBHOOK_SECRET",
        )
    return await handler(request)
