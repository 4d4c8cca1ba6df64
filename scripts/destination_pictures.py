"""The pictures of docs/destinations.md: of two destinations one goes down, catches up, and is well again."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from playwright.async_api import FloatRect, Page, expect

from hookbridge.config import Destination

BATCH = 10
"""So few at once that one who looks sees it catch up."""
ROOM = 12
"""Around what a picture shows, in pixels."""
DOWN: FloatRect = {"x": 0, "y": 0, "width": 1280, "height": 640}
"""Of the picture with the panel, which has nothing below."""


class Receiver:
    """A destination: how it answers, and how long that takes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seconds = 0.0
        self.refusal: str | None = None
        self._port = 0

    async def _take(self, _: web.Request) -> web.Response:
        if self.refusal is not None:
            return web.Response(status=503, text=self.refusal)
        await asyncio.sleep(self.seconds)
        return web.Response(status=204)

    @asynccontextmanager
    async def there(self) -> AsyncIterator[Receiver]:
        """Be reached."""
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/changes", self._take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    def destination(self) -> Destination:
        """Give the destination that it is."""
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        url = f"http://127.0.0.1:{self._port}/changes"
        return Destination(name=self.name, url=url, secret=secret, batch=BATCH)


async def take(page: Page, warehouse: Receiver, edit: Callable[[float], Awaitable[None]], into: Path) -> None:
    """Let it be down for most of a minute, and go on; ``page`` shows the destinations."""
    row = page.locator(f"#rows tr[data-key='destination:{warehouse.name}']")
    state, behind = row.locator("td.how"), row.locator("td.figure").first
    warehouse.refusal = "closed for the stocktaking"
    await edit(40.0)
    await row.locator(".open").click()
    await page.wait_for_selector("#panel .reason:visible")
    await page.mouse.move(0, 0)
    await page.screenshot(path=into / "destinations-down.png", clip=DOWN)
    before = await behind.inner_text()
    warehouse.refusal, warehouse.seconds = None, 1.5
    await page.click("[data-deed=retry]")
    await page.click("#action button.main")
    await page.click("#panel-close")
    await expect(behind).not_to_have_text(before)
    await state.get_by_text("catches up").wait_for()
    await _list(page, into / "destinations-catching-up.png")
    warehouse.seconds = 0.0
    await state.get_by_text("catches up").wait_for(state="detached")
    await edit(3.0)
    await page.wait_for_timeout(3000)  # the list has looked once more
    await _list(page, into / "destinations-well.png")


async def _list(page: Page, path: Path) -> None:
    """Picture the tabs and the rows below them."""
    await page.mouse.move(0, 0)
    top, bottom = await page.locator("#views").bounding_box(), await page.locator("#rows").bounding_box()
    assert top is not None
    assert bottom is not None
    height = bottom["y"] + bottom["height"] - top["y"] + 2 * ROOM
    width = top["width"] + 2 * ROOM
    await page.screenshot(
        path=path, clip={"x": top["x"] - ROOM, "y": top["y"] - ROOM, "width": width, "height": height}
    )
