"""Claims on which nobody works, as their answer did not come or their node is gone, do not wait for their lease."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from msgspec.structs import replace

from hookbridge.errors import StoreUnavailable
from hookbridge.gone import GONE_SECONDS, Gone
from hookbridge.model import Settled
from hookbridge.store.nodes import Report
from hookbridge.store.postgres import PostgresStore
from tests.support.events import event, settlement
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

_LOOK = "SELECT pg_advisory_lock(1752131435, 3)"
_LOOK_NO_MORE = "SELECT pg_advisory_unlock(1752131435, 3)"
_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
_CLAIMED = "SELECT count(*) FROM hookbridge.dirty WHERE generation > 0"


async def test_what_was_claimed_without_an_answer_can_be_claimed_at_once(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)
    await store.append([event(number) for number in range(3)], 1.0)
    (first,) = await store.claim("supabase", 1, lease_seconds=300.0)
    await sql.execute(_LOOK)  # one claim looks at a time
    lost = asyncio.create_task(store.claim("supabase", 1, lease_seconds=300.0))

    async def waits() -> bool:
        return bool(await sql.fetchval(_WAITING))

    await wait_until(waits)
    connection = store._engine._writes._connection
    assert connection is not None
    connection.terminate()  # the server goes on, and finds out when it answers
    with pytest.raises(StoreUnavailable):
        await lost
    await sql.execute(_LOOK_NO_MORE)

    async def claimed() -> bool:
        return bool(await sql.fetchval(_CLAIMED) == 2)

    await wait_until(claimed)
    again = await store.claim("supabase", 10, lease_seconds=300.0)
    assert len(again) == 2
    assert first.record not in {claim.record for claim in again}


class Hand:
    """Time that passes by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.moved = asyncio.Condition()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        async with self.moved:
            await self.moved.wait_for(lambda: self.now >= until)

    async def pass_by(self, seconds: float) -> None:
        async with self.moved:
            self.now += seconds
            self.moved.notify_all()


async def test_what_a_node_has_that_is_gone_others_can_claim_and_it_is_fenced(url: str, opened: Opened) -> None:
    gone, here = await opened(url), await opened(url)
    await here.append([event(number) for number in range(3)], 1.0)
    (lost,) = await gone.claim("supabase", 1, lease_seconds=300.0)
    (kept,) = await here.claim("supabase", 1, lease_seconds=300.0)
    assert await here.release_of_others({gone.node, here.node}) == 0
    assert await here.release_of_others({here.node}) == 1
    records = {claim.record for claim in await here.claim("supabase", 10, lease_seconds=300.0)}
    assert lost.record in records
    assert kept.record not in records
    assert await gone.settle(settlement(lost)) is Settled.FENCED


async def test_a_node_is_gone_when_nobody_has_heard_of_it_for_long_enough(url: str, opened: Opened) -> None:
    dies, here = await opened(url), await opened(url)
    time = Hand()
    gone = Gone(here, monotonic=time, sleep=time.sleep)
    await here.beat(Report())
    running = asyncio.create_task(gone.run())

    async def later(seconds: float, *, others: bool) -> None:
        """Let time pass, in which the node here is heard of each second, and the other one too or not."""
        for _ in range(round(seconds)):
            cluster = await here.beat(Report())
            nodes = tuple(replace(one, seen_seconds=0.0) for one in cluster.nodes if others or one.name == here.node)
            gone.hear(replace(cluster, nodes=nodes))
            await time.pass_by(1.0)
            await asyncio.sleep(0)

    await later(GONE_SECONDS + 10, others=False)
    await dies.beat(Report())  # it comes when this one has looked already
    await later(20, others=True)
    await here.append([event()], 1.0)
    assert len(await dies.claim("supabase", 1, lease_seconds=300.0)) == 1
    await later(GONE_SECONDS - 5, others=False)
    assert await here.claim("supabase", 1, lease_seconds=300.0) == ()
    await later(15, others=False)

    async def claimed() -> bool:
        return bool(await here.claim("supabase", 1, lease_seconds=300.0))

    await wait_until(claimed)
    running.cancel()
    await asyncio.wait([running])
