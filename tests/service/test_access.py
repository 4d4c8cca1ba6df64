"""Who may call what: everything that reads data or changes state needs the admin token."""

import re

import pytest

from hookbridge.web.route import Route
from hookbridge.web.routes import ROUTES
from tests.support.running import ADMIN, Running

PUBLIC = {
    "/",
    "/dashboard/{name}",
    "/api/v1/webhooks/stats",
    "/healthz",
    "/readyz",
    "/docs",
    "/docs/assets/{name}",
    "/openapi.json",
}
SIGNED = {"/api/v1/webhooks/supabase", "/api/v1/webhooks/notion", "/api/v1/webhooks/test"}


def test_nothing_else_is_open() -> None:
    assert {route.path for route in ROUTES if route.access == "public"} == PUBLIC
    assert {route.path for route in ROUTES if route.access == "signed"} == SIGNED


@pytest.mark.parametrize("route", [one for one in ROUTES if one.access == "operators"], ids=lambda one: one.name)
@pytest.mark.parametrize(
    "token", [None, "", "Bearer ", "Bearer wrong", "Basic YWRtaW46", "Bearer admin-token-for-test"]
)
async def test_operators_endpoints_refuse_without_the_token(client: Running, route: Route, token: str | None) -> None:
    path = re.sub(r"\{\w+\}", "1", route.path)
    headers = {} if token is None else {"Authorization": token}
    answer = await client.http.request(route.method, path, headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await answer.json())["error"] == "unauthorized"


async def test_a_lane_is_paused_and_resumed_by_its_operator(client: Running) -> None:
    paused = await client.http.post("/api/v1/sources/notion/pause", headers=ADMIN)
    assert (await paused.json())["state"] == "paused"
    ready = await (await client.get("/readyz")).json()
    assert {lane["source"]: lane["state"] for lane in ready["lanes"]} == {"supabase": "running", "notion": "paused"}
    resumed = await client.http.post("/api/v1/sources/notion/resume", headers=ADMIN)
    assert (await resumed.json())["state"] == "running"
    assert (await client.http.post("/api/v1/sources/other/pause", headers=ADMIN)).status == 422


async def test_strangers_see_states_and_operators_reasons(client: Running) -> None:
    stranger = await (await client.http.get("/readyz")).json()
    assert all(set(lane) == {"source", "state"} for lane in stranger["lanes"])
    assert "verdict" not in stranger
    operator = await (await client.get("/readyz")).json()
    assert operator["verdict"]["text"] == "Nothing received yet"
    assert (await client.http.get("/healthz")).status == 200
