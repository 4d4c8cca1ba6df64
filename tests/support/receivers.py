"""A destination: a small server that takes what it is sent, or does whatever a test wants instead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDictProxy
from standardwebhooks import Webhook

from hookbridge.config import Destination
from scripts.programs import free_port

SECRET = "whsec_bm8gb25lIGd1ZXNzZXMgdGhpcw=="

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """What came, each body once its signature was found right, and what is answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/changes"
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[CIMultiDictProxy[str]] = []
        self.taken: list[dict[str, Any]] = []
        """The changes of bodies that were answered with 2xx."""
        self.answers: list[web.Response | Answering] = []
        """What is answered next; when none is left, 204."""
        self._over = asyncio.Event()
        self.otherwise: Callable[[], web.Response | Answering] = lambda: web.Response(status=204)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        Webhook(SECRET).verify(raw, dict(request.headers))
        body = msgspec.json.decode(raw)
        self.bodies.append(body)
        self.headers.append(request.headers)
        answer = self.answers.pop(0) if self.answers else self.otherwise()
        if not isinstance(answer, web.Response):
            return await answer(request)
        if answer.status < 300:
            self.taken += body["changes"]
        return answer

    async def never(self, _request: web.Request) -> web.StreamResponse:
        """Answer nothing while it is there."""
        await self._over.wait()
        return web.Response()

    async def closed(self, request: web.Request) -> web.StreamResponse:
        """Close the connection in the middle of the headers."""
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        request.transport.close()
        return web.Response()

    @property
    def ids(self) -> list[str]:
        """The ids of the messages that came."""
        return [one["webhook-id"] for one in self.headers]

    def destination(self, **keys: Any) -> Destination:  # noqa: ANN401  as the fields are
        """Give the destination that it is."""
        return msgspec.convert({"name": "search", "url": self.url, "secret": SECRET, **keys}, Destination)

    @asynccontextmanager
    async def there(self) -> AsyncIterator[Receiver]:
        """Be reached."""
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.01)  # aiohttp takes 0 for "no limit"
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            self._over.set()
            await runner.cleanup()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Give one that is reached."""
    async with Receiver(free_port()).there() as one:
        yield one
