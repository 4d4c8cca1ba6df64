"""A foreign long transaction (a report, a dump) keeps every row that is removed: claims do not walk over them."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from hookbridge.store.nodes import Report
from hookbridge.store.postgres import PostgresStore
from tests.support.events import event, settlement
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

LEFT = 60_000
CLAIMS = 40
AT_ONCE = 50

# What was claimed and settled meanwhile, by anybody.
_LEAVE = f"""
INSERT INTO hookbridge.dirty (record, source, version, bytes, since, available_at)
SELECT 'supabase:public.users:' || n, 'supabase', 1, 2, n, n FROM generate_series(1, {LEFT}) AS n;
DELETE FROM hookbridge.dirty;
"""
_READ = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'dirty_available'"
_CLIENTS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
"""


async def test_a_claim_does_not_walk_over_what_was_claimed_before(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    holder = await asyncpg.connect(url)

    async def alone() -> bool:  # a session that has ended has said what it read
        return bool(await sql.fetchval(_CLIENTS) == 2)

    async with holder.transaction(isolation="repeatable_read"):
        await holder.fetch("SELECT count(*) FROM hookbridge.dirty")
        await sql.execute(_LEAVE)
        store = await opened(url)
        await asyncio.gather(*[store.append([event(number)], 1.0) for number in range(CLAIMS * AT_ONCE)])
        for _ in range(CLAIMS):
            claims = await store.claim("supabase", AT_ONCE, lease_seconds=600.0)
            assert len(claims) == AT_ONCE
            await asyncio.gather(*[store.settle(settlement(one)) for one in claims])
            assert await store.next_due_in("supabase") in {0.0, None}
        await store.close()
        await wait_until(alone)
        read = await sql.fetchval(_READ)
    await holder.close()
    # One claim walks over all of it, now and then, in case that something came in between.
    assert read < CLAIMS * LEFT / 4


async def test_a_beat_does_not_walk_over_it_either_whether_or_not_something_waits(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    holder = await asyncpg.connect(url)

    async def alone() -> bool:
        return bool(await sql.fetchval(_CLIENTS) == 2)

    async with holder.transaction(isolation="repeatable_read"):
        await holder.fetch("SELECT count(*) FROM hookbridge.dirty")
        await sql.execute(_LEAVE)
        store = await opened(url)
        for number in range(CLAIMS):
            cluster = await store.beat(Report(lease_seconds=6.0))
            assert ("supabase" in cluster.due) is (number > CLAIMS // 2)
            if number == CLAIMS // 2:
                await store.append([event(1)], 1.0)
        await store.close()
        await wait_until(alone)
        read = await sql.fetchval(_READ)
    await holder.close()
    assert read < CLAIMS * LEFT / 4
