"""A time without the Data API: at which pace the writers go on, and what the service tells of it meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

PAUSE_SECONDS = 0.05
SHARE = 0.9
"""Of that time, in which everything is written: what ends it is the time, and not the last writer."""

More = Callable[[], Awaitable[bool]]
"""Returns when a writer's turn has come; gives whether there is one."""


def paced(changes: Callable[[], int], most: int, seconds: float) -> More:
    """Spread so many changes evenly over the time; ``changes`` tells how many there are so far."""
    began = time.monotonic()

    async def more() -> bool:
        while (done := changes()) < most:
            due = most * (time.monotonic() - began) / (seconds * SHARE)
            if done < due:
                return True
            await asyncio.sleep(PAUSE_SECONDS)
        return False

    return more


class Told:
    """What operators were told of taking, each thing once, in its order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.is_down = False
        """Whether the last look found it down, and what is to be done of it."""

    def look(self, ready: dict[str, Any]) -> None:
        """Take note of an answer of ``/readyz``."""
        state, reason = ready["pull"]["state"], ready["pull"]["reason"]
        remedies = [one["remedy"] for one in ready["verdict"]["problems"] if one["kind"] == f"pull {state}"]
        said = " · ".join([state, *([reason] if reason else ()), *remedies])
        if said not in self.said:
            self.said.append(said)
        self.is_down = state == "down" and any(remedies)
