"""The front door: a webhook that is plain is stored and acknowledged here, everything else goes to aiohttp.

A request object, a task, a route lookup and a response cost several times what hookbridge itself does for a webhook
(docs/benchmarks.md).  What nearly every webhook is, plain and whole in one read, needs none of them.

Invariants: it wins by being strict, never by parsing more: what is not exactly of the one known shape, or would not be
answered 202, goes with all its bytes to aiohttp's protocol, and so does the rest of that connection.  Both sides know
asyncio's public interface alone.  One webhook of a connection is under way at a time, so answers keep the order of
requests; what arrives meanwhile, or while the sender reads no answers, waits, and nothing more is read.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from hookbridge.model import Receipt, SourceName
from hookbridge.web.clients import Headers
from hookbridge.web.hosts import Admits
from hookbridge.web.reception import WEBHOOKS, Reception, UnderWay
from hookbridge.web.route import SLASH

HEAD_BYTES, LENGTH_DIGITS = 8 * 1024, 9

# A header is one line: a name of letters and dashes, a value of printable ASCII without blanks around it.
_PLAIN = re.compile(rb"POST (/[a-z0-9/]+) HTTP/1\.1\r\n((?:[A-Za-z][A-Za-z0-9-]*: [!-~][ -~]*+(?<! )\r\n){3,64}+)\r\n")
_HEADER = re.compile(r"([^:]+): ([^\r]+)\r\n")
_SPECIAL = frozenset({
    "connection", "content-encoding", "expect", "keep-alive", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""What says that a request, its body or its connection is not plain."""


class Plain(msgspec.Struct, frozen=True):
    """A POST that is plain and whole."""

    path: str
    headers: Headers
    body: bytes
    size: int  # of head and body


def plain(data: bytes) -> Plain | None:
    """Give the request that these bytes begin with; None unless it is plain, JSON, and here completely."""
    matched = _PLAIN.match(data, 0, HEAD_BYTES)
    if matched is None:
        return None
    headers = CIMultiDictProxy(CIMultiDict(_HEADER.findall(matched[2].decode())))
    names = set(map(str.lower, headers))
    if len(names) != len(headers) or not names.isdisjoint(_SPECIAL) or "host" not in names:
        return None
    length = headers.get("Content-Length", "")
    if headers.get("Content-Type") != "application/json" or not length.isdecimal() or len(length) > LENGTH_DIGITS:
        return None
    size = matched.end() + int(length)
    return Plain(matched[1].decode(), headers, data[matched.end() : size], size) if size <= len(data) else None


@dataclass(kw_only=True, eq=False, slots=True)
class Door:
    """What all connections share."""

    otherwise: Callable[[], asyncio.Protocol]
    """Makes aiohttp's protocol for what is not plain."""
    receptions: dict[SourceName, Reception]
    max_body_bytes: int
    keepalive_seconds: float
    admits: Admits | None
    note: Callable[[Plain, asyncio.Transport, float, int], None] | None
    """Told of each acknowledged request, the seconds that it took and the bytes of its answer."""
    callers: set[Caller] = field(default_factory=set)
    stopping: bool = False

    def take(self, data: bytes) -> tuple[Plain, UnderWay] | None:
        """Begin to store the webhook that these bytes begin with; None leaves them to the ordinary route."""
        request = plain(data)
        if request is None or len(request.body) > self.max_body_bytes:
            return None
        source = WEBHOOKS.get(request.path.removesuffix(SLASH))
        if source is None or (self.admits is not None and not self.admits(request.headers["Host"])):
            return None
        try:
            taken = self.receptions[source].take(request.headers, request.body)
        except Exception:  # noqa: BLE001  the ordinary route meets it again, and says or logs what it is
            return None
        return (request, taken) if isinstance(taken, UnderWay) else None

    async def stop(self) -> None:
        """Close what is idle, and the others behind their answers; return when those are written."""
        self.stopping = True
        for caller in list(self.callers):
            caller.go_on()
        if stored := [caller.under_way[1].stored for caller in self.callers if caller.under_way is not None]:
            await asyncio.wait(stored)


class Caller(asyncio.Protocol):
    """One connection, as long as nothing but plain webhooks came on it."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._data = b""  # what is not answered yet; its beginning is what is under way
        self.under_way: tuple[Plain, UnderWay] | None = None
        self._is_heard = True  # the sender reads its answers
        self._is_done = False  # the sender has shut down its side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._door.callers.add(self)
        self._idle_since = self._loop.time()
        self._timer = self._loop.call_later(self._door.keepalive_seconds, self._end_idle)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._door.callers.discard(self)
        self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self.under_way is None and self._is_heard:
            self._next()
        else:
            self.transport.pause_reading()

    def _next(self) -> None:
        self.under_way = self._door.take(self._data)
        if self.under_way is None:
            self._hand_over()
        else:
            self.under_way[1].stored.add_done_callback(self._answer)

    def _hand_over(self) -> None:
        """Leave the connection to aiohttp for good, with everything that is not answered."""
        self.connection_lost(None)
        protocol = self._door.otherwise()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        self.transport.resume_reading()
        if not self._is_heard:
            protocol.pause_writing()
        protocol.data_received(self._data)
        if self._is_done:
            protocol.eof_received()

    def _answer(self, _stored: asyncio.Future[tuple[Receipt, ...]]) -> None:
        assert self.under_way is not None  # noqa: S101  for the type checker: this is its callback
        (request, taken), self.under_way = self.under_way, None
        try:
            wire = taken.ack().wire()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001  see below
            if not self.transport.is_closing():
                self._hand_over()  # the ordinary route offers it to the store once more, and tells what comes of it
            return
        if not self.transport.is_closing():
            self.transport.write(wire)
        self._data = self._data[request.size :]
        self._idle_since = self._loop.time()
        if self._door.note is not None:
            self._door.note(request, self.transport, time.perf_counter() - taken.began, len(wire))
        self.go_on()

    def go_on(self) -> None:
        """Take what waits, if it may; close where nothing is to come any more."""
        if self.under_way is not None or self.transport.is_closing():
            return
        if self._door.stopping or (self._is_done and not self._data):
            self.transport.close()
        elif self._is_heard and self._data:
            self._next()  # and only then more is read: one read an answer would be more than is answered
        elif self._is_heard:
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """Take nothing more from a sender that does not read its answers."""
        self._is_heard = False

    def resume_writing(self) -> None:
        self._is_heard = True
        self.go_on()

    def eof_received(self) -> bool:
        """Keep the way back open for a sender that shut down its own behind its last request (``nc -N``)."""
        self._is_done = True
        return self.under_way is not None or bool(self._data)

    def _end_idle(self) -> None:
        """Close what is idle for too long.  What waits for the disk only looks so: its answer begins the time."""
        idle = 0.0 if self.under_way is not None else self._loop.time() - self._idle_since
        if idle < self._door.keepalive_seconds:
            self._timer = self._loop.call_later(self._door.keepalive_seconds - idle, self._end_idle)
        else:
            self.transport.abort()
