"""The stand-ins as a process of their own on the core of the load."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmarks.machine import LOAD_CORE, PYTHON, CannotMeasure, pinned
from scripts.benchmarks.sources_app import DATABASE, KEY, TOKEN
from scripts.programs import free_port

ROOT = Path(__file__).parent.parent.parent
__all__ = ["DATABASE", "KEY", "Sources", "sources"]


class Sources:
    """The running stand-ins."""

    def __init__(self, process: "subprocess.Popen[str]", supabase_port: int, notion_port: int) -> None:
        self._process = process
        self.supabase_url = f"http://127.0.0.1:{supabase_port}"
        self.notion_url = f"http://127.0.0.1:{notion_port}"

    def environment(self) -> dict[str, str]:
        """Give the credentials of both."""
        return {
            "SUPABASE_URL": self.supabase_url,
            "SUPABASE_KEY": KEY,
            "NOTION_TOKEN": TOKEN,
            "HOOKBRIDGE_NOTION__BASE_URL": self.notion_url,
            "PYTHONPATH": str(ROOT),
        }

    def edit(self, pages: int) -> int:
        """Edit so many pages; gives how many requests Notion has had so far."""
        return self.asked(pages)[0]

    def asked(self, pages: int = 0) -> tuple[int, int]:
        """Give how many requests Notion has had so far, and how many of them for bodies; edit so many pages before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{pages}\n")
        self._process.stdin.flush()
        _, all_, bodies = self._process.stdout.readline().split()
        return int(all_), int(bodies)


@contextmanager
def sources(*, rows: int = 0, pages: int = 0, slow_seconds: float = 0.0) -> Iterator[Sources]:
    """Run them with so much state; every answer of Supabase's takes so long."""
    ports = free_port(), free_port()
    command = [PYTHON, "-m", "scripts.benchmarks.sources_app", *map(str, (*ports, rows, pages, slow_seconds))]
    process = subprocess.Popen(
        pinned(LOAD_CORE, command),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise CannotMeasure("the stand-ins did not start", "start scripts/benchmarks/sources_app.py by hand")
        yield Sources(process, *ports)
    finally:
        process.kill()
        process.communicate()
