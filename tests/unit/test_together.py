"""Deletions together: what waits goes with the next request, and each is answered by a request that began after it."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from hookbridge.steps.together import KEYS_MAX, REQUESTS_MAX, Together


class Cache:
    """Notes each request, and answers it when the test says so."""

    def __init__(self) -> None:
        self.requests: list[list[bytes]] = []
        self.refused: dict[bytes, Exception] = {}
        self.failure: Exception | None = None
        self.answers = asyncio.Event()

    async def __call__(self, keys: Sequence[bytes]) -> Mapping[bytes, Exception]:
        self.requests.append(list(keys))
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        return self.refused


async def turn() -> None:
    """Let everybody come as far as possible."""
    for _ in range(10):
        await asyncio.sleep(0)


def ask(together: Together, *keys: bytes) -> asyncio.Future[None]:
    return asyncio.ensure_future(together(keys))


async def test_what_comes_while_all_places_are_taken_goes_with_one_request() -> None:
    cache = Cache()
    together = Together(cache)
    first = []
    for n in range(REQUESTS_MAX):
        first.append(ask(together, b"%d" % n))
        await turn()
    later = [ask(together, b"a"), ask(together, b"b", b"a")]
    await turn()
    assert cache.requests == [[b"%d" % n] for n in range(REQUESTS_MAX)]
    cache.answers.set()
    await asyncio.gather(*first, *later)
    assert cache.requests[REQUESTS_MAX:] == [[b"a", b"b"]]


async def test_a_key_that_is_being_deleted_is_deleted_again_for_who_asks_now() -> None:
    cache = Cache()
    together = Together(cache)
    first = ask(together, b"a")
    await turn()
    second = ask(together, b"a")
    await turn()
    assert cache.requests == [[b"a"], [b"a"]]
    cache.answers.set()
    await asyncio.gather(first, second)


async def test_no_request_has_more_keys_than_one_may_have() -> None:
    cache = Cache()
    cache.answers.set()
    together = Together(cache)
    keys = [b"%d" % n for n in range(2 * KEYS_MAX + 5)]
    await asyncio.gather(together(keys), together([b"x"]))
    assert max(map(len, cache.requests)) <= KEYS_MAX
    assert sorted(key for some in cache.requests for key in some) == sorted([*keys, b"x"])


async def test_who_brings_many_keys_has_as_many_requests_at_once_as_many_who_bring_one() -> None:
    cache = Cache()
    together = Together(cache)
    many = ask(together, *[b"%d" % n for n in range(REQUESTS_MAX * KEYS_MAX + 1)])
    await turn()
    assert list(map(len, cache.requests)) == [KEYS_MAX] * REQUESTS_MAX
    cache.answers.set()
    await many
    assert list(map(len, cache.requests)) == [KEYS_MAX] * REQUESTS_MAX + [1]


async def test_what_is_refused_is_told_to_those_who_asked_for_it() -> None:
    cache = Cache()
    cache.answers.set()
    cache.refused = {b"b": ValueError("not this one")}
    together = Together(cache)
    fine, refused = await asyncio.gather(together([b"a"]), together([b"a", b"b"]), return_exceptions=True)
    assert cache.requests == [[b"a", b"b"]]
    assert (fine, str(refused)) == (None, "not this one")


async def test_a_request_that_fails_fails_all_who_wait_for_it_and_nobody_after_them() -> None:
    cache = Cache()
    cache.answers.set()
    cache.failure = OSError("gone")
    together = Together(cache)
    answers = await asyncio.gather(together([b"a"]), together([b"b"]), return_exceptions=True)
    assert [str(one) for one in answers] == ["gone", "gone"]
    cache.failure = None
    await together([b"a"])


async def test_who_stops_waiting_takes_nobody_along() -> None:
    cache = Cache()
    together = Together(cache)
    both = [ask(together, b"a"), ask(together, b"b")]
    await turn()
    both[0].cancel()
    await turn()
    cache.answers.set()
    await both[1]
    assert both[0].cancelled()


async def test_a_failure_that_nobody_waits_for_any_more_is_nobodys(recwarn: pytest.WarningsRecorder) -> None:
    cache = Cache()
    together = Together(cache)
    gone = ask(together, b"a")
    await turn()
    gone.cancel()
    cache.failure = OSError("gone")
    cache.answers.set()
    await turn()
    await together.close()
    assert not recwarn.list
