"""A slash behind an endpoint's path names the same endpoint."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from yarl import URL

from hookbridge.web.route import Route
from hookbridge.web.routes import ROUTES
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.signing import webhook_signature
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: paths

SECRET = "a-secret-of-the-senders"
EVENT: dict[str, Any] = {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "1"}
SUPABASE = "/api/v1/webhooks/supabase/"


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if one.path != "/"], ids=lambda one: f"{one.method} {one.path}"
)
async def test_every_route_answers_with_a_slash_as_it_does_without_one(client: Running, route: Route) -> None:
    path = re.sub(r"\{\w+\}", "1", route.path)
    answers = []
    for asked in (path, f"{path}/"):
        async with client.http.request(route.method, asked, allow_redirects=False) as answer:
            answers.append((answer.status, answer.headers.get("WWW-Authenticate")))
    assert answers[1] == answers[0] or (route.path == "/docs" and answers[1] == (308, None))


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_method_that_is_not_taken_is_refused_with_the_same_list(client: Running, method: str) -> None:
    answers = [await client.http.request(method, path) for path in ("/api/v1/events", "/api/v1/events/")]
    assert [answer.status for answer in answers] == [405, 405]
    assert answers[0].headers["Allow"] == answers[1].headers["Allow"]


async def test_a_signed_webhook_is_taken_and_an_unsigned_one_is_not(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, secrets={"webhook_secrets": (SECRET,)}, signatures={"verify": True})
    body = msgspec.json.encode(EVENT)
    async with running(settings) as service:
        taken = await service.http.post(
            SUPABASE,
            data=body,
            headers={"Content-Type": "application/json", **webhook_signature(body, SECRET)},
            allow_redirects=False,
        )
        assert taken.status == 202
        assert (await service.post(SUPABASE, body)).status == 401
        assert (await service.get("/api/v1/events/")).status == 200
        assert (await service.get("/api/v1/events/", headers={})).status == 401
        listing = await (await service.get("/api/v1/rejected/")).json()
        assert [(one["endpoint"], one["reason"]) for one in listing["rejected"]] == [
            ("/api/v1/webhooks/supabase", "invalid_signature")
        ]


async def test_an_id_ends_before_that_slash_and_keeps_one_of_its_own(client: Running) -> None:
    for id_ in ("42", "42/"):
        await client.post("/api/v1/webhooks/supabase", EVENT | {"record_id": id_, "data": {"id": id_}})
    for written, id_ in (("42", "42"), ("42%2F", "42/")):
        url = URL(f"{client.url}/api/v1/records/supabase/users/{written}/", encoded=True)

        async def applied(url: URL = url) -> bool:
            return (await client.http.get(url, headers=ADMIN)).status == 200

        await wait_until(applied)
        assert (await (await client.http.get(url, headers=ADMIN)).json())["data"]["id"] == id_


async def test_the_probe_of_life_answers_under_any_name_with_a_slash_too(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        headers = {"Host": "probe.example"}
        assert (await service.get("/healthz/", headers=headers)).status == 200
        assert (await service.get("/readyz/", headers=headers)).status == 421


async def test_the_documentation_loads_its_files_from_where_it_sends_the_browser(client: Running) -> None:
    answer = await client.http.get("/docs/", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (308, "../docs")
    assert (await client.http.get("/docs/")).url.path == "/docs"


@pytest.mark.parametrize("path", ["//", "/healthz//", "//healthz", "/api/v1/webhooks/supabase//", "/api/"])
async def test_more_than_one_slash_names_nothing(client: Running, path: str) -> None:
    async with client.http.post(f"{client.url}{path}", headers=ADMIN) as answer:
        assert answer.status == 404
