"""Waiting for what another task does, without guessing how long it takes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def wait_until(
    condition: Callable[[], object] | Callable[[], Awaitable[object]], *, deadline_seconds: float = 60.0
) -> None:
    """Return when `condition()` is true.  Fails with its name when that has not happened until the deadline.

    The deadline is only there so that a broken test ends: it is far beyond what the slowest machine needs.
    """
    async with asyncio.timeout(deadline_seconds):
        while True:
            result = condition()
            if inspect.isawaitable(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.005)
