"""What is answered is on the disk, whatever the role or the database says of commits."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg
import pytest

from hookbridge.store.postgres import PostgresStore
from hookbridge.store.values import EventFilter, Span
from tests.support.events import copy, effects, event, settlement

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

TABLES = ("events", "ends", "open", "dirty", "copies", "counters", "stale_keys")

# At the commit it is noted how that is done.
_NOTING = """
CREATE TABLE public.commits (changed text, synchronous text);
CREATE FUNCTION public.note_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.commits VALUES (TG_TABLE_NAME, current_setting('synchronous_commit'));
    RETURN NULL;
END
$$;
"""
_NOTED = """
CREATE CONSTRAINT TRIGGER note_commit AFTER INSERT OR UPDATE OR DELETE ON hookbridge.{table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.note_commit()
"""


async def test_every_commit_waits_for_the_disk_though_the_database_says_that_none_has_to(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)  # which would not open any more
    await sql.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET synchronous_commit = off")
    await sql.execute(_NOTING)
    for table in TABLES:
        await sql.execute(_NOTED.format(table=table))
    (said,) = (await store._engine.read("SHOW synchronous_commit"))[0]
    assert said == "off"

    receipts = await store.append([event(1), event(2, ignored="no"), event(3)], 1.0)
    first, second = await store.claim("supabase", 10, lease_seconds=60.0)
    await store.renew([first], lease_seconds=60.0)
    read = effects(copy(first.record, await store.ticket()), "words")
    await store.settle(settlement(first, effects=read))
    await store.release([second])
    await store.release_abandoned()
    assert (await store.open_again([receipts[0].event_id])).count == 1
    assert (await store.remove_settled(Span(0.0, 1e12), 10)) == 2
    assert len((await store.events(EventFilter(), before=None, limit=10)).events) == 2

    found = await sql.fetch("SELECT changed, array_agg(DISTINCT synchronous) AS how FROM public.commits GROUP BY 1")
    assert dict(found) == {table: ["on"] for table in TABLES if table != "stale_keys"}
