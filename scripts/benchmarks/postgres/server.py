"""A Postgres of the benchmark's own, as durable as one in production, on the core of the load; and its figures."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

from hookbridge.demo.postgres import Postgres
from hookbridge.errors import StartupError
from hookbridge.store.contract import Store
from hookbridge.store.postgres import PostgresStore
from scripts.benchmarks.machine import LOAD_CORE, CannotMeasure, processor_seconds

if TYPE_CHECKING:
    import asyncpg

Given = TypeVar("Given")

OPTIONS = {"shared_preload_libraries": "pg_stat_statements", "shared_buffers": "256MB", "max_wal_size": "4GB"}
"""As a small instance has it; checkpoints come by the clock, as they do on one that is not written to all day."""

_STATEMENTS = """
    SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements JOIN pg_database ON oid = dbid
    WHERE datname = $1 AND toplevel AND query !~ 'pg_advisory_xact_lock|INSERT INTO hookbridge.feed'
"""
# Without what triggers do at the end of a transaction, which is counted as if a node had sent it.
_WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'"


@dataclass(frozen=True)
class Figures:
    """What a server has done so far for one database; the log that it wrote is of all of them."""

    statements: int
    wal_bytes: int
    processor_us: float
    """Of the backends that are connected now, so a connection that ended meanwhile takes its share along."""

    def since(self, before: Figures) -> Figures:
        """Give what was done since then."""
        return Figures(
            self.statements - before.statements,
            self.wal_bytes - before.wal_bytes,
            self.processor_us - before.processor_us,
        )


class Server:
    """The running server."""

    def __init__(self, runner: asyncio.Runner, url: str, watch: asyncpg.Connection) -> None:
        self._runner = runner
        self.url = url
        """Of the database of its owner's own."""
        self._watch = watch
        self._numbers = itertools.count(1)

    def run(self, doing: Coroutine[Any, Any, Given]) -> Given:
        """Wait for this in the loop in which everything of this server is done."""
        return self._runner.run(doing)

    def database(self, like: str | None = None) -> str:
        """Make a database, empty or like another one that nobody is connected to; gives its URL."""
        name = f"bench_{next(self._numbers)}"
        template = "" if like is None else f" TEMPLATE {_name(like)}"
        self.run(self._watch.execute(f"CREATE DATABASE {name}{template}"))
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def execute(self, url: str, statement: str) -> None:
        """Run a statement in a database as its owner."""

        async def execute() -> None:
            connection = await _connected(url)
            await connection.execute(statement)
            await connection.close()

        self.run(execute())

    def figures(self, url: str) -> Figures:
        """Give what was done for this database so far."""
        name = _name(url)

        async def look() -> tuple[int, int, list[int]]:
            backends = [one["pid"] for one in await self._watch.fetch(_BACKENDS, name)]
            return await self._watch.fetchval(_STATEMENTS, name), await self._watch.fetchval(_WAL), backends

        statements, wal_bytes, backends = self.run(look())
        return Figures(statements, wal_bytes, sum(map(backend_us, backends)))


async def opened(url: str) -> Store:
    """Open the store in this database, without a service around it."""
    return cast("Store", await PostgresStore.open(url))


def settings(url: str) -> Mapping[str, str]:
    """Give what makes a service a node on this database."""
    return {"HOOKBRIDGE_STORE__URL": url}


@contextmanager
def server(**options: str) -> Iterator[Server]:
    """Start one on the core of the load: to a node it is another machine, as senders are.  Raises CannotMeasure."""
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory(prefix="pg-") as name:
        try:
            postgres = Postgres(Path(name), {**OPTIONS, **options})
            runner.run(postgres.create())
            runner.run(postgres.start())
        except StartupError as error:
            raise CannotMeasure(str(error), error.hint or "look at the message") from error
        try:
            _pin(postgres.pid)
            watch = runner.run(_connected(postgres.url))
            runner.run(watch.execute("CREATE EXTENSION pg_stat_statements"))
            yield Server(runner, postgres.url, watch)
        finally:
            runner.run(postgres.stop("immediate"))


async def _connected(url: str) -> asyncpg.Connection:
    import asyncpg

    return await asyncpg.connect(url)


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _pin(pid: int) -> None:
    """Move the server with all that it has started; what it starts later is there by itself."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) <= LOAD_CORE:
        return
    tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, tasks)):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(one, {LOAD_CORE})


def backend_us(pid: int) -> float:
    """Give a backend's time on the processor: by the scheduler, where it tells; ticks are too long for a claim."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000
    except FileNotFoundError:
        return processor_seconds(pid) * 1e6
