"""/docs works offline, and /openapi.json says what the route table says."""

import re

from hookbridge.web.routes import ROUTES
from tests.support.running import Running


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
