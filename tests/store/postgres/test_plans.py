"""However large the tables grow, and whatever the planner believes of them, no call on the way of an event reads much.

What is held here are rows that were read, which no busy machine changes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest

from hookbridge.store.postgres import PostgresStore
from tests.support.events import copy, effects, event, settlement
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

WAITING = 60_000
AT_ONCE = 200
CLAIMS = 3

_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

# Both are counted when a session ends.
_READ = """
SELECT coalesce(sum(seq_tup_read), 0)::bigint
       + (SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes WHERE schemaname = 'hookbridge')
FROM pg_stat_user_tables WHERE schemaname = 'hookbridge'
"""

_FILL = """
WITH named AS (
    SELECT 'supabase:public.users:' || md5(n::text) AS record, extract(epoch FROM now()) + n * 1e-6 AS since
    FROM generate_series(1, {number}) AS n
), stored AS (
    INSERT INTO hookbridge.events (id, source, record, type, format, origin, received_at, stored_at, body)
    SELECT nextval('hookbridge.event_ids'), 'supabase', record, 'update', 'guide', 'webhook', since, since, '{}'
    FROM named
    RETURNING id, record
), lines AS (
    INSERT INTO hookbridge.open (record, seq, event_id, type) SELECT record, 1, id, 'update' FROM stored
)
INSERT INTO hookbridge.dirty (record, source, version, bytes, since, available_at)
SELECT record, 'supabase', 1, 2, since, since FROM named
"""


async def read(sql: asyncpg.Connection) -> int:
    """How many rows of tables and indexes were read until now, once all sessions are gone and have said so."""

    async def alone() -> bool:
        return bool(await sql.fetchval(_OTHERS) == 0)

    await wait_until(alone)
    return int(await sql.fetchval("SELECT (" + _READ + ")"))


async def go_round(store: PostgresStore, number: int = AT_ONCE) -> None:
    """Let so many events come, and as many records be claimed and settled with a copy and words."""
    await asyncio.gather(*[store.append([event(n, identity=uuid4().bytes)], 1.0) for n in range(number)])
    claims = await store.claim("supabase", number, lease_seconds=60.0)
    assert len(claims) == number
    ticket = await store.ticket()
    ends = [settlement(one, effects=effects(copy(one.record, ticket), f"words of {one.record.id}")) for one in claims]
    await asyncio.gather(*[store.settle(end) for end in ends])


@pytest.mark.parametrize("analysed", ["empty", "never", "filled"])
async def test_sixty_thousand_waiting_cost_what_few_do(
    url: str, sql: asyncpg.Connection, opened: Opened, analysed: str
) -> None:
    for table in ("dirty", "open", "events", "ends", "copies", "words", "counters"):
        await sql.execute(f"ALTER TABLE hookbridge.{table} SET (autovacuum_enabled = off)")
    old = await opened(url)
    await go_round(old, 5)  # its sessions have their plans
    if analysed == "empty":
        await sql.execute("DELETE FROM hookbridge.events; DELETE FROM hookbridge.ends; DELETE FROM hookbridge.copies")
        await sql.execute("VACUUM ANALYZE")
    filler = await asyncpg.connect(url)
    await filler.execute(_FILL.replace("{number}", str(WAITING)))
    if analysed == "filled":
        await filler.execute("ANALYZE")
    await filler.close()
    for is_old in (True, False):
        before = int(await sql.fetchval("SELECT (" + _READ + ")")) if is_old else await read(sql)
        store = old if is_old else await opened(url)
        for _ in range(CLAIMS):
            await go_round(store)
        await store.close()
        # Measured: 20 to 24; one look at all that waits, in one of the calls, would be 100.
        assert (await read(sql) - before) / (CLAIMS * AT_ONCE) < 40
