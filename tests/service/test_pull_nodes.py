"""Two nodes of one cluster take from one outbox: one at a time, as one store, and both can say how that goes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.service.test_cluster import named
from tests.service.test_pull import KEY, all_done, has, loaded, pulled, state
from tests.support.metrics import scrape
from tests.support.outboxes import OutboxStandin
from tests.support.running import Running, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")  # a file has one process


@pytest.fixture
async def there() -> AsyncIterator[OutboxStandin]:
    async with OutboxStandin(key=KEY) as supabase:
        supabase.create_table("users", {"id": "bigint", "name": "text"})
        yield supabase


def takes(node: Running) -> bool:
    return node.service.membership.does("pull")


async def test_one_node_takes_and_the_other_goes_on_when_it_stops(tmp_path: Path, there: OutboxStandin) -> None:
    settings = pulled(tmp_path, there)
    async with AsyncExitStack() as first, running(named(settings, "b")) as other:
        one = await first.enter_async_context(running(named(settings, "a")))
        await loaded(one)
        await loaded(other)
        await wait_until(lambda: takes(one) is not takes(other))
        assert takes(other)
        there.insert("users", {"id": 1, "name": "Ada"})
        await has(one, 1, "Ada")
        await all_done(one, there)

        async def both_say() -> bool:
            return [(await state(node))["taken"] for node in (one, other)] == [1, 1]

        await wait_until(both_say)
    async with running(named(settings, "a")) as one:
        await wait_until(lambda: takes(one))
        there.insert("users", {"id": 2, "name": "Grace"})
        await has(one, 2, "Grace")
    assert len(set(there.stores)) == 1


async def test_a_node_that_does_not_reconcile_takes_nothing(tmp_path: Path, there: OutboxStandin) -> None:
    settings = pulled(tmp_path, there)
    there.insert("users", {"id": 1, "name": "Ada"})
    async with running(named(settings, "door", "receive", "process")) as door:
        assert not takes(door)
        async with running(named(settings, "finder", "reconcile")) as finder:
            await wait_until(lambda: takes(finder))
            await has(door, 1, "Ada")
            await all_done(door, there)
            told = [(await scrape(node)).total("events_received_total", origin="pull") for node in (door, finder)]
            assert sorted(told) == [0, 1]
    assert len(set(there.stores)) == 1


async def test_a_sweep_that_one_node_asks_for_another_one_does(tmp_path: Path, there: OutboxStandin) -> None:
    there.insert("users", {"id": 1, "name": "Ada"})
    settings = pulled(tmp_path, there)
    async with running(named(settings, "a")) as one, running(named(settings, "b")) as other:
        await loaded(one)
        await has(other, 1, "Ada")
        await all_done(one, there)
        there.empty("users")
        await has(one, 1, None)
