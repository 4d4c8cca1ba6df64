"""Our scripts as a user starts them, in the environment that runs the tests."""

import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from scripts.programs import start
from tests.support.commands import REPOSITORY, Ran

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="it needs prlimit and /proc")


async def begin(folder: Path, module: str, *words: str, PYTHONPATH: str = "") -> Process:  # noqa: N803  a variable
    """Start the module of a script; what it leaves in the folder for temporary files is in this one."""
    found = [*([PYTHONPATH] if PYTHONPATH else []), str(REPOSITORY), *sys.path]
    return await start(
        [sys.executable, "-m", module, *words],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(found), "TMPDIR": str(folder)},
        stdout=PIPE,
        stderr=PIPE,
    )


async def script(folder: Path, module: str, *words: str, PYTHONPATH: str = "") -> Ran:  # noqa: N803  a variable
    """Run it to its end."""
    process = await begin(folder, module, *words, PYTHONPATH=PYTHONPATH)
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())
