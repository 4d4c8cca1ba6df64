"""Connections that end, calls that are in each other's way, values that have no form on disk, and poolers."""

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from hookbridge.errors import LeadLost, StoreError, StoreUnavailable
from hookbridge.store.nodes import Lead
from hookbridge.store.postgres import PostgresStore, connections
from hookbridge.store.postgres.connections import Link, Server
from hookbridge.store.postgres.engine import Engine, Job, Writer
from tests.store.postgres.conftest import Opened
from tests.support import databases
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
KILL = f"SELECT pg_terminate_backend(pid) {OTHERS}"
SLEEPERS = f"SELECT count(*) {OTHERS} AND wait_event = 'PgSleep'"
WAITING = f"SELECT count(*) {OTHERS} AND wait_event_type = 'Lock'"
FOR_EVER = "SELECT pg_sleep(60)::text, $1::integer"


@pytest.fixture
async def ours(url: str) -> AsyncIterator[Engine]:
    one = Engine(url, node="a", moment=lambda: None)
    yield one
    await one.close()


@pytest.fixture
async def locker(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that holds a lock, for which others wait as long as it takes; it sees who waits as it was."""
    connection = await asyncpg.connect(url)
    for timeout in ("lock_timeout", "statement_timeout"):
        await connection.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET {timeout} = 0")
    yield connection
    await connection.close()


async def sleeping(sql: asyncpg.Connection) -> bool:
    return bool(await sql.fetchval(SLEEPERS))


async def test_a_read_whose_connection_was_ended_is_made_again(ours: Engine, sql: asyncpg.Connection) -> None:
    assert [tuple(row) for row in await ours.read("SELECT 1")] == [(1,)]
    await sql.execute(KILL)
    assert [tuple(row) for row in await ours.read("SELECT 2")] == [(2,)]


async def test_a_read_that_is_under_way_when_its_connection_ends_is_made_again(
    ours: Engine, sql: asyncpg.Connection
) -> None:
    await sql.execute("CREATE SEQUENCE public.begun")
    once = "SELECT CASE WHEN nextval('public.begun') = 1 THEN pg_sleep(60)::text ELSE 'again' END"
    reading = asyncio.create_task(ours.read(once))
    await wait_until(lambda: sleeping(sql))
    await sql.execute(KILL)
    assert [tuple(row) for row in await reading] == [("again",)]


async def test_a_write_whose_connection_ends_is_not_made_again_and_the_next_one_goes_on(
    ours: Engine, sql: asyncpg.Connection
) -> None:
    writing = asyncio.create_task(ours.write(FOR_EVER, 1))
    await wait_until(lambda: sleeping(sql))
    await sql.execute(KILL)
    with pytest.raises(StoreUnavailable) as caught:
        await writing
    assert caught.value.hint
    assert [tuple(row) for row in await ours.write("SELECT 2")] == [(2,)]


async def test_a_write_goes_on_when_its_caller_is_cancelled(
    locker: asyncpg.Connection, ours: Engine, sql: asyncpg.Connection
) -> None:
    await sql.execute("CREATE TABLE public.done (id integer)")
    await locker.execute("BEGIN; LOCK TABLE public.done IN ACCESS EXCLUSIVE MODE")
    writing = asyncio.create_task(ours.write("INSERT INTO public.done VALUES (1) RETURNING id"))
    await wait_until(lambda: sql.fetchval(WAITING))
    writing.cancel()
    await locker.execute("COMMIT")
    await ours.close()
    assert await sql.fetchval("SELECT id FROM public.done") == 1


async def test_a_read_ends_on_the_server_when_its_caller_is_cancelled_and_the_next_one_does_not_wait(
    ours: Engine, sql: asyncpg.Connection
) -> None:
    reading = asyncio.create_task(ours.search(FOR_EVER, 1))
    await wait_until(lambda: sleeping(sql))
    reading.cancel()
    assert [tuple(row) for row in await ours.search("SELECT 2")] == [(2,)]
    assert not await sleeping(sql)


async def test_a_server_that_takes_no_connections_is_told_once_and_it_goes_on_by_itself_when_it_does(
    url: str, ours: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = urlsplit(url).path[1:]
    assert [tuple(row) for row in await ours.read("SELECT 1")] == [(1,)]
    monkeypatch.setattr(connections, "BACKOFF_SECONDS_MAX", 0.0)
    with databases.away(url), capture_logs() as lines:
        for call in (ours.read, ours.write, ours.read):
            with pytest.raises(StoreUnavailable) as caught:
                await call("SELECT 1")
            assert name not in f"{caught.value.message} {caught.value.hint}"  # what a sender may be told
    assert [line["event"] for line in lines] == ["A connection to Postgres was lost", "Postgres refuses the connection"]
    assert name in lines[1]["error"]

    async def is_back() -> bool:
        try:
            return bool(await ours.write("SELECT 1"))
        except StoreUnavailable:
            return False

    await wait_until(is_back)


@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
async def test_a_call_that_another_one_was_in_the_way_of_is_made_again(
    ours: Engine, sql: asyncpg.Connection, code: str
) -> None:
    await sql.execute(
        f"""
        CREATE SEQUENCE public.tries;
        CREATE FUNCTION public.third() RETURNS bigint LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('public.tries') < 3 THEN
                RAISE EXCEPTION USING ERRCODE = '{code}';
            END IF;
            RETURN currval('public.tries');
        END $$
        """
    )
    assert [tuple(row) for row in await ours.write("SELECT public.third()")] == [(3,)]


@pytest.mark.parametrize("call", ["read", "write"])
@pytest.mark.parametrize("value", ["a\0b", "a\ud800b"])
async def test_a_text_that_has_no_form_on_disk_is_refused_and_the_connection_stays(
    ours: Engine, sql: asyncpg.Connection, call: str, value: str
) -> None:
    ask = getattr(ours, call)
    (before,) = await ask("SELECT pg_backend_pid()")
    with pytest.raises(StoreError) as caught:
        await ask("SELECT $1::text", value)
    assert not isinstance(caught.value, StoreUnavailable)
    assert await ask("SELECT pg_backend_pid()") == [before]


async def test_tickets_rise_over_all_nodes_and_those_that_are_asked_for_together_are_one_statement(
    url: str, ours: Engine, sql: asyncpg.Connection
) -> None:
    other = Engine(url, node="b", moment=lambda: None)
    given = await asyncio.gather(*(ours.ticket() for _ in range(20)))
    assert sorted(set(given)) == sorted(given)
    after = await other.ticket()
    assert after > max(given)
    assert await ours.ticket() > after
    await other.close()


async def test_a_server_that_cannot_be_reached_is_not_asked_by_every_call(
    url: str, ours: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BACKOFF_SECONDS", "BACKOFF_SECONDS_MAX"):
        monkeypatch.setattr(connections, name, 600.0)
    with databases.away(url), pytest.raises(StoreUnavailable):
        await ours.read("SELECT 1")
    for call in (ours.read, ours.write, ours.search):
        with pytest.raises(StoreUnavailable):
            await call("SELECT 1")


async def test_a_statement_that_fails_for_the_schemas_sake_gives_its_connection_up(ours: Engine) -> None:
    (before,) = await ours.read("SELECT pg_backend_pid()")
    with pytest.raises(StoreUnavailable) as caught:
        await ours.read("SELECT * FROM hookbridge.nowhere")
    assert "check" in caught.value.hint
    assert await ours.read("SELECT pg_backend_pid()") != [before]


@pytest.mark.parametrize("ended_by", ["the timeout of the role", "an operator"])
async def test_a_call_that_was_ended_is_told_as_that_and_its_connection_stays(
    url: str, ours: Engine, sql: asyncpg.Connection, ended_by: str
) -> None:
    if ended_by == "the timeout of the role":
        await sql.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET statement_timeout = '200ms'")
    (before,) = await ours.write("SELECT pg_backend_pid()")
    calling = asyncio.create_task(ours.write(FOR_EVER, 1))
    if ended_by == "an operator":
        await wait_until(lambda: sleeping(sql))
        await sql.execute(f"SELECT pg_cancel_backend(pid) {OTHERS}")
    with capture_logs() as lines, pytest.raises(StoreUnavailable) as caught:
        await calling
    assert "ended the call: canceling statement" in caught.value.message
    assert "statement_timeout" in caught.value.hint
    assert await ours.write("SELECT pg_backend_pid()") == [before]
    assert (lines, ours.links.lost) == ([], 0)


async def test_a_database_that_takes_no_writes_is_told_with_what_switches_them_on(
    url: str, ours: Engine, sql: asyncpg.Connection
) -> None:
    await sql.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable) as caught:
        await ours.write("SELECT nextval('hookbridge.tickets')")
    assert "default_transaction_read_only" in caught.value.hint


async def test_a_ticket_that_is_asked_for_while_others_are_fetched_is_fetched_after_them(ours: Engine) -> None:
    first = ours.ticket()
    await asyncio.sleep(0)
    second = ours.ticket()
    async with asyncio.timeout(60):
        assert await second > await first


async def test_a_ticket_whose_caller_is_gone_keeps_nobody_waiting(ours: Engine) -> None:
    async def one() -> int:
        return await ours.ticket()

    gone = asyncio.create_task(one())
    await asyncio.sleep(0)
    gone.cancel()
    assert await ours.ticket() > 0


async def test_statements_without_a_name_find_their_own_answers_behind_a_pooler(pooled: str) -> None:
    links = [Link(Server(pooled)) for _ in range(24)]

    async def ask(number: int, link: Link) -> None:
        for round_ in range(20):
            text, doubled = f"{number}-{round_}", 2 * round_
            assert [tuple(row) for row in await link.call("SELECT $1::text AS said", text)] == [(text,)]
            rows = await link.call("SELECT $1::integer * 2 AS doubled, $2::text[]", round_, [text])
            assert [tuple(row) for row in rows] == [(doubled, [text])]

    await asyncio.gather(*(ask(number, link) for number, link in enumerate(links)))
    await asyncio.gather(*(link.close() for link in links))


async def test_a_store_needs_no_session_of_its_own(pooled: str, opened: Opened) -> None:
    stores = [await opened(pooled) for _ in range(4)]
    await asyncio.gather(*(store.put_note(f"note {n}", str(n)) for n, store in enumerate(stores)))
    assert await asyncio.gather(*(store.note(f"note {n}") for n, store in enumerate(stores))) == ["0", "1", "2", "3"]


# Groups


LONG = random.Random(1).randbytes(9000).hex()
"""More than an index can hold, however it is compressed."""


class Put(Job):
    """A note, written together with others."""

    def __init__(self, name: str) -> None:
        self.name = name

    @staticmethod
    async def run_together(jobs: Sequence[Any], writer: Writer) -> Sequence[Any]:
        names = [job.name for job in jobs]
        rows = await writer.call(
            "INSERT INTO hookbridge.notes (name, value) SELECT name, $2 FROM unnest($1::text[]) AS name RETURNING name",
            names,
            str(len(names)),
        )
        return [row["name"] for row in rows]


async def test_what_is_submitted_together_is_written_together(ours: Engine, sql: asyncpg.Connection) -> None:
    assert await asyncio.gather(*(ours.appends.submit(Put(str(n))) for n in range(50))) == [str(n) for n in range(50)]
    assert await sql.fetch("SELECT DISTINCT value FROM hookbridge.notes") == [("50",)]


@pytest.mark.parametrize("poison", ["a\0b", "a\ud800b", "taken", LONG])
async def test_what_cannot_be_stored_fails_alone(ours: Engine, sql: asyncpg.Connection, poison: str) -> None:
    await sql.execute("INSERT INTO hookbridge.notes (name, value) VALUES ('taken', '')")
    names = [*(str(n) for n in range(30)), poison, *(str(n) for n in range(30, 50))]
    jobs = [ours.appends.submit(Put(name)) for name in names]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    for name, result in zip(names, results, strict=True):
        if name is poison:
            assert isinstance(result, StoreError)
            assert not isinstance(result, StoreUnavailable)
        else:
            assert result == name


async def test_a_group_whose_connection_ends_fails_whole_because_nobody_knows_whether_it_was_written(
    locker: asyncpg.Connection, ours: Engine, sql: asyncpg.Connection
) -> None:
    await locker.execute("BEGIN; LOCK TABLE hookbridge.notes IN ACCESS EXCLUSIVE MODE")
    jobs = [ours.appends.submit(Put(str(n))) for n in range(10)]
    await wait_until(lambda: sql.fetchval(WAITING))
    await sql.execute(f"{KILL} AND wait_event_type = 'Lock'")
    await locker.execute("COMMIT")
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert len({id(result) for result in results}) == len(results)
    assert await ours.appends.submit(Put("next")) == "next"


async def test_a_connection_that_nobody_needs_is_given_back(
    ours: Engine, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS_MAX", 0.01)
    assert [tuple(row) for row in await ours.read("SELECT 1")] == [(1,)]
    await wait_until(lambda: _nobody(sql))
    assert ours.links.lost == 0
    assert [tuple(row) for row in await ours.read("SELECT 2")] == [(2,)]


async def _nobody(sql: asyncpg.Connection) -> bool:
    return not await sql.fetchval(f"SELECT count(*) {OTHERS} AND backend_type = 'client backend'")


async def test_what_a_lease_hangs_on_does_not_wait_behind_other_writes(
    locker: asyncpg.Connection, ours: Engine, sql: asyncpg.Connection
) -> None:
    await locker.execute("BEGIN; LOCK TABLE hookbridge.notes IN ACCESS EXCLUSIVE MODE")
    writing = asyncio.create_task(ours.write("DELETE FROM hookbridge.notes"))
    await wait_until(lambda: sql.fetchval(WAITING))
    assert [tuple(row) for row in await ours.at_once("SELECT 1")] == [(1,)]
    assert not writing.done()
    await locker.execute("COMMIT")
    await writing


async def test_what_fails_behind_a_caller_who_was_cancelled_is_logged_by_nobody(url: str) -> None:
    logged: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    store = await PostgresStore.open(url, node="one")
    lost = Lead("nobody's", epoch=1)
    writing = asyncio.create_task(store.put_note("a note", "text", lead=lost))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await store.put_note("another note", "text")  # on the same connection, so the other one is over
    with pytest.raises(LeadLost):
        await store.put_note("a note", "text", lead=lost)
    gc.collect()
    await store.close()
    assert logged == []
