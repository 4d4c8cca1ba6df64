"""The reconciler alone, for a hookbridge elsewhere: what ``python -m hookbridge poll`` runs.

Composition only, as ``service`` is for the whole.  It has its own data file (copies, cursors), no inbox that is used,
no lanes and no socket.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import msgspec

from hookbridge.clock import anchored_clock
from hookbridge.config import Settings
from hookbridge.errors import StartupError
from hookbridge.model import SourceName
from hookbridge.reconcile.loop import Reconciler
from hookbridge.reconcile.remote import RemoteSink
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.source import Source
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.store.sqlite import SqliteStore


async def poll(settings: Settings, *, to: str, state: Path) -> None:
    """Follow what is configured and post what differs, until SIGTERM or SIGINT.

    ``to`` is the other hookbridge's URL, ``state`` the data file.  Raises StartupError.
    """
    config, secrets, clock = settings.config, settings.secrets, anchored_clock()
    store = await SqliteStore.open(state)
    sources: dict[SourceName, Source] = {
        "supabase": SupabaseSource(config.supabase, config.signatures, secrets, store.ticket, clock=clock),
        "notion": NotionSource(config.notion, config.signatures, secrets, store.ticket, None, clock=clock),
    }
    sink = RemoteSink(to, next(iter(secrets.webhook_secrets), ""), sources, store, clock=clock)
    try:
        # [reconcile] enabled is about a service: two may share a file, and this one does nothing else.
        switched_on = msgspec.structs.replace(config.reconcile, enabled=True)
        reconciler = Reconciler(sources, store, sink, switched_on, clock, loads=lambda source, table: False)  # noqa: ARG005
        if not reconciler.tables:
            raise StartupError(
                "There is nothing to follow",
                hint="list tables in [[supabase.tables]] or [[notion.databases]], and set the source's credentials",
            )
        await reconciler.open()
        await _until_signalled(asyncio.create_task(reconciler.run(), name="reconciler"))
    finally:
        await sink.close()
        for source in sources.values():
            await source.close()
        await store.close()


async def _until_signalled(work: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await asyncio.wait({work})
        if not work.cancelled():
            work.result()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
