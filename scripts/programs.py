"""Other programs at work, for scripts and tests: started, read line by line, sent signals, and ended.

Invariants: where the system can (Linux), a program ends with this process at the latest, also where this one is killed;
none is in a terminal's foreground group, so that a Ctrl-C is ours alone to answer.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from hookbridge.demo.processes import end_with_parent, free_port

__all__ = ["Program", "free_port", "program", "start"]

LINE_BYTES_MAX = 1 << 20


class Program:
    """A program that was started, and what is done with it."""

    def __init__(self, process: Process, *, lines_max: int = sys.maxsize) -> None:
        """``lines_max`` is how many of the last lines of its output are kept."""
        self._process = process
        self.pid = process.pid
        self.lines: list[str] = []
        """Of its output, so far."""
        self.errors: list[str] = []
        """Of its standard error, where that is not its output."""
        self._lines_max = lines_max
        self._reading = [
            asyncio.create_task(_read(stream, take))
            for stream, take in ((process.stdout, self.took), (process.stderr, self.errors.append))
            if stream is not None
        ]

    def took(self, line: str) -> None:
        """Take a line of its output."""
        self.lines.append(line)
        del self.lines[: -self._lines_max]

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None

    @property
    def has_said_all(self) -> bool:
        """Whether nothing more comes out of it."""
        return all(one.done() for one in self._reading)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if not self.is_over:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, however it stands."""
        self.send(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send(signal.SIGTERM)

    async def over_within(self, seconds: float) -> bool:
        """Wait so long for its end; gives whether it has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
        return self.is_over

    async def ended(self) -> int:
        """Wait for its end and its last line; gives the exit code."""
        code = await self._process.wait()
        await asyncio.gather(*self._reading)
        return code


async def _read(stream: asyncio.StreamReader, take: Callable[[str], None]) -> None:
    async for line in stream:
        take(line.decode(errors="replace").rstrip())


async def start(command: Sequence[str | Path], **how: Any) -> Process:  # noqa: ANN401  as create_subprocess_exec has them
    """Start a program that ends with this process at the latest, where the system can see to it."""
    return await asyncio.create_subprocess_exec(
        *command, process_group=0, preexec_fn=end_with_parent(), limit=LINE_BYTES_MAX, **how
    )


@asynccontextmanager
async def program(command: Sequence[str | Path], **how: Any) -> AsyncIterator[Program]:  # noqa: ANN401  as above
    """Run a program, its output and errors in two pipes unless it is said otherwise; at the end it is killed."""
    at_work = Program(await start(command, **({"stdout": PIPE, "stderr": PIPE} | how)))
    try:
        yield at_work
    finally:
        at_work.kill()
        await at_work.ended()
