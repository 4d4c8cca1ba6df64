"""One small HTTP server on the loopback address: listening, going down and coming back, the request log, the faults.

Invariant: the port stays the same from the first `start()` on, so that a client's URL survives an outage.
It does not know what it serves: a subclass turns a request into a `Reply`.
"""

import asyncio
import re
import socket
import struct
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

from aiohttp import web

from hookbridge.standins.faults import Fault, Faults, Kind
from hookbridge.standins.wire import Reply, SeenRequest

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_GRACE_SECONDS = 0.01  # for requests in flight when the service stops; aiohttp takes 0 for "no limit"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class RequestLog:
    """What was asked: the last requests in full, and counters of all.

    `by_route` counts `"GET /rest/v1/users"`, with ids in paths written as `{id}`; `by_status` counts answers (a
    connection that was reset has none).
    """

    def __init__(self, size: int) -> None:
        self.entries: deque[SeenRequest] = deque(maxlen=size)
        self.total = 0
        self.by_route: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()

    def __len__(self) -> int:
        return self.total

    def add(self, seen: SeenRequest) -> None:
        """Note one request."""
        self.entries.append(seen)
        self.total += 1
        path = seen.path_qs.partition("?")[0]
        self.by_route[f"{seen.method} {_ID.sub('{id}', path)}"] += 1

    def matching(self, predicate: Callable[[SeenRequest], bool]) -> list[SeenRequest]:
        """Those of the last requests that satisfy a predicate."""
        return [seen for seen in self.entries if predicate(seen)]

    def clear(self) -> None:
        """Forget all requests and set the counters to zero."""
        self.entries.clear()
        self.by_route.clear()
        self.by_status.clear()
        self.total = 0


class Standin:
    """Base of the stand-ins: an async context manager that serves `answer()`.

    `port=0` takes a free port.  Nothing is kept between a `stop()` and the next `start()` but the port and the state.
    """

    def __init__(self, *, port: int, faults: Faults, log_size: int = 10_000) -> None:
        self.faults = faults
        self.requests = RequestLog(log_size)
        self._port = port
        self._runner: web.ServerRunner | None = None

    async def answer(self, request: web.BaseRequest, body: bytes) -> Reply:
        """Turn a request into a reply; what a subclass is for."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end; known once the server has been started."""
        if self._port == 0:
            message = "the stand-in has no port before its first start()"
            raise RuntimeError(message)
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen; does nothing when listening already."""
        if self._runner is not None:
            return
        # Cancelling the handler of a client that hung up ends a hanging request with its client.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_GRACE_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening and close every connection; new ones are refused until the next `start()`."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Inside this context connections are refused; afterwards the same port answers again, with its state."""
        await self.stop()
        try:
            yield
        finally:
            await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.faults.clear()
        await self.stop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.requests.add(
            SeenRequest(method=request.method, path_qs=request.raw_path, headers=request.headers, body=body)
        )
        fault = self.faults.meet(request.raw_path)
        if fault is None:
            reply = await self.answer(request, body)
        else:
            if fault.kind is Kind.RESET:
                return _reset(request)
            reply = await self._through(fault, request, body)
            if fault.kind is Kind.CUT:
                return await _send_cut(request, reply)
        self.requests.by_status[reply.status] += 1
        if request.method == "HEAD":
            return _Headless(reply)
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    async def _through(self, fault: Fault, request: web.BaseRequest, body: bytes) -> Reply:
        if fault.reply is not None:
            return fault.reply
        if fault.kind is Kind.SLOW:
            await asyncio.sleep(fault.seconds)
        elif fault.kind is Kind.HANG:
            await fault.over.wait()
        return await self.answer(request, body)


class _Headless(web.StreamResponse):
    """The answer to HEAD: the headers of the reply and no `Content-Length` (PostgREST names none)."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(status=reply.status, headers=reply.headers)


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection so that the client sees a reset, not an orderly end."""
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()


async def _send_cut(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Promise the whole body, send half of it, close."""
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_length = max(len(reply.body), 2)
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2] or b"{")
    if request.transport is not None:
        request.transport.close()
    return response
