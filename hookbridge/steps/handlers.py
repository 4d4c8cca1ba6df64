"""``handlers``: the user's own functions, given the change with truth and previous copy.

At least once, in registration order, before the settle; a failure is the record's own and is tried again.
"""

from __future__ import annotations

import asyncio

import msgspec

from hookbridge.config import HandlersConfig
from hookbridge.handlers import Bridge
from hookbridge.model import Change, Effects


class Handlers:
    """The step for all sources: calls at once are bounded together."""

    name = "handlers"

    def __init__(self, bridge: Bridge, config: HandlersConfig) -> None:
        self._bridge = bridge
        self._timeout_seconds = config.timeout_seconds
        self._places = asyncio.Semaphore(config.concurrency)

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Call every handler that matches.

        Raises what a handler raises, and TimeoutError after the configured time.
        """
        for handler in self._bridge.matching(change):
            full = msgspec.structs.replace(
                change, truth=so_far.truth, verification=so_far.verification, columns=so_far.columns
            )
            async with self._places, asyncio.timeout(self._timeout_seconds):
                await handler(full)
        return so_far
