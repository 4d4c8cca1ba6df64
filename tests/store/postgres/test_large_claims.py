"""Claims that are too large for one answer: what is read of them afterwards is of the moment of the claim."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from hookbridge.model import CLAIMED_EVENTS_MAX, Settled
from hookbridge.store.postgres import PostgresStore
from hookbridge.store.postgres.claims import INLINE_BYTES_MAX
from tests.support.events import event, settlement
from tests.support.stores import books
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]


@pytest.mark.parametrize("many", [CLAIMED_EVENTS_MAX - 5, CLAIMED_EVENTS_MAX, CLAIMED_EVENTS_MAX + 50])
async def test_what_comes_after_a_claim_is_not_counted_with_it(
    url: str, sql: asyncpg.Connection, opened: Opened, many: int
) -> None:
    store = await opened(url)
    body = b" " * (INLINE_BYTES_MAX // 50)
    await store.append([event(body=body) for _ in range(many)], 1.0)
    async with store._engine._reads._turn:  # the rest of the claim is read when more has come
        claiming = asyncio.create_task(store.claim("supabase", 10, lease_seconds=300.0))

        async def waits() -> bool:
            return bool(await sql.fetchval("SELECT count(*) FROM hookbridge.dirty WHERE generation > 0"))

        await wait_until(waits)
        await store.append([event(type="delete"), event()], 2.0)
    (claim,) = await claiming
    assert sum(claim.types.values()) == many
    assert await store.settle(settlement(claim)) is Settled.STILL_DIRTY
    assert await books(store) == {"received": many + 2, "open": 2, "applied": 1, "coalesced": many - 1}
