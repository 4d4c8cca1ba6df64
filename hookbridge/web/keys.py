"""What the application holds for its handlers, by typed key.

One key for each object; nothing is stored under a plain string.
"""

from __future__ import annotations

from aiohttp import web

from hookbridge.service import Service
from hookbridge.web.arriving import Arriving

SERVICE = web.AppKey("service", Service)
ARRIVING = web.AppKey("arriving", Arriving)
OPENAPI = web.AppKey("openapi", bytes)
"""The finished ``/openapi.json``: the route table does not change while the service runs."""
