"""The files of examples/webhook_examples, and running one of them as its user does."""

import os
from asyncio.subprocess import STDOUT
from pathlib import Path

from tests.support.commands import ran

EXAMPLES = Path(__file__).parents[2] / "examples" / "webhook_examples"


async def run(*command: str | Path, **environ: str) -> tuple[int, str]:
    """Run a program beside the service of the test; gives its exit code and all that it said."""
    done = await ran(command, env={**os.environ, **environ}, cwd=EXAMPLES, stderr=STDOUT)
    return done.code, done.out
