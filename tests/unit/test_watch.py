"""One looks for all that wait for the feed to go on, and only while somebody does."""

import asyncio

from hookbridge.errors import StoreUnavailable
from hookbridge.store.postgres.watch import Watch
from hookbridge.store.values import FeedEnds

LISTENERS = 1_000


class Feed:
    """One whose end is looked for."""

    def __init__(self) -> None:
        self.looks = 0
        self.ends = FeedEnds(id="a", oldest=0, newest=7)

    async def look(self) -> FeedEnds:
        self.looks += 1
        await asyncio.sleep(0)
        return self.ends


async def rounds() -> None:
    """Let everybody do what can be done now."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_thousand_listeners_are_woken_by_one_look() -> None:
    feed = Feed()
    watch = Watch(feed.look)
    before = len(asyncio.all_tasks())
    listening = [asyncio.create_task(watch.beyond(FeedEnds(id="a", oldest=0, newest=6))) for _ in range(LISTENERS)]
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before + LISTENERS + 1
    await asyncio.gather(*listening)
    assert feed.looks == 1
    await watch.close()
    assert len(asyncio.all_tasks()) == before


async def test_whoever_waits_further_waits_for_the_same_look() -> None:
    feed = Feed()
    watch = Watch(feed.look)
    listening = [asyncio.create_task(watch.beyond(feed.ends)) for _ in range(LISTENERS)]
    await rounds()
    listening += [asyncio.create_task(watch.beyond(feed.ends)) for _ in range(LISTENERS)]
    await rounds()
    assert feed.looks == 1, "the next one is due in a second"
    assert not any(one.done() for one in listening)
    feed.ends = FeedEnds(id="a", oldest=0, newest=8)
    await asyncio.gather(*listening)
    assert feed.looks == 2
    await watch.close()


async def test_nobody_looks_for_those_who_went_away() -> None:
    feed = Feed()
    watch = Watch(feed.look)
    listening = asyncio.create_task(watch.beyond(feed.ends))
    await asyncio.sleep(0)
    listening.cancel()
    await rounds()
    assert feed.looks == 0
    await watch.close()


async def test_while_the_store_is_away_they_wait() -> None:
    feed = Feed()
    away = [StoreUnavailable("away")]

    async def look() -> FeedEnds:
        if away:
            raise away.pop()
        return await feed.look()

    watch = Watch(look)
    await watch.beyond(FeedEnds(id="a", oldest=0, newest=6))
    assert (away, feed.looks) == ([], 1)
    await watch.close()
