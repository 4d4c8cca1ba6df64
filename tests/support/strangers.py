"""Servers that are no hookbridge, at an address where a command expects one; and a proxy with nothing behind it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer


class Gate:
    """A proxy before a service; while it is closed it answers 502 in HTML, as proxies do."""

    def __init__(self) -> None:
        self.closed = False
        self.url = ""


@asynccontextmanager
async def proxy(target: str, prefix: str = "") -> AsyncIterator[Gate]:
    """Run one; what is not below its prefix is not there, and the service sees paths without it."""
    gate = Gate()
    async with ClientSession() as http:

        async def passed_on(request: web.Request) -> web.Response:
            if gate.closed:
                return web.Response(status=502, text="<h1>Bad Gateway</h1>", content_type="text/html")
            if not request.path.startswith(f"{prefix}/"):
                return web.Response(status=404, text="not found")
            headers = {name: request.headers[name] for name in ("Authorization",) if name in request.headers}
            async with http.request(
                request.method, target + request.path_qs.removeprefix(prefix), headers=headers
            ) as answer:
                return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")

        async with _served(passed_on) as gate.url:
            yield gate


@asynccontextmanager
async def stranger(status: int, body: bytes, content_type: str, **headers: str) -> AsyncIterator[str]:
    """Serve this one answer at every path; gives the URL."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type=content_type, headers=headers)

    async with _served(answer) as url:
        yield url


@asynccontextmanager
async def _served(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")
