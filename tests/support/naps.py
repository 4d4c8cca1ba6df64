"""Sleeping without time: what is slept is noted, and goes by at once or when the test says so."""

import asyncio


class Naps:
    """A ``sleep`` that notes its seconds and returns at the next turn of the loop."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


class HeldNaps(Naps):
    """A ``sleep`` that lasts until ``pass_one``."""

    def __init__(self) -> None:
        super().__init__()
        self._permits = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await self._permits.acquire()

    def pass_one(self) -> None:
        """Let the sleeper that waits, or the next one, go on."""
        self._permits.release()
