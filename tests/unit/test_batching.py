"""Calls that come together are loaded together, and nobody pays for what happens to somebody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hookbridge.errors import RecordUnreadable, SourceUnavailable
from hookbridge.sources.batching import Batcher
from tests.support.waiting import wait_until


class Loads:
    """What is loaded: each key in upper case, unless told otherwise.  It waits while its gate is closed."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.errors: dict[str, Exception] = {}
        self.fails: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self, keys: tuple[str, ...]) -> AsyncIterator[tuple[str, str | Exception]]:
        self.asked.append(keys)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if self.fails is not None:
            raise self.fails
        for key in keys:
            yield key, self.errors.get(key, key.upper())


@asynccontextmanager
async def batching(
    loads: Loads, *, keys_max: int = 100, window_seconds: float = 0.003, loads_max: int = 4
) -> AsyncIterator[Batcher[str, str]]:
    batcher = Batcher(loads, keys_max=keys_max, window_seconds=window_seconds, loads_max=loads_max)
    try:
        yield batcher
    finally:
        await batcher.close()


async def turns() -> None:
    """Let everybody come as far as possible."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_calls_of_one_window_are_one_load_and_each_has_its_own_answer() -> None:
    loads = Loads()
    async with batching(loads) as batcher:
        assert await asyncio.gather(*(batcher.ask(key) for key in "abc")) == ["A", "B", "C"]
    assert loads.asked == [("a", "b", "c")]


async def test_a_key_that_is_asked_for_twice_is_loaded_once() -> None:
    loads = Loads()
    async with batching(loads) as batcher:
        assert await asyncio.gather(*(batcher.ask(key) for key in "aab")) == ["A", "A", "B"]
    assert loads.asked == [("a", "b")]


async def test_no_load_has_more_keys_than_its_limit_and_a_full_one_does_not_wait() -> None:
    loads = Loads()
    # No window ends within this test: what is answered was full.
    async with batching(loads, keys_max=3, window_seconds=3600) as batcher:
        await asyncio.gather(*(batcher.ask(f"k{number}") for number in range(9)))
    assert [len(keys) for keys in loads.asked] == [3, 3, 3]


async def test_a_call_is_never_answered_by_a_load_that_began_before_it() -> None:
    loads = Loads()
    loads.gate.clear()
    async with batching(loads) as batcher:
        first = asyncio.ensure_future(batcher.ask("a"))
        await wait_until(lambda: loads.asked)
        second = asyncio.ensure_future(batcher.ask("a"))
        await wait_until(lambda: len(loads.asked) == 2)
        loads.gate.set()
        assert (await first, await second) == ("A", "A")


async def test_at_most_so_many_loads_run_at_once() -> None:
    loads = Loads()
    loads.gate.clear()
    async with batching(loads, keys_max=1, loads_max=2) as batcher:
        calls = [asyncio.ensure_future(batcher.ask(key)) for key in "abcdef"]
        await wait_until(lambda: loads.at_once == 2)
        loads.gate.set()
        assert await asyncio.gather(*calls) == list("ABCDEF")
    assert loads.most_at_once == 2


async def test_what_comes_while_all_loads_run_goes_with_the_next_one() -> None:
    loads = Loads()
    loads.gate.clear()
    async with batching(loads, loads_max=1) as batcher:
        first = batcher.ask("a")
        await wait_until(lambda: loads.asked)
        later = [batcher.ask("b")]
        await turns()
        later += [batcher.ask("c"), batcher.ask("b")]
        await turns()
        loads.gate.set()
        assert await asyncio.gather(first, *later) == ["A", "B", "C", "B"]
    assert loads.asked == [("a",), ("b", "c")]


async def test_who_brings_many_keys_has_as_many_loads_at_once_as_many_who_bring_one() -> None:
    loads = Loads()
    loads.gate.clear()
    async with batching(loads, keys_max=10, loads_max=4) as batcher:
        calls = [batcher.ask(f"k{number}") for number in range(41)]
        await turns()
        assert list(map(len, loads.asked)) == [10] * 4
        loads.gate.set()
        await asyncio.gather(*calls)
    assert list(map(len, loads.asked)) == [10] * 4 + [1]


async def test_what_goes_together_is_chosen_when_a_load_begins() -> None:
    loads = Loads()
    chosen = iter([["b", "d"], ["a", "c"]])
    batcher = Batcher(loads, keys_max=10, choose=lambda _: next(chosen))
    assert await asyncio.gather(*map(batcher.ask, "abcd")) == list("ABCD")
    assert loads.asked == [("b", "d"), ("a", "c")]
    await batcher.close()


async def test_what_a_load_has_found_is_told_before_it_ends() -> None:
    rest = asyncio.Event()

    async def slow(keys: tuple[str, ...]) -> AsyncIterator[tuple[str, str]]:
        yield keys[0], "at once"
        await rest.wait()
        yield keys[1], "later"

    batcher = Batcher(slow, keys_max=10)
    first, second = batcher.ask("a"), batcher.ask("b")
    assert await first == "at once"
    assert not second.done()
    rest.set()
    assert await second == "later"
    await batcher.close()


async def test_the_error_of_a_key_is_for_those_who_asked_for_it() -> None:
    loads = Loads()
    loads.errors["b"] = RecordUnreadable("b alone")
    async with batching(loads) as batcher:
        found = await asyncio.gather(*(batcher.ask(key) for key in "abcb"), return_exceptions=True)
    assert [str(one) for one in found] == ["A", "b alone", "C", "b alone"]


async def test_a_load_that_fails_fails_its_own_calls_and_no_later_one() -> None:
    loads = Loads()
    loads.fails = SourceUnavailable("down")
    async with batching(loads) as batcher:
        found = await asyncio.gather(batcher.ask("a"), batcher.ask("b"), return_exceptions=True)
        assert [str(one) for one in found] == ["down", "down"]
        loads.fails = None
        assert await batcher.ask("a") == "A"


async def test_a_load_that_forgets_a_key_leaves_nobody_waiting() -> None:
    async def forgetful(keys: tuple[str, ...]) -> AsyncIterator[tuple[str, str]]:
        yield keys[0], "found"

    batcher = Batcher(forgetful, keys_max=10)
    told, forgotten = await asyncio.gather(batcher.ask("a"), batcher.ask("b"), return_exceptions=True)
    assert told == "found"
    assert isinstance(forgotten, LookupError)
    await batcher.close()


@pytest.mark.parametrize("moment", ["before the load", "during the load"])
async def test_who_is_cancelled_takes_nobody_with_him(moment: str) -> None:
    loads = Loads()
    loads.gate.clear()
    async with batching(loads) as batcher:
        calls = [asyncio.ensure_future(batcher.ask(key)) for key in ("a", "a", "b")]
        await asyncio.sleep(0)  # all three wait now
        if moment == "during the load":
            await wait_until(lambda: loads.asked)
        calls[0].cancel()
        loads.gate.set()
        found = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == ["A", "B"]


@pytest.mark.parametrize("moment", ["before the load", "during the load"])
async def test_who_waits_at_the_close_is_told_and_so_is_who_comes_later(moment: str) -> None:
    loads = Loads()
    loads.gate.clear()
    async with batching(loads, window_seconds=3600 if moment == "before the load" else 0.0) as batcher:
        call = asyncio.ensure_future(batcher.ask("a"))
        if moment == "during the load":
            await wait_until(lambda: loads.asked)
        else:
            await asyncio.sleep(0)
        await batcher.close()
        with pytest.raises(SourceUnavailable, match="stopping"):
            await call
        with pytest.raises(SourceUnavailable, match="stopping"):
            await batcher.ask("b")
    assert loads.at_once == 0


async def test_what_nobody_waits_for_any_more_is_not_loaded() -> None:
    loads = Loads()
    async with batching(loads) as batcher:
        batcher.ask("a").cancel()
        assert await batcher.ask("b") == "B"
    assert loads.asked == [("b",)]


async def test_a_failure_that_nobody_waits_for_any_more_is_nobodys(recwarn: pytest.WarningsRecorder) -> None:
    loads = Loads()
    loads.gate.clear()
    async with batching(loads) as batcher:
        gone = batcher.ask("a")
        await wait_until(lambda: loads.asked)
        gone.cancel()
        loads.fails = SourceUnavailable("down")
        loads.gate.set()
        await wait_until(lambda: not loads.at_once)
    assert not recwarn.list
