"""The Postgres that the nodes share: what is done to it, and what its log says of that.

Each node comes to it through a proxy of its own, where its connections can be cut or fall silent.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from hookbridge.demo.postgres import Postgres, postgres
from scripts.crashes.processes import Failed
from scripts.faulting.proxy import Proxy, proxied

OPTIONS = {
    # Its log is looked through for these.
    "log_lock_waits": "on",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
    "max_connections": "100",
    # What a small server has, so that checkpoints and vacuums happen within a run.
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "checkpoint_timeout": "30s",
}
_OURS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
_SAID = re.compile(r" (ERROR|FATAL|PANIC):  (.*)")
DEADLOCK = "deadlock detected"
AWAY_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.05
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What asyncpg raises of a server that is not there, that recovers, or that went meanwhile."""


class Database:
    """A server, and a proxy before it for each node."""

    def __init__(self, server: Postgres, proxies: Sequence[Proxy]) -> None:
        self.proxies = proxies
        self._server = server

    def url(self, node: int) -> str:
        """Where this node finds it."""
        port = self.proxies[node].url.rpartition(":")[2]
        return self._server.url.replace(f":{self._server.port}/", f":{port}/")

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """Ask in a connection of its own, past the proxies, and again while Postgres is away.  Raises Failed."""
        deadline = time.monotonic() + AWAY_SECONDS_MAX
        while True:
            try:
                return await self._fetched(query, *values)
            except AWAY as error:
                if time.monotonic() > deadline:
                    raise Failed(f"Postgres did not answer: {error!r}") from error
            await asyncio.sleep(LOOK_SECONDS)

    async def _fetched(self, query: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(self._server.url, timeout=10.0, command_timeout=60.0)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            connection.terminate()

    async def stop_at_once(self) -> None:
        """End it as a crash would: nothing is written down any more."""
        await self._server.stop("immediate")

    async def start(self) -> None:
        """Start it again: it recovers from its log."""
        await self._server.start()

    async def end_backends(self, moments: random.Random) -> int:
        """End some of the nodes' connections, each in the middle of whatever it does; gives how many."""
        backends = [row["pid"] for row in await self.fetch(_OURS)]
        some = moments.sample(backends, k=(len(backends) + 1) // 2)
        ended = await self.fetch("SELECT pg_terminate_backend(one) AS ended FROM unnest($1::integer[]) AS one", some)
        return sum(row["ended"] for row in ended)

    async def kill_backend(self, moments: random.Random) -> None:
        """Kill a backend with -9: the server throws all others out and recovers."""
        backends = [row["pid"] for row in await self.fetch(_OURS)]
        if not backends:
            raise Failed("no node is connected to Postgres")
        os.kill(moments.choice(backends), signal.SIGKILL)
        await self._server.until_ready()

    def said(self) -> Counter[str]:
        """Count the errors in its log by their text."""
        log = self._server.log.read_text(errors="replace")
        return Counter(f"{level}: {text}" for level, text in _SAID.findall(log))

    def deadlocks(self) -> int:
        """Count the deadlocks in its log."""
        return sum(count for text, count in self.said().items() if DEADLOCK in text)


@asynccontextmanager
async def database(folder: Path, nodes: int) -> AsyncIterator[Database]:
    """Run a Postgres with its data in this empty folder, and a proxy for each node."""
    async with postgres(folder, OPTIONS) as server, AsyncExitStack() as stack:
        before = f"http://127.0.0.1:{server.port}"
        yield Database(server, [await stack.enter_async_context(proxied(before)) for _ in range(nodes)])
