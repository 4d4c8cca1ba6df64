"""What the application holds for its handlers, by typed key.

One key for each object; nothing is stored under a plain string.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from hookbridge.model import SourceName
from hookbridge.service import Service
from hookbridge.settings.hosts import Network
from hookbridge.web.arriving import Arriving
from hookbridge.web.listening import Listening
from hookbridge.web.reception import Reception

SERVICE = web.AppKey("service", Service)
LISTENING = web.AppKey("listening", Listening)
ARRIVING = web.AppKey("arriving", Arriving)
RECEPTIONS: web.AppKey[dict[SourceName, Reception]] = web.AppKey("receptions")
OPENAPI: web.AppKey[Callable[[], bytes]] = web.AppKey("openapi")
"""Gives ``/openapi.json``, made when it is first asked for: that takes a moment, and a start is to be fast."""
HOSTS: web.AppKey[Callable[[str], bool] | None] = web.AppKey("hosts")
"""Whether a ``Host`` header's value is answered; None where any is."""
PROXIES: web.AppKey[tuple[Network, ...]] = web.AppKey("proxies")
"""Who is believed about whose request it is."""
