"""The 202 of a webhook as one write to the transport.

An ordinary ``web.Response`` builds a multidict of headers, asks signals, serializes and joins: about 15 µs here, as
much as everything else that hookbridge does for a webhook together.  An ack has the same few headers every time, so its
bytes are put together at once.  Invariant: what goes out is one complete HTTP/1.1 answer with ``Content-Length``.

It does not speak HTTP/1.0, does not close connections, and sends no signal ``on_response_prepare``: a request that is
not plain HTTP/1.1 with keep-alive is given an ordinary response.
"""

from __future__ import annotations

from email.utils import formatdate

import msgspec
from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from hookbridge.api.webhooks import Accepted, AckDetails
from hookbridge.errors import HookbridgeError
from hookbridge.model import Receipt
from hookbridge.web.replies import JSON_HEADERS, reply

_encode = msgspec.json.Encoder().encode

_HEAD = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n" + "".join(
    f"{name}: {value}\r\n" for name, value in JSON_HEADERS.items()
)


class Ack(web.StreamResponse):
    """An answer that is bytes already.  Made for one request; its constructor leaves out the base's on purpose."""

    _status = 202
    _reason = "Accepted"

    def __init__(self, wire: bytes, body_bytes: int) -> None:
        self._wire = wire
        self._body_length = body_bytes

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Take the connection's writer; nothing is sent yet."""
        self._keep_alive = True
        self._payload_writer = request.writer
        return self._payload_writer

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002  the base's signature
        """Send everything."""
        writer = self._payload_writer
        if writer is None or self._eof_sent:
            return
        await writer.write(self._wire)
        await writer.drain()
        self._eof_sent = True


def ack(request: web.BaseRequest, details: AckDetails, receipts: tuple[Receipt, ...], now: float) -> web.StreamResponse:
    """Answer 202 for stored events.  ``now`` is epoch seconds."""
    body, headers = _encode(Accepted(details=details)), ack_headers(receipts)
    if request.version != HttpVersion11 or not request.keep_alive:
        return web.Response(body=body, status=202, content_type="application/json", headers=JSON_HEADERS | headers)
    return Ack(_wire(body, headers, now), len(body))


def accepted_wire(details: AckDetails, receipts: tuple[Receipt, ...], now: float) -> bytes:
    """Give the 202 of stored events, as bytes for an HTTP/1.1 connection that stays open."""
    return _wire(_encode(Accepted(details=details)), ack_headers(receipts), now)


def refused_wire(error: HookbridgeError) -> bytes:
    """Give the answer to an error, as bytes for an HTTP/1.1 connection that stays open."""
    answer = reply(error)
    body = answer.body
    assert isinstance(body, bytes)  # noqa: S101  for the type checker: json_reply made it
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items() if name != "Content-Length"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def ack_headers(receipts: tuple[Receipt, ...]) -> dict[str, str]:
    """Give the headers that name the events, and say when one was known already."""
    headers = {"X-Hookbridge-Event": ",".join([str(receipt.event_id) for receipt in receipts])}
    if any([receipt.duplicate for receipt in receipts]):  # noqa: C419  a list of one is faster than a generator
        headers["X-Hookbridge-Duplicate"] = "true"
    return headers


def _wire(body: bytes, headers: dict[str, str], now: float) -> bytes:
    own = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = f"{_HEAD}Date: {_date(int(now))}\r\n{own}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


_dated: tuple[int, str] = (-1, "")


def _date(second: int) -> str:
    global _dated  # noqa: PLW0603  one value a second, formatted once
    if _dated[0] != second:
        _dated = (second, formatdate(second, usegmt=True))
    return _dated[1]
