"""The reconciler alone: for a hookbridge elsewhere (``python -m hookbridge poll``), and for a proof without a service.

Composition only, as ``service`` is for the whole.  No inbox is used, there are no lanes and there is no socket; to poll
for another hookbridge it has a data file of its own (copies, cursors), and a proof leaves the one it reads as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from hookbridge.api.reconcile import Line
from hookbridge.clock import anchored_clock
from hookbridge.config import Settings
from hookbridge.errors import StartupError
from hookbridge.model import Origin, SourceName
from hookbridge.naming import Naming
from hookbridge.reconcile.findings import Difference
from hookbridge.reconcile.loop import Beside, Reconciler
from hookbridge.reconcile.remote import RemoteSink
from hookbridge.reconcile.status import NOTHING_FOLLOWED, NOTHING_HINT
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.source import Source
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.stopping import stopping
from hookbridge.store.contract import Store
from hookbridge.store.opening import open_store
from hookbridge.store.sqlite import SqliteStore


async def poll(settings: Settings, *, to: str, state: Path) -> None:
    """Follow what is configured and post what differs, until SIGTERM, SIGINT or SIGHUP.

    ``to`` is the other hookbridge's URL, ``state`` the data file.  Raises StartupError.
    """
    secret = next(iter(settings.secrets.webhook_secrets), "")
    async with _opened(settings, state) as (store, sources, clock):
        sink = RemoteSink(to, secret, sources, store, clock=clock)
        try:
            # [reconcile] enabled is about a service: two may share a file, and this one does nothing else.
            switched_on = msgspec.structs.replace(settings.config.reconcile, enabled=True)
            reconciler = Reconciler(sources, store, sink, switched_on, clock, Naming(store), beside=Beside())
            if not reconciler.tables:
                raise StartupError(NOTHING_FOLLOWED, hint=NOTHING_HINT)
            await reconciler.open()
            await _until_signalled(asyncio.create_task(reconciler.run(), name="reconciler"))
        finally:
            await sink.close()


async def prove(
    settings: Settings, source: SourceName | None, table: str | None, *, content: bool
) -> AsyncGenerator[Line]:
    """Compare copy and source completely, line by line, and change neither copies nor events.

    Raises StartupError (also while a service has the file), NotFound, InvalidParameter or StoreUnavailable.
    """
    async with _opened(settings) as (store, sources, clock):
        reconciler = Reconciler(
            sources,
            store,
            _raise_nothing,
            settings.config.reconcile,
            clock,
            Naming(store),
            beside=Beside(),
        )
        name = None if source is None or table is None else sources[source].table(table)
        async with aclosing(reconciler.verify(source, name, heal=False, content=content)) as lines:
            async for line in lines:
                yield line


async def _raise_nothing(differences: Sequence[Difference], origin: Origin) -> NoReturn:
    raise AssertionError(f"a proof raised {len(differences)} events of origin {origin}")


@asynccontextmanager
async def _opened(
    settings: Settings, path: Path | None = None
) -> AsyncIterator[tuple[Store, Mapping[SourceName, Source], Callable[[], float]]]:
    """Open this data file, or what the settings name, and the sources; at the end close them.  Raises StartupError."""
    config, secrets, clock = settings.config, settings.secrets, anchored_clock()
    store = await (open_store(settings, clock) if path is None else SqliteStore.open(path, clock))
    sources: dict[SourceName, Source] = {}
    try:
        sources["supabase"] = SupabaseSource(config.supabase, config.signatures, secrets, store.ticket, clock=clock)
        # Nodes elsewhere may use the store that is looked at: they have the same budget.
        reserve = partial(store.permit, "notion", per_second=config.notion.requests_per_second)
        sources["notion"] = NotionSource(
            config.notion, config.signatures, secrets, store.ticket, None, clock=clock, reserve=reserve
        )
        yield store, sources, clock
    finally:
        for source in sources.values():
            await source.close()
        await store.close()


async def _until_signalled(work: asyncio.Task[None]) -> None:
    with stopping(work.cancel):
        await asyncio.wait({work})
        if not work.cancelled():
            work.result()
