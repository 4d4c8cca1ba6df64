"""Commands as a user types them, in a process of their own while a service runs in this one."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.support.running import ADMIN_TOKEN

REPOSITORY = Path(__file__).parents[2]


class Ran(msgspec.Struct, frozen=True):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Its output under `--json`."""
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "COLUMNS": "120",
        "HOOKBRIDGE_ADMIN_TOKEN": ADMIN_TOKEN,
        **environ,
    }


async def command(folder: Path, *words: str, stdin: bytes = b"", **environ: str) -> Ran:
    """Run a command in this folder to its end.  An empty value takes a variable back."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hookbridge", *words),
        cwd=folder,
        env=environment(environ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    return Ran(process.returncode or 0, out.decode(), err.decode())


class Lasting:
    """A command that goes on until it is stopped; `lines` has what it printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.errors: list[str] = []

    async def read(self, stream: asyncio.StreamReader, into: list[str]) -> None:
        while line := await stream.readline():
            into.append(line.decode().rstrip("\n"))


@asynccontextmanager
async def lasting(folder: Path, *words: str, **environ: str) -> AsyncIterator[Lasting]:
    """Start a command, and kill it at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hookbridge", *words),
        cwd=folder,
        env=environment(environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    running = Lasting(process)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(running.read(process.stdout, running.lines))
            group.create_task(running.read(process.stderr, running.errors))
            try:
                yield running
            finally:
                if process.returncode is None:
                    process.kill()
    finally:
        await process.wait()
