"""The access log: one structured line a request, in the format of all other lines.

It logs the path without its query, which may hold what was searched for, and no header.  ``ErrorsOnly`` leaves out the
webhooks that were accepted: aiohttp's own access log costs 40 µs a request, a structlog line 10, an ack altogether 15.
"""

from __future__ import annotations

from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from hookbridge.web.acks import Ack
from hookbridge.web.clients import client

log = structlog.get_logger("hookbridge.access")


class AccessLog(AbstractAccessLogger):
    """Every request."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line.  ``time`` is seconds from the parsed head to the end of the answer."""
        log.info(
            "Request",
            method=request.method,
            path=request.path,
            status=response.status,
            duration=round(time, 6),
            bytes=response.body_length,
            remote=client(request),
        )


class ErrorsOnly(AccessLog):
    """Every request but accepted webhooks."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line unless it is a webhook's 2xx."""
        if isinstance(response, Ack):
            return
        if (
            request.method == "POST"
            and response.status < HTTPStatus.MULTIPLE_CHOICES
            and request.path.startswith("/api/v1/webhooks/")
        ):
            return
        super().log(request, response, time)
