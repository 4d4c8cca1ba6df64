"""The aiohttp application, made of the route table.

It starts nothing and owns nothing: the service is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from aiohttp import web

from hookbridge.service import Service
from hookbridge.web import openapi
from hookbridge.web.access import guarded
from hookbridge.web.arriving import Arriving
from hookbridge.web.bodies import expect
from hookbridge.web.clients import proxies_of
from hookbridge.web.hosts import admits_of, known_hosts_only
from hookbridge.web.keys import ARRIVING, HOSTS, LISTENING, OPENAPI, PROXIES, RECEPTIONS, SERVICE
from hookbridge.web.listening import Listening
from hookbridge.web.middlewares import errors_as_json
from hookbridge.web.reception import receptions
from hookbridge.web.route import spellings
from hookbridge.web.routes import ROUTES


def build_app(service: Service) -> web.Application:
    """Make the application of a service that is open already."""
    limit = service.settings.config.server.max_body_bytes
    app = web.Application(middlewares=[errors_as_json, known_hosts_only], client_max_size=limit)
    app[SERVICE] = service
    app[HOSTS] = admits_of(service.settings.config)
    app[PROXIES] = proxies_of(service.settings.config.server.trusted_proxies)
    app[RECEPTIONS] = receptions(service.sources, service.intake, service.naming, service.meters, service.traces)
    app[ARRIVING] = Arriving()
    app[LISTENING] = Listening()
    app.on_shutdown.extend([app[ARRIVING].stop, app[LISTENING].stop])
    described: Callable[[], bytes] = cache(partial(openapi.document, ROUTES))
    app[OPENAPI] = described
    for route in ROUTES:
        handler = guarded(route, service.settings.config.node.roles)
        for path in spellings(route.path):
            resource = app.router.add_resource(path)
            resource.add_route(route.method, handler, expect_handler=expect)
            if route.method == "GET":
                resource.add_route("HEAD", handler, expect_handler=expect)
    return app
