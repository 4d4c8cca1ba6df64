"""Where people are told: a small server that takes alerts and beats, or does what a test wants instead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from standardwebhooks import Webhook

from scripts.programs import free_port

SECRET = "whsec_bm8gb25lIGd1ZXNzZXMgdGhpcw=="


class People:
    """What they were told, each once its signature was found right where it has one."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/alerts"
        self.beat_url = f"http://127.0.0.1:{port}/beats"
        self.port = port
        self.told: list[dict[str, Any]] = []
        """The bodies that were answered with 2xx."""
        self.ids: list[str] = []
        """Of all that came."""
        self.paths: list[str] = []
        self.beats = 0
        self.status = 204
        self.beat_answer = (200, "OK")
        self.headers: Mapping[str, str] = {}

    async def _take(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if "webhook-signature" in request.headers:
            Webhook(SECRET).verify(raw, dict(request.headers))
        self.ids.append(request.headers["webhook-id"])
        self.paths.append(request.path_qs)
        if self.status < 300:
            self.told.append(msgspec.json.decode(raw))
        return web.Response(status=self.status, headers=self.headers)

    async def _beat(self, request: web.Request) -> web.StreamResponse:
        assert not await request.read()
        self.beats += 1
        status, text = self.beat_answer
        return web.Response(status=status, text=text)

    @property
    def types(self) -> list[str]:
        """What kinds of alerts were taken."""
        return [one["type"] for one in self.told]

    @asynccontextmanager
    async def there(self) -> AsyncIterator[People]:
        """Be reached."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        app.router.add_get("/{path:.*}", self._beat)
        runner = web.AppRunner(app, shutdown_timeout=0.01)  # aiohttp takes 0 for "no limit"
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            await runner.cleanup()


@asynccontextmanager
async def people() -> AsyncIterator[People]:
    """Give some who are reached."""
    async with People(free_port()).there() as one:
        yield one
