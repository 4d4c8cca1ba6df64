"""Reading a request's body: media type, size cap, and the answer to ``Expect: 100-continue``.

Invariant: a body over the limit is refused, never cut, and at most the limit and one read of it are in memory; one that
does not arrive is not waited for.  It does not look into the body.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, web

from hookbridge.api.errors import ErrorBody
from hookbridge.errors import PayloadTooLarge, UnsupportedMediaType
from hookbridge.web.keys import ARRIVING, SERVICE
from hookbridge.web.replies import json_reply, reply


async def read_body(request: web.Request) -> bytes:
    """Read the whole body, byte for byte.

    Raises UnsupportedMediaType unless it is ``application/json`` (with any parameters) in no encoding: a signature is
    over the raw bytes, so there must be no second form of them.  Raises PayloadTooLarge as soon as that
    is known, BodyTooSlow, and TryLater when the service stops meanwhile.
    """
    headers = request.headers
    received = headers.get("Content-Type", "")
    if received != "application/json" and received.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType(received)
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType(headers["Content-Encoding"], message="Send the body without Content-Encoding")
    limit_bytes = request.app[SERVICE].settings.config.server.max_body_bytes
    content = request.content
    if content.is_eof():
        # Nearly every webhook: it is here completely, and one call has it.
        body = content.read_nowait()
        if len(body) > limit_bytes:
            raise PayloadTooLarge(limit_bytes)
        return body
    async with request.app[ARRIVING].one():
        return await _read_arriving(request, limit_bytes)


async def _read_arriving(request: web.Request, limit_bytes: int) -> bytes:
    if (request.content_length or 0) > limit_bytes:
        raise PayloadTooLarge(limit_bytes)
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > limit_bytes:
            raise PayloadTooLarge(limit_bytes)
    return bytes(body)


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Ask for the body (100), or refuse it before it is sent when its announced length is over the limit."""
    if request.version != HttpVersion11:
        return None
    if request.headers["Expect"].lower() != "100-continue":
        return json_reply(ErrorBody(error="expectation_failed", message="Only 100-continue can be expected"), 417)
    limit_bytes = request.app[SERVICE].settings.config.server.max_body_bytes
    if (request.content_length or 0) > limit_bytes:
        return reply(PayloadTooLarge(limit_bytes))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # aiohttp takes a size above zero for an answer that has begun
    return None
