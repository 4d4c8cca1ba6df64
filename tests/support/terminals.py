"""A command on a terminal of its own, as a person has it."""

import os
import pty
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.commands import environment


def on_terminal(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Start `python -m hookbridge …`; gives its process and the other end of its terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir(folder)
            os.execve(sys.executable, [sys.executable, "-m", "hookbridge", *words], environment(environ or {}))
        finally:
            os._exit(127)  # else it would go on as a second run of all tests
    return pid, terminal


__all__ = ["on_terminal"]
