"""An event may be committed later than one with a larger id: nobody who looked before it was there misses it."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from hookbridge.store.postgres import PostgresStore
from hookbridge.store.values import EventFilter
from tests.support.events import copy, key

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

_EVENT = """
INSERT INTO hookbridge.events (id, source, record, type, format, origin, received_at, stored_at, body)
VALUES (nextval('hookbridge.event_ids'), 'supabase', $1, 'update', 'guide', 'webhook', 0,
        hookbridge.now_1(NULL) - $2::double precision, '')
RETURNING id
"""


async def arrive(sql: asyncpg.Connection, id_: object = 1, seconds_ago: float = 0.0) -> int:
    """Store the event of a webhook, in whatever transaction there is."""
    return int(await sql.fetchval(_EVENT, str(key(id_)), seconds_ago))


async def horizon(store: PostgresStore) -> int:
    return (await store.events(EventFilter(), before=None, limit=1)).horizon


async def test_what_is_committed_late_lies_above_the_horizon(url: str, sql: asyncpg.Connection, opened: Opened) -> None:
    store = await opened(url)
    other = await asyncpg.connect(url)
    old = await arrive(sql, seconds_ago=3600.0)
    transaction = sql.transaction()
    await transaction.start()
    late = await arrive(sql)
    newer = await arrive(other)
    await other.close()
    page = await store.events(EventFilter(), before=None, limit=10)
    assert [one.id for one in page.events] == [newer, old]
    assert old <= page.horizon < late
    await transaction.commit()
    assert [one.id for one in (await store.events(EventFilter(), before=None, limit=10)).events] == [newer, late, old]


@pytest.mark.parametrize("recent", [0, 1, 2, 7, 100])
async def test_the_horizon_is_not_far_below_what_is_old_enough(
    url: str, sql: asyncpg.Connection, opened: Opened, recent: int
) -> None:
    store = await opened(url)
    assert await horizon(store) == 0
    old = [await arrive(sql, seconds_ago=100.0) for _ in range(150)]
    newest = [await arrive(sql) for _ in range(recent)]
    assert old[-1] - recent <= await horizon(store) <= old[-1]
    if newest:
        await sql.execute("DELETE FROM hookbridge.events WHERE id = ANY ($1::bigint[])", old)
        assert await horizon(store) == 0


async def test_a_webhook_that_was_under_way_as_its_record_was_compared_announces(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)
    await store.load([(copy(key(n), await store.ticket()), None) for n in (1, 2)], exclusive=False)
    other = await asyncpg.connect(url)
    transaction = sql.transaction()
    await transaction.start()
    await arrive(sql, 1)
    await arrive(other, 2)
    await other.close()
    standings = await store.standings("supabase", "public.users", ["1", "2"])
    await store.note_findings([key(1), key(2)], standings)
    await transaction.commit()
    (counted,) = await store.settle_findings(0.0)
    assert (counted.announced, counted.missed) == (1, 1)
