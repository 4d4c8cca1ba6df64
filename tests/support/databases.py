"""A database for each store of a test that is on Postgres, made like one that has the schema already; and a pooler.

The server is started for the first one that is asked for (``tests.support.postgres``), and ends with ``close``.  What a
test has made is dropped after it (``drop``).  All of it can be asked for in a loop and without one.
"""

import asyncio
import shutil
import subprocess
import threading
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg

from hookbridge.store.postgres import PostgresStore
from tests.support.postgres import NOBODY, as_nobody, server

Given = TypeVar("Given")

POOLED_SERVERS = 2
"""So many sessions serve all connections of a database that come through the pooler."""

_POOLER_PORT = 6543

# Where names are not compared byte by byte: whoever forgets to ask for that sees it.
_LIKE_PEOPLE = "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en'"


def has_pooler() -> bool:
    """Whether pgbouncer is installed."""
    return _pooler_program() is not None


def url(folder: Path, *, pooled: bool = False) -> str:
    """Give the URL of the database that belongs to a folder; it is made for the first who asks."""
    return _get().url(folder, pooled=pooled)


def pooled(url: str) -> str:
    """Give the URL of a database of the server's through the pooler."""
    return _get().pooled(urlsplit(url).path[1:])


def server_url() -> str:
    """Give the URL of the server's database ``postgres``."""
    return _get().server_url


@contextmanager
def away(url: str) -> Iterator[None]:
    """Have the server take nobody to this database, and end the connections that there are; then take them again."""
    ours, name = _get(), urlsplit(url).path[1:]
    ours.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    ours.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        yield
    finally:
        ours.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def drop() -> None:
    """Drop the databases that there are."""
    if _open:
        _open[0].drop()


def close() -> None:
    """End everything that was started."""
    if _open:
        _open.pop().close()


_open: list["_Databases"] = []


def _get() -> "_Databases":
    if not _open:
        _open.append(_Databases())
    return _open[0]


class _Databases:
    def __init__(self) -> None:
        self._stack = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="databases", daemon=True)
        self._thread.start()
        self.server_url = self._stack.enter_context(server())
        self._template = f"template_{uuid.uuid4().hex}"
        self._made: dict[Path, str] = {}
        self._pooler: str | None = None
        self._wait(self._make_template())

    def url(self, folder: Path, *, pooled: bool) -> str:
        name = self._made.get(folder)
        if name is None:
            name = self._made[folder] = f"test_{uuid.uuid4().hex}"
            self.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return self.pooled(name) if pooled else _of(self.server_url, name)

    def pooled(self, name: str) -> str:
        if self._pooler is None:
            self._pooler = self._stack.enter_context(_pooler(self.server_url))
        return _of(self._pooler, name)

    def drop(self) -> None:
        while self._made:
            _, name = self._made.popitem()
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        self.drop()
        self.execute(f"DROP DATABASE {self._template} WITH (FORCE)")
        self._stack.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _make_template(self) -> None:
        try:
            await self._execute(f"CREATE DATABASE {self._template} {_LIKE_PEOPLE}")
        except asyncpg.FeatureNotSupportedError:  # a server without ICU
            await self._execute(f"CREATE DATABASE {self._template} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
        store = await PostgresStore.open(_of(self.server_url, self._template))
        await store.close()

    def execute(self, statement: str) -> None:
        self._wait(self._execute(statement))

    async def _execute(self, statement: str) -> None:
        # A connection of its own: a test may have had the server crash since the last one.
        connection = await asyncpg.connect(self.server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _wait(self, work: Coroutine[Any, Any, Given]) -> Given:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _of(server: str, name: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def _pooler_program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextmanager
def _pooler(url: str) -> Iterator[str]:
    """Run pgbouncer in front of a server: each transaction has the session that is free."""
    program = _pooler_program()
    assert program is not None
    with as_nobody("pgbouncer-") as (folder, user):
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        server = {
            "host": parts.hostname or asked["host"][0],
            "port": parts.port,
            "user": parts.username,
            "password": parts.password,
        }
        words = " ".join(f"{name}='{value}'" for name, value in server.items() if value is not None)
        settings = {
            "unix_socket_dir": folder,
            "listen_port": _POOLER_PORT,
            "pool_mode": "transaction",
            "default_pool_size": POOLED_SERVERS,
            "max_client_conn": 500,
            "auth_type": "any",
            "logfile": folder / "log",
            "pidfile": folder / "pid",
        }
        lines = [
            "[databases]",
            f"* = {words}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        configuration = folder / "pgbouncer.ini"
        configuration.write_text("\n".join(lines) + "\n")
        if user is not None:
            shutil.chown(configuration, NOBODY)
        process = subprocess.Popen([program, "--quiet", configuration], cwd=folder, user=user)
        try:
            _wait_for(folder / f".s.PGSQL.{_POOLER_PORT}", process)
            yield f"postgresql://{parts.username}@/postgres?host={folder}&port={_POOLER_PORT}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(socket: Path, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(12_000):
        if socket.exists():
            return
        assert process.poll() is None, "pgbouncer ended"
        threading.Event().wait(0.005)
    raise AssertionError("pgbouncer does not listen")
