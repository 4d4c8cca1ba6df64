"""``/docs``: Swagger UI over ``/openapi.json``, all of it served from here.

Invariant: the page loads nothing from elsewhere, which its Content-Security-Policy enforces, and only the files listed
here are served.  The files come from the package ``swagger-ui-bundle-v2``; nothing is copied into this repository.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]  # ships no types

from hookbridge.errors import NotFound
from hookbridge.web.keys import OPENAPI
from hookbridge.web.replies import BROWSER_HEADERS, JSON_HEADERS
from hookbridge.web.route import SLASH

ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
"""File name → media type."""

PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hookbridge API</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/start.js"></script>
</body>
</html>
"""
START = b"""SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
"""A file of its own, because the policy below forbids scripts within the page."""

PAGE_HEADERS = {
    **BROWSER_HEADERS,
    # Swagger UI's icons are data URLs, and some of its elements carry style attributes.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


async def page(request: web.Request) -> web.StreamResponse:
    """The page.  Its files are named relative to ``/docs``, so that whoever came with a slash is sent there."""
    if request.path.endswith(SLASH):
        return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={**JSON_HEADERS, "Location": "../docs"})
    return web.Response(body=PAGE, content_type="text/html", charset="utf-8", headers=PAGE_HEADERS)


async def asset(request: web.Request) -> web.StreamResponse:
    """One of its files.  Raises NotFound for any other."""
    name = request.match_info["name"]
    if name == "start.js":
        return web.Response(body=START, content_type="text/javascript", charset="utf-8", headers=JSON_HEADERS)
    if name not in ASSETS:
        raise NotFound("There is no such path")
    headers = JSON_HEADERS | {"Content-Type": ASSETS[name], "Cache-Control": "public, max-age=86400"}
    return web.FileResponse(Path(swagger_ui_path) / name, headers=headers)


async def openapi(request: web.Request) -> web.StreamResponse:
    """The description of this API."""
    body = await asyncio.to_thread(request.app[OPENAPI])
    return web.Response(body=body, content_type="application/json", headers=JSON_HEADERS)
