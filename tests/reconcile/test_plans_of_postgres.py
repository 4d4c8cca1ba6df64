"""What hookbridge asks of tables that a real Postgres takes for very large: loading, following, proving, checking."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from hookbridge.doctor import supabase as doctor
from hookbridge.model import RecordKey
from hookbridge.sources.ids import record_id
from tests.support.followed import KEY, gone, has
from tests.support.postgres import database
from tests.support.postgrest import Asked, Planner, PostgrestOnPostgres
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.statements import read
from tests.support.waiting import wait_until

BELIEVED = 3_000_000
"""How many rows each table has by the planner's statistics."""

COST_MAX = 3_000
"""A tenth of what it costs to look at so many rows and do nothing with them: 0.01 each."""

MAX_ROWS = 300
LOOKED_AT_MAX = 2 * MAX_ROWS + 100
"""A slice, behind those of the one before that are like its first row; or a bitmap of an index, and its rows."""

EVENTS, SEATS, PLAIN = 2_400, 2_000, 700
TABLES = f"""
create table events (id bigint primary key, name text, updated_at timestamptz) with (autovacuum_enabled = false);
create index events_changes on events (updated_at, id);
insert into events select n, 'event ' || n, case
        when n % 10 = 0 then null
        when n % 2 = 0 then timestamptz '2026-02-01'
        else timestamptz '2026-02-01' + n * interval '1 second'
    end from generate_series(1, {EVENTS}) n;

create table seats (room text, line int, number int, updated_at timestamptz, primary key (room, line, number))
    with (autovacuum_enabled = false);
create index on seats (updated_at, room, line, number);
insert into seats select chr(97 + n % 2), least(n % 7, 1), n, '2026-02-01' from generate_series(1, {SEATS}) n;

create table plain (id uuid primary key, name text) with (autovacuum_enabled = false);
insert into plain select md5(n::text)::uuid, 'row ' || n from generate_series(1, {PLAIN}) n;

analyze;
update pg_class set reltuples = {BELIEVED}
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'i');
"""

SEAT_40 = RecordKey("supabase", "public.seats", record_id(["a", 1, 40]))
LISTED = [
    {"name": "events", "changed_at": "updated_at"},
    {"name": "seats", "key": ["room", "line", "number"], "changed_at": "updated_at"},
    {"name": "plain"},
]
STILL = {
    "poll_seconds": 1000.0,
    "poll_seconds_max": 1000.0,
    "sweep_seconds": 1000.0,
    "sweep_requests_per_second": 1000.0,
    "grace_seconds": 0.2,
}
"""Nothing is asked twice by itself."""

# Conditions of each kind, as they begin; what follows is the order, or the rest of the condition.
KINDS = {
    "the newest change": "public.events WHERE (NOT updated_at IS NULL) ORDER BY updated_at DESC NULLS FIRST",
    "a listing's first slice": "public.seats ORDER BY room",
    "the slice behind": "public.plain WHERE ((id > $1)) ORDER BY id",
    "the slice behind, among equal values of one column": "public.seats WHERE ((room = $1 AND line >= $2 AND (",
    "the slice behind, among equal values of two columns": "public.seats WHERE ((room = $1 AND line = $2 AND number >",
    "a poll's first slice": "public.events WHERE (updated_at >= $1) ORDER BY updated_at",
    "a poll's slice behind": "public.events WHERE ((updated_at >= $1 AND (updated_at > $2 OR (id > $3)))) ORDER BY",
    "a poll's slice among equal times": "public.events WHERE ((updated_at = $1 AND id > $2)) ORDER BY updated_at",
    "what is behind equal times": "public.events WHERE ((updated_at > $1)) ORDER BY updated_at",
    "a poll's slice among equal times and rooms": "public.seats WHERE ((updated_at = $1 AND room = $2 AND line",
    "records by their key": "public.events WHERE (id = ANY ($1)) count=exact",
    "records by their key of three": "public.seats WHERE ((room = $1 AND line = $2 AND number = $3)",
}


@pytest.fixture
async def url(postgres_url: str) -> AsyncIterator[str]:
    async with database(postgres_url) as one:
        yield one


