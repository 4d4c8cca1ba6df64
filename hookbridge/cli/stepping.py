"""Work that goes on line by line, from a command that prints each line when it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TypeVar

Line = TypeVar("Line")


def stepped(steps: AsyncGenerator[Line]) -> Iterator[Line]:
    """Run the steps in a loop of their own, each when it is asked for; they are closed with whoever asks."""

    async def step() -> Line | None:
        return await anext(steps, None)

    with asyncio.Runner() as runner:
        try:
            while (line := runner.run(step())) is not None:
                yield line
        finally:
            runner.run(steps.aclose())
