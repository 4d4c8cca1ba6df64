"""What aiohttp does with one connection, but with our form of an answer to what is not HTTP.

aiohttp answers a malformed request before there is a request for any middleware to see, in plain text.  This is the one
place to say it in JSON.  Everything else of the protocol is aiohttp's.
"""

from __future__ import annotations

import structlog
from aiohttp import web

from hookbridge.web.replies import INTERNAL, ErrorBody, internal_body, json_reply

log = structlog.get_logger("hookbridge.web")


class Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be parsed (400) or was not caught anywhere (500), and close the connection."""
        if request.writer.output_size > 0:
            # An answer has begun: a second one would be read as part of it.  aiohttp closes on this error.
            raise ConnectionError("the answer was sent in part")
        if status == INTERNAL.status:
            log.error("Request failed outside its handler", exc_info=exc)
            response = json_reply(internal_body(), status)
        else:
            # What follows the colon is the request's own bytes, and among them may be a credential.
            reason = (message or "").strip().partition(":")[0]
            log.info("Malformed request", remote=request.remote, reason=reason)
            response = json_reply(ErrorBody(error="bad_request", message=f"Malformed request: {reason}"), status)
        response.force_close()
        return response