@pytest.fixture
async def sql(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection: asyncpg.Connection = await asyncpg.connect(url)
    await connection.execute(TABLES)
    yield connection
    await connection.close()


@pytest.fixture
async def planner(url: str, sql: asyncpg.Connection) -> AsyncIterator[Planner]:
    connection: asyncpg.Connection = await asyncpg.connect(url)
    yield Planner(connection)
    await connection.close()


@pytest.fixture
async def supabase(planner: Planner) -> AsyncIterator[PostgrestOnPostgres]:
    async with PostgrestOnPostgres(planner, KEY, max_rows=MAX_ROWS) as standin:
        yield standin


def slow(asked: Asked) -> bool:
    """Whether it would not end in time on a table that is as large as the planner believes."""
    return bool(asked.scans) or asked.cost > COST_MAX or max(asked.sorted, asked.looked_at) > LOOKED_AT_MAX


async def test_whatever_is_asked_is_answered_from_an_index(
    sql: asyncpg.Connection, supabase: PostgrestOnPostgres, tmp_path: Path
) -> None:
    secrets = {"supabase_url": supabase.url, "supabase_key": KEY}
    settings = make_settings(tmp_path, secrets=secrets, supabase={"tables": LISTED}, reconcile=STILL)
    async with running(settings) as bridge:
        tables = bridge.service.reconciler.tables.values()
        await wait_until(lambda: all(one.sweep.state.loaded for one in tables))
        await wait_until(lambda: all(one.poll.state.completed_at or not one.polled for one in tables))

        await sql.execute("update events set name = 'polled', updated_at = now() where id <= 700")
        await sql.execute("update seats set updated_at = now() where number <= 700")
        await reconcile(bridge, "events", "poll")
        await reconcile(bridge, "seats", "poll")
        await wait_until(has(bridge, RecordKey("supabase", "public.events", "700"), name="polled"))

        await sql.execute("delete from seats where number = 40")
        for table in ("events", "seats", "plain"):
            await reconcile(bridge, table, "sweep")
        await wait_until(gone(bridge, SEAT_40))

        await sql.execute("update events set name = 'told of' where id <= 20")
        await sql.execute("insert into seats values ('a', 1, 40, now())")
        for number in range(1, 21):
            await tell(bridge, "events", id=number)
            await tell(bridge, "seats", room="a", line=1, number=38 + number * 2)
        await wait_until(has(bridge, RecordKey("supabase", "public.events", "20"), name="told of"))
        await wait_until(has(bridge, SEAT_40, number=40))

        answer = await bridge.post("/api/v1/verify", {}, headers=ADMIN)
        lines = [msgspec.json.decode(line) for line in (await answer.read()).splitlines()]
        equal = {line["table"]: line["equal"] for line in lines if line["type"] == "table"}
        assert equal == {"public.events": EVENTS, "public.seats": SEATS, "public.plain": PLAIN}
        assert {one.state async for one in doctor.look(settings)} == {"ok"}

    assert {one.shape for one in supabase.asked if slow(one)} == set()
    shapes = {one.shape for one in supabase.asked}
    assert [kind for kind, begin in KINDS.items() if not any(shape.startswith(begin) for shape in shapes)] == []


async def reconcile(bridge: Running, table: str, kind: str) -> None:
    asked = {"source": "supabase", "table": table, "kind": kind}
    assert (await bridge.post("/api/v1/reconcile", asked, headers=ADMIN)).status == 200


async def tell(bridge: Running, table: str, **key: object) -> None:
    native = {"type": "UPDATE", "schema": "public", "table": table, "record": key, "old_record": key}
    assert (await bridge.post("/api/v1/webhooks/supabase", native)).status == 202


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("order=updated_at.desc.nullslast&limit=1", None),  # no index has the rows without a value at that end
        ("order=id.asc.nullslast&limit=1000", "exact"),
        ("or=(updated_at.gte.2026-01-01)&order=updated_at.asc,id.asc&limit=1000", "exact"),
        ("or=(id.gt.2000,and(id.eq.2000,updated_at.gt.2026-01-01))&order=id.asc,updated_at.asc&limit=1000", None),
        ("order=name.asc&limit=1", None),
        ("or=(name.eq.Ada)", None),
    ],
)
async def test_what_no_index_answers_is_seen_to_be_slow(planner: Planner, query: str, count: str | None) -> None:
    asked = read(f"/rest/v1/events?select=*&{query}", "public", count, MAX_ROWS)
    assert slow(await planner.explained(asked.page, asked.shape))


@pytest.mark.parametrize("table", ["events", "seats", "plain"])
async def test_the_planner_believes_in_large_tables(planner: Planner, table: str) -> None:
    asked = read(f"/rest/v1/{table}?select=*&limit=1", "public", "planned")
    assert asked.planned is not None
    assert await planner.guessed(asked.planned) == pytest.approx(BELIEVED, rel=0.01)
