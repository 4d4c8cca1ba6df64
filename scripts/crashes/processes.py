"""The two processes that a crash test steers: the service, which is struck, and the world, which is not.

Every process is ended by whoever started it here, whatever happens.
"""

from __future__ import annotations

import asyncio
import json
import resource
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from scripts import programs
from scripts.crashes.setup import ADMIN_TOKEN, OVERTAKEN, ROOT, module
from scripts.programs import Program

READY_SECONDS = 120.0
CUT = "The body did not arrive completely"
"""What the service logs of a webhook whose sender hung up."""
LOOK_SECONDS = 0.01
TELL_SECONDS = 60.0
"""The world answers at once; this is for a machine that is far too busy."""


class Failed(Exception):
    """The test cannot go on; says what was seen."""


class Service(Program):
    """One life of the service."""

    def __init__(self, process: Process, port: int) -> None:
        self.fenced = 0
        """How many of its settlements were refused because their lease was taken over."""
        self._port = port
        super().__init__(process, lines_max=40)

    @classmethod
    async def start(cls, folder: Path, port: int, environment: dict[str, str], command: list[str]) -> Service:
        """Execute it; it does not answer yet."""
        process = await programs.start(
            [*command, "--port", str(port)], cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT
        )
        return cls(process, port)

    @property
    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.lines)

    def took(self, line: str) -> None:
        """Take a line of its log."""
        if CUT not in line:  # what the senders cut on purpose would fill it
            super().took(line)
        self.fenced += OVERTAKEN in line

    async def ready(self) -> None:
        """Wait until it answers.  Raises Failed when it ends instead."""
        await self._until(lambda status, _: status == 200, "/healthz")  # noqa: PLR2004

    async def settled(self) -> None:
        """Wait until no event is open."""
        await self._until(lambda _, body: body.get("books", {}).get("open") == 0, "/api/v1/webhooks/stats")

    async def writable(self, *, wanted: bool, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until it says that the inbox can be written, or cannot; ``meanwhile`` is called before each look."""
        await self._until(lambda _, body: body.get("inbox_writable") is wanted, "/readyz", meanwhile)

    async def _until(
        self,
        condition: Callable[[int, dict[str, Any]], bool],
        path: str,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            meanwhile()
            if self.is_over:
                raise Failed(f"the service ended with {self._process.returncode}:\n{self.last_words}")
            try:
                async with asyncio.timeout(READY_SECONDS):
                    if condition(*await get(self._port, path)):
                        return
            except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
                pass
            await asyncio.sleep(LOOK_SECONDS)
        raise Failed(f"{path} did not say what was waited for:\n{self.last_words}")

    def limit_files(self, size: int) -> None:
        """Let no file grow beyond this size, as a disk that is full; of a process that has ended, nothing."""
        if not self.is_over:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def size(self) -> tuple[int, int]:
        """Give the bytes of memory in use and the number of open handles.  Raises Failed when it has ended."""
        process = Path(f"/proc/{self.pid}")
        try:
            resident = int((process / "statm").read_text().split()[1])
            handles = len(list((process / "fd").iterdir()))
        except (OSError, IndexError):
            raise Failed(f"the service has ended:\n{self.last_words}") from None
        return resident * resource.getpagesize(), handles

    async def ended(self) -> int:
        """Wait for its end; gives the exit code.  Raises Failed when it does not end."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                return await super().ended()
        except TimeoutError:
            self.kill()
            raise Failed(f"the service did not end:\n{self.last_words}") from None


async def get(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Ask as an operator; gives status and body.  Raises OSError, also where it hangs up without an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {ADMIN_TOKEN}", "Connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = await reader.read()
    finally:
        writer.close()
    if not answer:
        raise ConnectionResetError("the service hung up without an answer")
    first, _, body = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), json.loads(body)


class World:
    """The sources and their senders."""

    def __init__(self, process: Process, urls: dict[str, str]) -> None:
        self._process = process
        self.pid = process.pid
        self.urls = urls

    async def tell(self, command: str) -> dict[str, Any]:
        """Give it a command.  Raises Failed when it, or a promise to it, is broken."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n".encode())
            await self._process.stdin.drain()
        except ConnectionError:
            raise Failed("the sources and senders have ended") from None
        said = await _line(self._process)
        if said["wrong"]:
            raise Failed("\n".join(said["wrong"]))
        return said

    async def delivered(self) -> dict[str, Any]:
        """Change nothing more and wait until everything is acknowledged."""
        said = await self.tell("pause")
        deadline = time.monotonic() + READY_SECONDS
        while not said["idle"]:
            if time.monotonic() > deadline:
                raise Failed(f"not everything was taken: {said}")
            await asyncio.sleep(LOOK_SECONDS)
            said = await self.tell("look")
        return said


@asynccontextmanager
async def world(ports: Sequence[int], journal: Path, seed: int) -> AsyncIterator[World]:
    """Run the sources and senders."""
    command = module("scripts.crashes.world", ",".join(map(str, ports)), str(journal), str(seed))
    process = await programs.start(command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    try:
        yield World(process, await _line(process))
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _line(process: Process) -> dict[str, Any]:
    """Read what the world says next.  Raises Failed when it says nothing."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TELL_SECONDS):
            line = await process.stdout.readline()
    except TimeoutError:
        raise Failed(f"the sources and senders said nothing for {TELL_SECONDS:g} s") from None
    if not line:
        raise Failed("the sources and senders have ended")
    said: dict[str, Any] = json.loads(line)
    return said
