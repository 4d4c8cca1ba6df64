"""Duties of nodes on one database: what a node does that is not heard of for a lease, another one takes over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import asyncpg
import pytest

from hookbridge.cluster import Membership
from hookbridge.errors import LeadLost
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Cluster, Lead, Report
from hookbridge.store.postgres import PostgresStore
from tests.support.naps import Naps
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

LEASE, SHORT_LEASE = 60.0, 1.0
"""Seconds: the one ends within no test, however slow the machine is."""


class Soon(Naps):
    """A ``sleep`` that is short."""

    async def __call__(self, seconds: float) -> None:
        await asyncio.sleep(0.05)


class Node:
    """One that follows a source, as far as anybody sees."""

    def __init__(self, store: Store, lease_seconds: float) -> None:
        self.store = store
        self.leads: list[Lead] = []
        self.follows = False
        self.membership = Membership(
            store, {"following": self.follow}, Report, lambda _: None, lease_seconds=lease_seconds, sleep=Soon()
        )

    async def follow(self, lead: Lead) -> None:
        self.leads.append(lead)
        self.follows = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.follows = False


def names(cluster: Cluster) -> list[str]:
    return [one.name for one in cluster.nodes]


@asynccontextmanager
async def node(url: str, name: str, lease_seconds: float = LEASE) -> AsyncIterator[Node]:
    store = cast("Store", await PostgresStore.open(url, node=name))
    one = Node(store, lease_seconds)
    work = asyncio.create_task(one.membership.run())
    try:
        yield one
    finally:
        work.cancel()
        await asyncio.wait([work])
        await store.close()


async def test_only_one_node_does_a_duty_and_the_other_one_when_that_ends(url: str) -> None:
    async with node(url, "other") as other:
        async with node(url, "one") as one:
            await wait_until(lambda: one.follows or other.follows)
            first, second = (one, other) if one.follows else (other, one)
            beats = second.membership.cluster
            await wait_until(lambda: second.membership.cluster is not beats)
            assert first.follows
            assert not second.follows
        await wait_until(lambda: other.follows)
    assert not other.follows


async def test_a_node_that_resigns_leaves_its_duties_at_once_and_is_there_until_its_end(url: str) -> None:
    async with node(url, "other") as other, AsyncExitStack() as ending:
        one = await ending.enter_async_context(node(url, "one"))
        await wait_until(lambda: one.follows or other.follows)
        first, second = (one, other) if one.follows else (other, one)
        first.membership.resign()
        await wait_until(lambda: second.follows)
        assert not first.follows
        for _ in range(3):
            beaten = first.membership.cluster
            await wait_until(lambda beaten=beaten: first.membership.cluster is not beaten)
        assert second.follows
        assert names(await second.membership.beat()) == ["one", "other"]
        await ending.aclose()
        assert names(await other.membership.beat()) == ["other"]


async def test_a_node_that_does_not_reach_the_store_for_a_lease_does_nothing_more(
    url: str, sql: asyncpg.Connection
) -> None:
    async with node(url, "one", SHORT_LEASE) as one:
        await wait_until(lambda: one.follows)
        async with sql.transaction():
            await sql.execute("LOCK TABLE hookbridge.nodes")  # no beat is answered
            await wait_until(lambda: not one.follows)
            before, one.membership._lease_seconds = one.leads[-1], LEASE
        await wait_until(lambda: one.follows and one.leads[-1] != before)
        again = one.leads[-1]
        assert again.epoch > before.epoch
        with pytest.raises(LeadLost):
            await one.store.put_note("by", "one", lead=before)
        assert await one.store.put_note("by", "one", lead=again)
