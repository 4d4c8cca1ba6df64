"""One demonstration from its temporary folder to the removal of it: stand-ins, nodes, story, signals.

With several nodes the first one is this process, so that its dashboard stays; the others are processes of their own,
and all share a Postgres that is started for them.

Invariant: when ``run`` has returned or raised, nothing listens any more and the folder is gone.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from aiohttp import ClientSession
from msgspec.structs import replace

from hookbridge.config import (
    Config,
    LoggingConfig,
    NodeConfig,
    NotionConfig,
    NotionDatabase,
    ProcessingConfig,
    ReconcileConfig,
    Secrets,
    ServerConfig,
    Settings,
    SignaturesConfig,
    StoreConfig,
    SupabaseConfig,
    SupabaseTable,
)
from hookbridge.demo.others import Others, others
from hookbridge.demo.places import PULLED, TABLE, Calendar, Places
from hookbridge.demo.postgres import postgres
from hookbridge.demo.processes import free_port
from hookbridge.demo.sender import Sender
from hookbridge.demo.story import Story
from hookbridge.demo.telling import Line, Tell
from hookbridge.service import Service
from hookbridge.standins import NotionStandin, PostgrestStandin
from hookbridge.web.server import bind, listening, signals, working

LOGGING = LoggingConfig(level="error")
"""The demonstration says itself what happens; what is left for the log are mistakes."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller chooses."""

    port: int
    seed: int
    seconds: float | None
    nodes: int = 1


def run(options: Options, tell: Tell) -> None:
    """Play until a signal, or for the chosen time.  Raises StartupError or NotConverged."""
    with TemporaryDirectory(prefix="hookbridge-demo-") as folder, asyncio.Runner() as runner:
        runner.run(_play(options, Path(folder), tell))
    tell(Line(kind="stopped", text="Stopped; the temporary folder is removed."))


async def _play(options: Options, folder: Path, tell: Tell) -> None:
    random = Random(options.seed)
    hidden = _secrets()
    calendar = Calendar()
    async with (
        signals() as signalled,
        PostgrestStandin(key=hidden.supabase_key) as supabase,
        NotionStandin(
            token=hidden.notion_token, verification_token=hidden.notion_webhook_secrets[0], clock=calendar
        ) as notion,
    ):
        places = Places(supabase, notion, random, calendar)
        hidden = replace(hidden, supabase_url=supabase.url)
        settings = Settings(config=_config(options.port, folder, places), secrets=hidden, folder=folder)
        with closing(bind(settings.config.server)) as listener:
            async with (
                _sharing(settings, options.nodes) as settings_of,
                working(await Service.open(settings_of[0])) as (service, work),
                listening(service, listener) as url,
                ClientSession() as http,
            ):
                for line in _opening(options, folder, url, hidden.admin_token):
                    tell(line)

                async def perform() -> None:
                    async with _beside(settings_of[1:], http) as beside:
                        urls = [url, *(one.url for one in beside.all)] if beside is not None else [url]
                        ids = lambda: f"msg_{random.getrandbits(64):016x}"  # noqa: E731  said once
                        sender = Sender(http, urls, hidden.webhook_secrets[0], ids, time.time)
                        await Story(service, places, sender, tell, others=beside).run(options.seconds)

                await _until_over(perform(), signalled, work)


@asynccontextmanager
async def _sharing(settings: Settings, nodes: int) -> AsyncIterator[list[Settings]]:
    """Give the settings of each node; where there are several, run the Postgres that they share."""
    if nodes == 1:
        yield [settings]
        return
    folder = settings.folder / "postgres"
    folder.mkdir()
    async with postgres(folder) as server:
        secret = replace(settings.secrets, store_url=server.url)
        yield [replace(settings, secrets=secret, config=_as_node(settings.config, number)) for number in range(nodes)]


def _as_node(config: Config, number: int) -> Config:
    port = config.server.port if number == 0 else free_port()
    node = NodeConfig(name=f"node {number + 1}")
    return replace(config, server=replace(config.server, port=port), node=node)


@asynccontextmanager
async def _beside(settings: list[Settings], http: ClientSession) -> AsyncIterator[Others | None]:
    if not settings:
        yield None
        return
    async with others(settings, http) as beside:
        yield beside


def _secrets() -> Secrets:
    """Give what looks like the real ones, so that the service has nothing to warn of."""
    return Secrets(
        supabase_key="sb_secret_" + secrets.token_urlsafe(24),
        notion_token="ntn_" + secrets.token_urlsafe(24),
        webhook_secrets=("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),),
        notion_webhook_secrets=(secrets.token_urlsafe(24),),
        admin_token=secrets.token_urlsafe(24),
    )


def _config(port: int, folder: Path, places: Places) -> Config:
    """Give settings as a user would write them, with gaps that a reader can wait for."""
    return Config(
        server=ServerConfig(port=port),
        store=StoreConfig(path=str(folder / "hookbridge.db"), min_free_bytes=0),
        processing=ProcessingConfig(retry_delay_seconds=0.2, probe_max_seconds=1.0),
        signatures=SignaturesConfig(verify=True),
        supabase=SupabaseConfig(
            tables=(
                SupabaseTable(name=TABLE, changed_at="updated_at"),
                SupabaseTable(name=PULLED, changed_at="updated_at", pull=True),
            )
        ),
        notion=NotionConfig(
            base_url=places.notion.url,
            databases=(NotionDatabase(id=places.database, content=True),),
            requests_per_second=100.0,
        ),
        reconcile=ReconcileConfig(
            poll_seconds=1.0,
            poll_seconds_max=2.0,
            sweep_seconds=3.0,
            sweep_requests_per_second=100.0,
            grace_seconds=2.0,
        ),
        logging=LOGGING,
    )


def _opening(options: Options, folder: Path, url: str, token: str) -> tuple[Line, Line]:
    address = f"{url}/#token={token}"
    where = f"in {folder}" if options.nodes == 1 else f"as {options.nodes} nodes over a Postgres in {folder}"
    text = f"hookbridge runs with a Supabase and a Notion of its own, {where} (seed {options.seed}). Ctrl-C ends it."
    return (
        Line(kind="started", text=text, figures={"seed": options.seed}),
        Line(kind="dashboard", text=f"Look at it: {address}", url=address),
    )


async def _until_over(story: Coroutine[Any, Any, None], signalled: asyncio.Event, work: asyncio.Task[None]) -> None:
    """Wait for the story's end, a signal, or the end of the service's work, which ``working`` explains."""
    telling = asyncio.create_task(story, name="story")
    waiting = asyncio.create_task(signalled.wait(), name="signals")
    await asyncio.wait({telling, waiting, work}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if telling.done():
        telling.result()
        return
    telling.cancel()
    with suppress(asyncio.CancelledError):
        await telling
