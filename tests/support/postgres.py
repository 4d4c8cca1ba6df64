"""A real Postgres for tests: the server that HOOKBRIDGE_TEST_DATABASE_URL names, or one from the wheel.

The wheel's programs are run as they are: its Python module would change the permissions of every folder above its data.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from hookbridge.demo.postgres import NOBODY, programs, reachable
from tests.support.waiting import wait_until

__all__ = ["NOBODY", "as_nobody", "database", "programs", "server", "until_ready"]

MEMORY_MIN = 4 * 1024**3
"""Less than this is not enough for a server's files."""


@contextmanager
def server() -> Iterator[str]:
    """Give the URL of a server's database `postgres`; one of our own ends with the context."""
    given = os.environ.get("HOOKBRIDGE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with (
        as_nobody("pg-") as (folder, user),
        as_nobody("pg-", in_memory=True) as (data, _),
        _started(folder, data, user) as url,
    ):
        yield url


@contextmanager
def as_nobody(prefix: str, *, in_memory: bool = False) -> Iterator[tuple[Path, str | None]]:
    """Give a folder for a server, and the user who is to run it and has the folder; None is who we are.

    ``in_memory``: where files are written for nothing, if there is such a place.
    """
    memory = Path("/dev/shm")
    roomy = in_memory and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_MIN
    # Short, because the path of a socket has a limit.
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=memory if roomy else None))
    user = NOBODY if os.geteuid() == 0 else None
    try:
        if user is not None:
            folder.chmod(0o755)
            shutil.chown(folder, user)
        yield folder, user
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def database(url: str) -> AsyncIterator[str]:
    """Give the URL of a database of the test's own on this server."""
    name = f"test_{uuid.uuid4().hex}"
    await _execute(url, f"create database {name}")
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        await _execute(url, f"drop database {name} with (force)")


async def until_ready(url: str) -> None:
    """Wait until the server takes connections."""

    async def is_ready() -> bool:
        asking = await asyncio.create_subprocess_exec(programs() / "pg_isready", "-q", "-d", url)
        return await asking.wait() == 0

    await wait_until(is_ready)


async def _execute(url: str, statement: str) -> None:
    connection: asyncpg.Connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def _started(folder: Path, data: Path, user: str | None) -> Iterator[str]:
    binaries = programs() if user is None else reachable(programs(), folder)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / program, "-D", data / "data", *arguments],
            check=True,
            cwd=folder,
            user=user,
            # A server that inherited the pipe would keep it open.
            stdout=subprocess.DEVNULL,
        )

    run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
    # With fsync: a store refuses a server that loses what it has said is stored.
    options = f"-k {folder} -c listen_addresses= -c max_connections=300 -c restart_after_crash=on"
    # As the role of a store has them.
    options += " -c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s"
    options += " -c shared_preload_libraries=pg_stat_statements"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
