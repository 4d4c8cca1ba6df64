"""Commands as a user types them, in a process of their own while a service runs in this one."""

import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec

from scripts.programs import Program, program, start
from tests.support.running import ADMIN_TOKEN
from tests.support.warm import forked

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


HOOKBRIDGE = (sys.executable, "-m", "hookbridge")


async def ran(command: Sequence[str | Path], *, stdin: bytes = b"", **how: Any) -> Ran:  # noqa: ANN401  as `start` has them
    """Run a program to its end."""
    process = await start(command, stdin=PIPE, stdout=PIPE, **({"stderr": PIPE} | how))
    out, err = await process.communicate(stdin)
    return Ran(process.returncode or 0, out.decode(), (err or b"").decode())


GROUPS = ("alerts", "destinations", "events", "records")
"""The words behind which another one names the command."""

READ_BY_COMMANDS = ("HOOKBRIDGE_", "NOTION_", "SUPABASE_", "WEBHOOK_SECRET")
"""How the variables begin that no start of Python, and no library's, looks at."""


_started: set[tuple[str, ...]] = set()
"""The commands that were started for real."""


async def command(folder: Path, *words: str, stdin: bytes = b"", **environ: str) -> Ran:
    """Run a command in this folder to its end.  An empty value takes a variable back.

    The first of each command is a process that was started for it; those that follow are forked.
    """
    name = words[: 2 if words[:1] and words[0] in GROUPS else 1]
    if name in _started and all(variable.startswith(READ_BY_COMMANDS) for variable in environ):
        code, out, errors = await forked(words, folder, environment(environ), stdin)
        return Ran(code, out.decode(), errors.decode())
    _started.add(name)
    return await ran([*HOOKBRIDGE, *words], stdin=stdin, cwd=folder, env=environment(environ))


def lasting(folder: Path, *words: str, **environ: str) -> AbstractAsyncContextManager[Program]:
    """Start a command that goes on until it is stopped, and kill it at the end if it still runs."""
    return program([*HOOKBRIDGE, *words], cwd=folder, env=environment(environ))
