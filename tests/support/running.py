"""A real service on a real port: the chosen engine, our own protocol, a client beside it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientResponse, ClientSession
from msgspec.structs import replace

from hookbridge.clock import Clock
from hookbridge.config import Config, Secrets, Settings
from hookbridge.errors import StoreError
from hookbridge.service import Service
from hookbridge.store import note_names
from hookbridge.web.server import bind, listening
from tests.support.engines import node_section, store_section

ADMIN_TOKEN = "admin-token-for-tests"
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
JSON = {"Content-Type": "application/json"}


def make_settings(folder: Path, *, secrets: Mapping[str, Any] | None = None, **sections: Mapping[str, Any]) -> Settings:
    """Settings as config.toml would give them; a section's keys override the test's defaults."""
    defaults: dict[str, dict[str, Any]] = {
        "server": {"port": 0, "access_log": "errors", "shutdown_deadline_seconds": 5.0},
        "store": store_section(folder),
        "node": node_section(),
        "processing": {"workers": 8, "queue_size": 16, "retry_delay_seconds": 0.0},
    }
    values = {name: {**defaults.get(name, {}), **sections.get(name, {})} for name in {*defaults, *sections}}
    config = msgspec.convert(values, Config)
    hidden = Secrets(**{"admin_token": ADMIN_TOKEN, **(secrets or {})})
    return Settings(config=config, secrets=hidden, path=None, folder=folder)


def with_secrets(settings: Settings, **secrets: Any) -> Settings:  # noqa: ANN401  as the fields are
    """The same settings with other secrets."""
    return replace(settings, secrets=replace(settings.secrets, **secrets))


class Client:
    """Talking to a service, in this process or in another."""

    http: ClientSession
    url: str

    async def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> ClientResponse:
        """POST bytes as they are, or anything else as JSON."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.http.post(path, data=raw, headers={**JSON, **(headers or {})})

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> ClientResponse:
        """GET as an operator, unless other headers are given."""
        return await self.http.get(path, headers=ADMIN if headers is None else headers)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class Running(Client):
    """A service in this process."""

    def __init__(self, service: Service, http: ClientSession, url: str) -> None:
        self.service = service
        self.http = http
        self.url = url


@asynccontextmanager
async def running(settings: Settings, *, process: bool = True, clock: Clock | None = None) -> AsyncIterator[Running]:
    """Serve.  With `process=False` nothing is taken from the inbox, so what was stored stays open."""
    service = await Service.open(settings, clock)
    if not process:
        for source in service.lanes:
            await service.holds.pause(source)
    work = asyncio.create_task(service.run())
    try:
        async with listening(service, bind(settings.config.server)) as url, ClientSession(url) as http:
            yield Running(service, http, url)
    finally:
        service.begin_stop()
        if not process:  # what comes after this service is not held
            with suppress(StoreError):
                for source in service.lanes:
                    await service.store.put_note(note_names.paused(source), None)
        await service.stop()
        await work
