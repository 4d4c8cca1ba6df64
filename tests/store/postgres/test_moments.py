"""One call, one moment: what a statement writes together has the same time, by the server's clock as by any other."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from hookbridge.model import COUNTED_EVENTS_MAX, Outcome, Settled
from hookbridge.pipeline.replay import dismiss
from hookbridge.store.postgres import PostgresStore
from hookbridge.store.values import EventFilter
from tests.support.events import event, settlement

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]
TIMES = "SELECT count(*), count(DISTINCT settled_at) FROM hookbridge.ends WHERE outcome = $1"


async def test_a_portion_of_a_long_burst_is_settled_at_one_time(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)
    await store.append([event() for _ in range(COUNTED_EVENTS_MAX + 1)], 1.0)
    (claim,) = await store.claim("supabase", 10, lease_seconds=300.0)
    portions = 0
    while await store.settle(settlement(claim)) is Settled.MORE:
        portions += 1
    assert tuple(await sql.fetchrow(TIMES, "coalesced")) == (COUNTED_EVENTS_MAX, portions)


async def test_dead_letters_are_given_up_together_at_one_time(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)
    await store.append([event(id_) for id_ in range(100)], 1.0)
    for claim in await store.claim("supabase", 100, lease_seconds=300.0):
        await store.settle(settlement(claim, Outcome.DEAD, reason="no"))
    assert (await dismiss(store, EventFilter(), limit=100)).count == 100
    assert tuple(await sql.fetchrow(TIMES, "ignored")) == (100, 1)
