"""A user's handlers' module whose handler does what a test says."""

import sys
import uuid
from pathlib import Path
from typing import Any

TEXT = """
import asyncio

from hookbridge import Bridge

hooks = Bridge()
gate = asyncio.Event()
gate.set()
calls = []
running = []
most_at_once = 0
failures = []


@hooks.on("supabase", table="{table}")
async def handle(change):
    global most_at_once
    calls.append(change)
    running.append(change)
    most_at_once = max(most_at_once, len(running))
    try:
        if failures:
            raise failures.pop(0)
        await gate.wait()
    finally:
        running.remove(change)
"""


class Handling:
    """A module on disk with one handler, of the changes of one table of this name, and a bridge of its own."""

    def __init__(self, folder: Path) -> None:
        self.table = f"t{uuid.uuid4().hex[:12]}"
        self.name = f"handlers_of_{self.table}"
        (folder / f"{self.name}.py").write_text(TEXT.format(table=self.table))

    @property
    def section(self) -> dict[str, str]:
        """``[handlers]`` for the settings."""
        return {"module": self.name}

    @property
    def module(self) -> Any:  # noqa: ANN401  a module's names are its own
        """What the service imported: ``gate``, ``calls``, ``running``, ``most_at_once``, ``failures``."""
        return sys.modules[self.name]
