"""Changes of several transactions at once: none becomes visible behind a later one, whichever commits first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from msgspec.structs import replace

from hookbridge.store.contract import Copies, Feed
from hookbridge.store.postgres import PostgresStore
from hookbridge.store.postgres.copies import outside
from tests.support import databases
from tests.support.events import copy, key
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

_PUT = f"SELECT hookbridge.copies_1({', '.join(f'${place}' for place in range(1, 15))}, NULL)"
_WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database
WHERE NOT granted AND locktype = 'advisory' AND d.datname = current_database()
"""


@asynccontextmanager
async def copied(url: str, number: int) -> AsyncIterator[str]:
    """A database that was made of another one, to which nobody is connected."""
    parts = urlsplit(url)
    name = f"{parts.path[1:]}_{number}"
    server = await asyncpg.connect(databases.server_url())
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {parts.path[1:]}")
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


async def put(store: Copies, id_: object, data: bytes = b"{}") -> None:
    written = copy(key(id_), await store.ticket(), data, fingerprint=b"")
    await store.put(written, None, exclusive=False)


async def write(sql: asyncpg.Connection, id_: object, ticket: int) -> None:
    """Write a copy in somebody else's transaction, as the engine does."""
    await sql.execute(_PUT, *outside([(copy(key(id_), ticket), None)], exclusive=False))


async def seen(store: Feed, after: int = 0) -> list[str]:
    return [entry.copy.record.id for entry in (await store.feed(after=after, limit=1_000)).entries]


async def test_what_is_committed_late_lies_behind_what_was_followed_before(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)
    ticket = await store.ticket()
    transaction = sql.transaction()
    await transaction.start()
    await write(sql, "late", ticket)
    await put(store, "early")
    page = await store.feed(after=0, limit=10)
    assert [entry.copy.record.id for entry in page.entries] == ["early"]
    await transaction.commit()
    assert await seen(store, page.reached) == ["late"]


async def test_what_has_its_place_is_seen_before_anything_behind_it(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)
    ticket = await store.ticket()
    transaction = sql.transaction()
    await transaction.start()
    await write(sql, "first", ticket)
    await sql.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as at the commit
    second = asyncio.ensure_future(put(store, "second"))

    async def waits() -> bool:
        return bool(await sql.fetchval(_WAITING) == 1)

    await wait_until(waits)
    assert await seen(store) == []
    await transaction.commit()
    await second
    assert await seen(store) == ["first", "second"]


async def test_whoever_changes_a_copy_by_hand_gives_it_the_newest_place(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)
    for id_ in ("a", "b"):
        await put(store, id_)
    await sql.execute("UPDATE hookbridge.copies SET title = 'other' WHERE record_id = 'a'")
    assert await seen(store) == ["b", "a"]
    await sql.execute("UPDATE hookbridge.copies SET read_at = read_at + 1 WHERE record_id = 'b'")
    assert await seen(store) == ["b", "a"]
    await sql.execute("DELETE FROM hookbridge.copies WHERE record_id = 'b'")
    assert await seen(store) == ["a"]


async def test_a_follower_misses_nothing_of_what_several_nodes_write_at_once(url: str, opened: Opened) -> None:
    nodes = [await opened(url) for _ in range(3)]
    follower = await opened(url)
    known: dict[str, bytes | None] = {}
    place = 0

    async def follow() -> None:
        nonlocal place
        page = await follower.feed(after=place, limit=3)
        for entry in page.entries:
            known[entry.copy.record.id], place = entry.copy.data, entry.seq

    async def work(number: int, store: PostgresStore) -> None:
        for turn in range(20):
            read = [
                (copy(key(f"{number}.{n}"), await store.ticket(), b"%d" % turn, fingerprint=b""), None) for n in (1, 2)
            ]
            await store.load(
                [*read, (copy(key("all"), await store.ticket(), b"%d" % turn, fingerprint=b""), None)], exclusive=False
            )

    working = asyncio.gather(*[work(number, store) for number, store in enumerate(nodes)])
    while not working.done():
        await follow()
    await working
    while place < (await follower.feed_ends()).newest:
        await follow()
    assert known.pop("all") == b"19"
    assert known == {f"{number}.{n}": b"19" for number in range(3) for n in (1, 2)}


async def test_who_waits_on_one_node_is_woken_by_what_another_one_changes(url: str, opened: Opened) -> None:
    waits, changes = await opened(url), await opened(url)
    waiting = asyncio.ensure_future(waits.beyond(await waits.feed_ends()))
    await put(changes, "a")
    await waiting


async def test_a_database_that_was_made_of_another_one_has_another_feed_and_so_has_one_of_that(
    url: str, opened: Opened
) -> None:
    await (store := await opened(url)).close()
    ids = {(await (store := await opened(url)).feed_ends()).id}
    await store.close()
    for number in (1, 2):
        async with copied(url, number) as other:
            store = await opened(other)
            again = await opened(other)
            assert await store.feed_ends() == await again.feed_ends()
            ids.add((await store.feed_ends()).id)
            await store.close()
            await again.close()
    assert len(ids) == 3


async def test_an_earlier_moment_of_a_server_has_another_feed(
    url: str, sql: asyncpg.Connection, opened: Opened
) -> None:
    store = await opened(url)
    (history, timeline) = await sql.fetchrow("SELECT hookbridge.history_1(), timeline_id FROM pg_control_checkpoint()")
    assert history.endswith(f"/{timeline:08X}")
    await sql.execute("UPDATE hookbridge.feed_mark SET made_in = $1", history)
    ends = await store.feed_ends()
    assert ends.id == await sql.fetchval("SELECT id FROM hookbridge.feed_mark")
    # A recovery begins a timeline; a test's server has only one.
    await sql.execute("UPDATE hookbridge.feed_mark SET made_in = $1", f"{history[:-8]}{timeline - 1:08X}")
    other = await store.feed_ends()
    assert len(other.id) == 32
    assert other == replace(ends, id=other.id) != ends
    await asyncio.wait_for(store.beyond(ends), 60)
