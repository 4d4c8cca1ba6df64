"""What is loaded into a service to make its machine another one: compiled here from the C beside this file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from scripts.crashes.processes import Failed


def compiler() -> str | None:
    """Give this machine's C compiler."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compiled(folder: Path, name: str) -> Path:
    """Compile the layer of this name into this folder.  Raises Failed."""
    library = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    command = [compiler() or "cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl", "-lpthread"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise Failed(f"the layer {name} could not be compiled: {made.stderr}")
    return library


def shifted(library: Path, seconds: int) -> dict[str, str]:
    """Give the environment of a service whose wall clock is so many seconds ahead, or behind."""
    return {"LD_PRELOAD": str(library), "SHIFT_SECONDS": str(seconds)}
