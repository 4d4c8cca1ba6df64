"""What docs/deploy.md shows for nginx and Caddy, run before a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from yarl import URL

from hookbridge.config import Config
from hookbridge.web.server import KEEPALIVE_SECONDS
from tests.support.proxies import CLIENT, LANGUAGES, PAGE, block, missing, proxy, replaced
from tests.support.running import ADMIN, JSON, Running, make_settings, running
from tests.support.signing import webhook_signature

SECRET = "a-secret-of-the-senders"
SUPABASE = "/api/v1/webhooks/supabase"
EVENT = msgspec.json.encode(
    {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "1", "data": {"id": 1}}
)
FORGED = "203.0.113.9"
PREFIX = "/hookbridge"

PROXIES = [
    pytest.param(name, marks=pytest.mark.skipif(bool(missing(name)), reason=missing(name) or "it runs"))
    for name in LANGUAGES
]


def trusted() -> list[str]:
    """What the page has a service trust."""
    (line,) = block("toml", "trusted_proxies").splitlines()[1:]
    found: list[str] = msgspec.toml.decode(line)["trusted_proxies"]
    return found


def shown(program: str) -> str:
    return block(LANGUAGES[program], "hooks.example.com")


def below_a_path(program: str) -> str:
    """What the page shows, with what it says of a path put into it."""
    whole = shown(program)
    lines = block(LANGUAGES[program], f"{PREFIX}/")
    if program == "nginx":
        location, target = lines.splitlines()
        return replaced(whole, {"    location / {": location, "        proxy_pass http://hookbridge;": target})
    head, tail = "    reverse_proxy", "        }\n    }\n"
    return replaced(whole, {head: f"{lines}{head}", tail: f"{tail}    }}\n"})


@asynccontextmanager
async def served(program: str, page: str, folder: Path) -> AsyncIterator[tuple[Running, ClientSession]]:
    settings = make_settings(
        folder,
        secrets={"webhook_secrets": (SECRET,)},
        signatures={"verify": True},
        server={"trusted_proxies": trusted(), "allowed_hosts": ["hooks.example.com", "127.0.0.1"]},
    )
    (folder / "proxy").mkdir()
    async with running(settings) as service, proxy(program, page, service.port, folder / "proxy") as outside:
        yield service, outside


async def rejected(service: Running) -> list[dict[str, Any]]:
    listing = await (await service.get("/api/v1/rejected")).json()
    found: list[dict[str, Any]] = listing["rejected"]
    return found


@pytest.mark.parametrize("program", PROXIES)
async def test_a_signed_webhook_arrives_over_https_and_the_senders_address_with_a_refused_one(
    program: str, tmp_path: Path
) -> None:
    async with served(program, shown(program), tmp_path) as (service, outside):
        signed = {**JSON, **webhook_signature(EVENT, SECRET)}
        assert (await outside.post(SUPABASE, data=EVENT, headers=signed)).status == 202
        assert (await outside.post(f"{SUPABASE}/", data=EVENT, headers=signed)).status == 202
        for forged in ({}, {"X-Forwarded-For": FORGED}, {"Forwarded": f"for={FORGED}"}):
            assert (await outside.post(SUPABASE, data=EVENT, headers={**JSON, **forged})).status == 401
        assert [one["peer"] for one in await rejected(service)] == [CLIENT] * 3
        # Around the proxy nobody is believed; only this machine can come that way.
        assert (await service.post(SUPABASE, EVENT, {"X-Forwarded-For": "127.0.0.1"})).status == 401


@pytest.mark.parametrize("program", PROXIES)
async def test_a_body_that_is_too_large_is_refused_by_hookbridge_and_listed(program: str, tmp_path: Path) -> None:
    async with served(program, shown(program), tmp_path) as (service, outside):
        limit = Config().server.max_body_bytes
        answer = await outside.post(SUPABASE, data=BytesIO(b" " * (limit + 1)), headers=JSON)
        assert (answer.status, (await answer.json())["error"]) == (413, "payload_too_large")
        assert [(one["status"], one["peer"]) for one in await rejected(service)] == [(413, CLIENT)]


@pytest.mark.parametrize("program", PROXIES)
async def test_below_a_path_the_pages_find_their_files_and_webhooks_their_endpoint(
    program: str, tmp_path: Path
) -> None:
    async with served(program, below_a_path(program), tmp_path) as (_, outside):
        signed = {**JSON, **webhook_signature(EVENT, SECRET)}
        assert (await outside.post(f"{PREFIX}{SUPABASE}", data=EVENT, headers=signed)).status == 202
        for page, file in (
            ("/", "dashboard/dashboard.js"),
            ("/docs", "docs/assets/start.js"),
            ("/docs/", "openapi.json"),
        ):
            answer = await outside.get(f"{PREFIX}{page}")
            assert answer.status == 200
            assert (await outside.get(answer.url.join(URL(file)))).status == 200
        assert (await outside.get(f"{PREFIX}/docs/", allow_redirects=False)).headers["Location"] == "../docs"
        assert (await outside.get(f"{PREFIX}/api/v1/events", headers=ADMIN)).status == 200


def only_webhooks(program: str) -> str:
    """What the page shows, with what it says of webhooks alone put into it."""
    lines = block(LANGUAGES[program], "/api/v1/webhooks/")
    head = {"nginx": "    location / {\n", "caddy": "    reverse_proxy"}[program]
    return replaced(shown(program), {head: lines if program == "nginx" else f"{lines}{head}"})


@pytest.mark.parametrize("program", PROXIES)
async def test_where_only_webhooks_come_from_outside_nothing_else_is_there(program: str, tmp_path: Path) -> None:
    async with served(program, only_webhooks(program), tmp_path) as (service, outside):
        signed = {**JSON, **webhook_signature(EVENT, SECRET)}
        assert (await outside.post(SUPABASE, data=EVENT, headers=signed)).status == 202
        for path in ("/", "/docs", "/metrics", "/api/v1/events"):
            async with outside.get(path, headers=ADMIN) as answer:
                assert answer.status in {400, 404}, path
        assert (await service.get("/api/v1/events")).status == 200


@pytest.mark.parametrize("program", LANGUAGES)
def test_the_proxy_takes_larger_bodies_and_ends_idle_connections_earlier(program: str) -> None:
    size = {"nginx": ("client_max_body_size 3m;", 3 << 20), "caddy": ("max_size 3MB", 3 * 10**6)}[program]
    idle = {"nginx": "keepalive_timeout 60s;", "caddy": "keepalive 60s"}[program]
    assert size[0] in shown(program)
    assert size[1] > Config().server.max_body_bytes
    assert idle in shown(program)
    assert KEEPALIVE_SECONDS > 60
    assert f"hookbridge closes them after {KEEPALIVE_SECONDS:g} s" in PAGE
    assert f":{Config().server.port}" in shown(program)
