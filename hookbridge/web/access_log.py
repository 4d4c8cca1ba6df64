"""The access log: one structured line a request, in the format of all other lines.

It logs the path without its query, which may hold what was searched for, and no header.  ``ErrorsOnly`` leaves out the
webhooks that were accepted: aiohttp's own access log costs 40 µs a request, a structlog line 10, an ack altogether 15.
It leaves out what has a line of its own, too, or a flood of refused webhooks would be one of lines.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from hookbridge.settings.hosts import Network
from hookbridge.web.clients import client, sender
from hookbridge.web.door import Plain

log = structlog.get_logger("hookbridge.access")

TOLD = web.ResponseKey("told", bool)
"""Of an answer: the log says already why it was given."""


def line(method: str, path: str, status: int, seconds: float, length: int, remote: str | None) -> None:
    """Write the line of one request; ``length`` is of the whole answer, in bytes."""
    log.info(
        "Request",
        method=method,
        path=path,
        status=status,
        duration=round(seconds, 6),
        bytes=length,
        remote=remote,
    )


def acknowledged(
    proxies: tuple[Network, ...], request: Plain, transport: asyncio.Transport, seconds: float, length: int
) -> None:
    """Write the line of a webhook that was acknowledged at the front door."""
    peer = transport.get_extra_info("peername")
    remote = sender(peer[0] if peer else None, request.headers, proxies)
    line("POST", request.path, HTTPStatus.ACCEPTED, seconds, length, remote)


class AccessLog(AbstractAccessLogger):
    """Every request."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line.  ``time`` is seconds from the parsed head to the end of the answer."""
        line(request.method, request.path, response.status, time, response.body_length, client(request))


class ErrorsOnly(AccessLog):
    """Every request but webhooks, of which those that were refused have a line of their own, and what is no HTTP."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line unless it is a webhook's 2xx, or told already."""
        if response.get(TOLD, False):
            return
        if (
            request.method == "POST"
            and response.status < HTTPStatus.MULTIPLE_CHOICES
            and request.path.startswith("/api/v1/webhooks/")
        ):
            return
        super().log(request, response, time)
