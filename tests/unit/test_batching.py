"""Calls of the same few milliseconds become one load; each caller gets its own answer or error."""

import asyncio
from collections.abc import Mapping

import pytest

from hookbridge.errors import SourceUnavailable
from hookbridge.sources.batching import Batcher
from tests.support.waiting import wait_until


class Loader:
    """Doubles numbers; negative ones fail, and a load can be held."""

    def __init__(self) -> None:
        self.loads: list[tuple[int, ...]] = []
        self.held: asyncio.Event | None = None
        self.broken = False
        self.at_once = self.most = 0

    async def __call__(self, keys: tuple[int, ...]) -> Mapping[int, int | Exception]:
        self.loads.append(keys)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if self.held is not None:
                await self.held.wait()
            if self.broken:
                raise SourceUnavailable("broken")
            return {key: key * 2 if key >= 0 else ValueError(str(key)) for key in keys}
        finally:
            self.at_once -= 1


async def test_calls_that_come_together_are_one_load_and_one_key_is_loaded_once() -> None:
    loader = Loader()
    batcher = Batcher(loader, keys_max=100)
    assert await asyncio.gather(*(batcher(n) for n in (1, 2, 3, 2))) == [2, 4, 6, 4]
    assert loader.loads == [(1, 2, 3)]


async def test_a_full_batch_does_not_wait_and_no_batch_is_larger() -> None:
    loader = Loader()
    batcher = Batcher(loader, keys_max=3, window_seconds=3600.0)
    assert await asyncio.gather(*(batcher(n) for n in range(9))) == [n * 2 for n in range(9)]
    assert [len(load) for load in loader.loads] == [3, 3, 3]


async def test_an_error_reaches_exactly_its_own_callers() -> None:
    batcher = Batcher(Loader(), keys_max=100)
    results = await asyncio.gather(batcher(1), batcher(-1), batcher(-1), return_exceptions=True)
    assert results[0] == 2
    assert [str(error) for error in results[1:]] == ["-1", "-1"]


async def test_a_load_that_fails_fails_its_keys_and_the_next_one_is_tried_anew() -> None:
    loader = Loader()
    batcher = Batcher(loader, keys_max=100)
    loader.broken = True
    results = await asyncio.gather(batcher(1), batcher(2), return_exceptions=True)
    assert all(isinstance(error, SourceUnavailable) for error in results)
    loader.broken = False
    assert await batcher(1) == 2


async def test_who_no_longer_waits_takes_nobody_with_it() -> None:
    loader = Loader()
    loader.held = asyncio.Event()
    batcher = Batcher(loader, keys_max=100)
    impatient, patient = asyncio.ensure_future(batcher(1)), asyncio.ensure_future(batcher(1))
    await wait_until(lambda: loader.loads)
    impatient.cancel()
    loader.held.set()
    assert await patient == 2
    assert impatient.cancelled() or (await asyncio.gather(impatient, return_exceptions=True))


async def test_a_call_is_answered_only_by_a_load_that_began_after_it() -> None:
    loader = Loader()
    loader.held = asyncio.Event()
    batcher = Batcher(loader, keys_max=100)
    first = asyncio.ensure_future(batcher(1))
    await wait_until(lambda: loader.loads)
    second = asyncio.ensure_future(batcher(1))
    await wait_until(lambda: len(loader.loads) == 2)
    loader.held.set()
    assert [await first, await second] == [2, 2]


async def test_only_so_many_loads_run_at_once() -> None:
    loader = Loader()
    loader.held = asyncio.Event()
    batcher = Batcher(loader, keys_max=1, loads_max=2)
    calls = [asyncio.ensure_future(batcher(n)) for n in range(6)]
    await wait_until(lambda: len(loader.loads) == 2)
    loader.held.set()
    assert await asyncio.gather(*calls) == [n * 2 for n in range(6)]
    assert loader.most == 2


async def test_closing_tells_everybody_who_waits() -> None:
    loader = Loader()
    loader.held = asyncio.Event()
    batcher = Batcher(loader, keys_max=1)
    loading = asyncio.ensure_future(batcher(1))
    await wait_until(lambda: loader.loads)
    await batcher.close()
    with pytest.raises(SourceUnavailable, match="stopping"):
        await loading
    with pytest.raises(SourceUnavailable, match="stopping"):
        await batcher(2)
