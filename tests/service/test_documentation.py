"""/docs works offline, and /openapi.json says what the route table says."""

import re
from pathlib import Path

from hookbridge.web.routes import ROUTES
from tests.support.running import Running

ROOT = Path(__file__).parents[2]


async def test_every_route_of_the_api_is_in_the_document(client: Running) -> None:
    document = await (await client.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES if route.tag is not None}


async def test_every_reference_in_the_document_leads_somewhere(client: Running) -> None:
    answer = await client.http.get("/openapi.json")
    document = await answer.json()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', await answer.text()))
    assert names
    assert names <= set(document["components"]["schemas"])


async def test_the_page_asks_nobody_else(client: Running) -> None:
    answer = await client.http.get("/docs")
    page = await answer.text()
    assert "default-src" in answer.headers["Content-Security-Policy"]
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    for asset in re.findall(r'(?:src|href)="([^"#]+)"', page):
        async with client.http.get(asset) as found:
            assert found.status == 200


def test_every_endpoint_is_named_in_the_documents() -> None:
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(file.read_text() for file in files)
    pages = "/docs/assets/"  # what /docs loads is no endpoint of anybody's
    missing = {route.path for route in ROUTES if not route.path.startswith(pages) and not named_in(route.path, text)}
    assert not missing


def named_in(path: str, text: str) -> bool:
    """Whether a path is written there; a record's or source's own name may stand in place of a parameter."""
    return re.search(re.sub(r"\\\{\w+\\\}", r"[^/\\s`]+", re.escape(path)) + r"(?![\w/])", text) is not None
