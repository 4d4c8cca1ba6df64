"""How often a node asks the server: once a second while there is nothing to do, and for many events together."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from hookbridge.config import ProcessingConfig
from tests.support import databases
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

BEATS = 6
EVENTS = 2_000

OURS = "FROM pg_stat_statements JOIN pg_database ON oid = dbid WHERE datname = current_database() AND toplevel"
SETTLED = "SELECT count(*) FROM hookbridge.ends"
# What a trigger does at the commit counts there as if it had been sent.
CALLS = (
    f"SELECT coalesce(sum(calls), 0)::bigint {OURS} AND query LIKE '%hookbridge.%' AND query <> $1"
    " AND query NOT LIKE 'INSERT INTO hookbridge.feed %'"
)
BEATEN = f"SELECT coalesce(sum(calls), 0)::bigint {OURS} AND query LIKE '%beat_1%'"


@pytest.fixture
async def sql(tmp_path: Path) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(databases.url(tmp_path))
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
        await connection.fetchval(CALLS, SETTLED)
    except asyncpg.PostgresError:
        pytest.skip("the server has no pg_stat_statements")
    yield connection
    await connection.close()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Running]:
    """With as many workers as there are unless somebody says another number."""
    workers = ProcessingConfig()
    processing = {"workers": workers.workers, "queue_size": workers.queue_size}
    async with running(make_settings(tmp_path, processing=processing)) as one:
        yield one


async def until_beaten(sql: asyncpg.Connection, beats: int) -> None:
    async def beaten() -> bool:
        return bool(await sql.fetchval(BEATEN) >= beats)

    await wait_until(beaten, deadline_seconds=60.0)


async def test_an_idle_node_asks_two_things_a_second_at_most(sql: asyncpg.Connection, node: Running) -> None:
    await until_beaten(sql, 3)
    beats, calls = await sql.fetchval(BEATEN), await sql.fetchval(CALLS, SETTLED)
    await until_beaten(sql, beats + BEATS)
    beats, calls = await sql.fetchval(BEATEN) - beats, await sql.fetchval(CALLS, SETTLED) - calls
    assert calls <= 2 * beats


async def test_many_events_share_few_statements(sql: asyncpg.Connection, node: Running) -> None:
    before = await sql.fetchval(CALLS, SETTLED)

    async def send(first: int) -> None:
        for number in range(first, EVENTS, 64):
            body = {
                "event_type": "update", "source": "supabase", "table_name": "users", "record_id": str(number),
                "data": {"id": number}, "timestamp": "2026-01-01T00:00:00Z",
            }  # fmt: skip
            answer = await node.post("/api/v1/webhooks/supabase", body)
            assert answer.status == 202

    async def settled() -> bool:
        return bool(await sql.fetchval(SETTLED) == EVENTS)

    await asyncio.gather(*map(send, range(64)))
    await wait_until(settled, deadline_seconds=60.0)
    calls = await sql.fetchval(CALLS, SETTLED) - before
    assert calls <= EVENTS / 5, await sql.fetch(f"SELECT calls, left(query, 80) {OURS} ORDER BY calls DESC LIMIT 9")
