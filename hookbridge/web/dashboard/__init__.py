"""``/``: the dashboard, one page and the files beside it that it loads.

Invariant: it loads nothing from elsewhere and runs no script or style that stands in the page, which its
Content-Security-Policy enforces.  The files hold no data: all of it comes from the API, with the admin token that the
reader gives.
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from hookbridge.errors import NotFound
from hookbridge.web.replies import BROWSER_HEADERS, JSON_HEADERS

FOLDER = Path(__file__).parent
MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
ASSETS = {file.name: MEDIA[file.suffix] for file in FOLDER.iterdir() if file.suffix in MEDIA}
"""File name → media type."""

PAGE_HEADERS = {
    **BROWSER_HEADERS,
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


async def page(request: web.Request) -> web.StreamResponse:  # noqa: ARG001  every handler is called with it
    """The page."""
    headers = PAGE_HEADERS | {"Content-Type": "text/html; charset=utf-8"}
    return web.FileResponse(FOLDER / "index.html", headers=headers)


async def asset(request: web.Request) -> web.StreamResponse:
    """One of its files.  Raises NotFound for any other."""
    name = request.match_info["name"]
    if name not in ASSETS:
        raise NotFound("There is no such path")
    headers = JSON_HEADERS | {"Content-Type": ASSETS[name], "Cache-Control": "no-cache"}
    return web.FileResponse(FOLDER / name, headers=headers)
