"""The access log: one structured line a request, in the format of all other lines.

It logs the path without its query, which may hold what was searched for, and no header.  ``ErrorsOnly`` leaves out the
webhooks that were accepted: aiohttp's own access log costs 40 µs a request, a structlog line 10, an ack altogether 15.
It leaves out what has a line of its own, too, or a flood of refused webhooks would be one of lines.
"""

from __future__ import annotations

from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from hookbridge.web.acks import Ack
from hookbridge.web.clients import client

log = structlog.get_logger("hookbridge.access")

TOLD = web.ResponseKey("told", bool)
"""Of an answer: the log says already why it was given."""


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
    """Every request but webhooks, of which those that were refused have a line of their own, and what is no HTTP."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line unless it is a webhook's 2xx, or told already."""
        if isinstance(response, Ack) or response.get(TOLD, False):
            return
        if (
            request.method == "POST"
            and response.status < HTTPStatus.MULTIPLE_CHOICES
            and request.path.startswith("/api/v1/webhooks/")
        ):
            return
        super().log(request, response, time)
