"""A claim whose answer did not come: nobody works on its records, so they are not to wait for the end of its leases."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from hookbridge.errors import StoreUnavailable
from hookbridge.store.postgres import PostgresStore
from tests.support.events import event
from tests.support.waiting import wait_until

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
