"""The files of examples/webhook_examples, and running one of them as its user does."""

import asyncio
import os
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples" / "webhook_examples"


async def run(*command: str | Path, **environ: str) -> tuple[int, str]:
    """Run a program beside the service of the test; gives its exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environ},
        cwd=EXAMPLES,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return await process.wait(), said.decode()
