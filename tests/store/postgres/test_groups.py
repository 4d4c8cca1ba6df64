"""What is written in one call has an end: the server ends calls that take too long, and the same group comes again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hookbridge.model import Settled
from hookbridge.store.commits import GROUP_BYTES
from hookbridge.store.postgres import PostgresStore
from hookbridge.store.postgres.engine import EVENT_BYTES
from tests.support.events import event, settlement
from tests.support.stores import books

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

RECORDS = 12
EACH = 1_500


async def test_long_bursts_of_many_records_are_not_settled_in_one_call(url: str, opened: Opened) -> None:
    store = await opened(url)
    await asyncio.gather(*[store.append([event(n)] * EACH, 1.0) for n in range(RECORDS)])
    claims = await store.claim("supabase", RECORDS, lease_seconds=600.0)
    groups: list[int] = []
    store.watch_commits(lambda jobs, _: groups.append(jobs))
    met = await asyncio.gather(*[store.settle(settlement(one)) for one in claims])
    assert set(met) == {Settled.DONE}
    assert max(groups) * EACH <= GROUP_BYTES // EVENT_BYTES + EACH
    assert await books(store) == {"received": RECORDS * EACH, "applied": RECORDS, "coalesced": RECORDS * (EACH - 1)}
