"""Tables of which no statement may count, sort or walk past more than a few rows, as under Supabase's 8 seconds."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import SourceError
from hookbridge.model import RecordKey
from hookbridge.sources.ids import record_id
from hookbridge.sources.source import Changes, Slice
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.standins import PostgrestStandin
from tests.support.followed import KEY, gone, has
from tests.support.running import ADMIN, make_settings, running
from tests.support.tickets import counting
from tests.support.waiting import wait_until

ROWS = 600
MAX_ROWS = 40
LOOKED_AT_MAX = 100
BEFORE = "2026-01-01T00:00:00+00:00"
AT = "2026-02-01T00:00:00+00:00"
SECTIONS = {
    "reconcile": {
        "poll_seconds": 0.05,
        "poll_seconds_max": 0.1,
        "sweep_seconds": 0.2,
        "sweep_requests_per_second": 1000.0,
        "grace_seconds": 0.2,
    }
}
EVENTS = {"name": "events", "changed_at": "updated_at"}
SEATS = {"name": "seats", "key": ["room", "row", "number"], "changed_at": "updated_at"}
TABLES = [EVENTS, SEATS, {"name": "plain"}]


def fill(supabase: PostgrestStandin) -> None:
    """Make three tables: one with ties and without times here and there, one with a key of three, one without times."""
    supabase.create_table("events", {"id": "bigint", "name": "text", "updated_at": "timestamptz"})
    supabase.insert_many("events", ({"id": n, "name": f"event {n}", "updated_at": time_of(n)} for n in range(ROWS)))
    seat = {"room": "text", "row": "bigint", "number": "bigint", "updated_at": "timestamptz"}
    supabase.create_table("seats", seat, key=("room", "row", "number"))
    supabase.insert_many(
        "seats",
        (
            {"room": room, "row": row, "number": number, "updated_at": AT}
            for room, row, number in [*itertools.product("abc", range(2), range(90)), ("d", 1, 1)]
        ),
    )
    supabase.create_table("plain", {"id": "bigint", "name": "text"})
    supabase.insert_many("plain", ({"id": n, "name": f"row {n}"} for n in range(ROWS)))


def time_of(number: int) -> str | None:
    """Give the time of a row: none for each tenth, one for most of the others, its own for the rest."""
    if number % 10 == 0:
        return None
    return AT if number % 3 else f"2026-02-01T01:{number // 60:02}:{number % 60:02}+00:00"


@pytest.fixture
async def supabase() -> AsyncIterator[PostgrestStandin]:
    async with PostgrestStandin(key=KEY, max_rows=MAX_ROWS) as standin:
        fill(standin)
        standin.enlarge("events", ("updated_at", "id"), looked_at_max=LOOKED_AT_MAX)
        standin.enlarge("seats", ("updated_at", "room", "row", "number"), looked_at_max=LOOKED_AT_MAX)
        standin.enlarge("plain", looked_at_max=LOOKED_AT_MAX)
        yield standin


@pytest.fixture
async def changes(supabase: PostgrestStandin) -> AsyncIterator[Changes]:
    config = msgspec.convert({"tables": TABLES, "batch_rows": 30}, SupabaseConfig)
    secrets = Secrets(supabase_url=supabase.url, supabase_key=KEY)
    source = SupabaseSource(config, SignaturesConfig(), secrets, counting())
    assert source.changes is not None
    yield source.changes
    await source.close()


async def every(ask: Callable[[str | None], Awaitable[Slice]]) -> Counter[str]:
    """Give how often a pass shows each record."""
    shown: Counter[str] = Counter()
    cursor: str | None = None
    while True:
        slice_ = await ask(cursor)
        shown.update(truth.record.id for truth in slice_.truths)
        if (cursor := slice_.next_cursor) is None:
            return shown


async def test_large_tables_are_loaded_polled_swept_and_verified(supabase: PostgrestStandin, tmp_path: Path) -> None:
    secrets = {"supabase_url": supabase.url, "supabase_key": KEY}
    settings = make_settings(tmp_path, secrets=secrets, supabase={"tables": TABLES, "batch_rows": 30}, **SECTIONS)
    async with running(settings) as bridge:
        tables = bridge.service.reconciler.tables.values()
        await wait_until(lambda: all(one.sweep.state.loaded for one in tables))
        await wait_until(lambda: all(one.poll.state.completed_at or not one.polled for one in tables))

        supabase.update("events", 7, {"name": "found by a poll", "updated_at": "2026-02-01T09:00:00+00:00"})
        supabase.update("events", 10, {"name": "found by a sweep", "updated_at": None})
        supabase.delete("seats", ("b", 1, 44))
        supabase.update("plain", 30, {"name": "found by a sweep"})
        await wait_until(has(bridge, RecordKey("supabase", "public.events", "7"), name="found by a poll"))
        await wait_until(has(bridge, RecordKey("supabase", "public.events", "10"), name="found by a sweep"))
        await wait_until(has(bridge, RecordKey("supabase", "public.plain", "30"), name="found by a sweep"))
        await wait_until(gone(bridge, RecordKey("supabase", "public.seats", record_id(["b", 1, 44]))))

        answer = await bridge.post("/api/v1/verify", {}, headers=ADMIN)
        lines = [msgspec.json.decode(line) for line in (await answer.read()).splitlines()]
        equal = {line["table"]: line["equal"] for line in lines if line["type"] == "table"}
        assert lines[-1]["agrees"] is True
        assert equal == {"public.events": ROWS, "public.seats": 540, "public.plain": ROWS}


@pytest.mark.parametrize(("table", "rows"), [("public.events", ROWS), ("public.seats", 541), ("public.plain", ROWS)])
async def test_a_listing_shows_each_row_once(changes: Changes, table: str, rows: int) -> None:
    shown = await every(lambda cursor: changes.listing(table, cursor))
    assert (len(shown), set(shown.values())) == (rows, {1})


@pytest.mark.parametrize(
    ("table", "since", "rows"),
    [
        ("public.events", BEFORE, 540),  # each tenth has no time: listings find those
        ("public.events", "2026-02-01T01:00:00+00:00", 180),
        ("public.events", "2026-02-02T00:00:00+00:00", 0),
        ("public.seats", BEFORE, 541),
        ("public.seats", "2026-02-01T00:00:01+00:00", 0),
    ],
)
async def test_a_poll_shows_each_row_since_its_watermark_once(
    changes: Changes, table: str, since: str, rows: int
) -> None:
    shown = await every(lambda cursor: changes.since(table, since, 0.0, cursor))
    assert (len(shown), set(shown.values())) == (rows, {1} if rows else set())


async def test_the_newest_change_is_asked_for_from_the_end_of_an_index(
    supabase: PostgrestStandin, changes: Changes
) -> None:
    assert await changes.newest("public.events") == "2026-02-01T01:09:57+00:00"
    for number in range(ROWS):
        supabase.update("events", number, {"updated_at": None})
    assert await changes.newest("public.events") is None


async def test_without_an_index_on_its_change_column_a_large_table_says_so(
    supabase: PostgrestStandin, changes: Changes
) -> None:
    supabase.enlarge("events", looked_at_max=LOOKED_AT_MAX)
    with pytest.raises(SourceError, match="57014") as raised:
        await changes.newest("public.events")
    assert "index" in raised.value.hint


async def test_a_listing_says_about_how_many_rows_there_are(changes: Changes) -> None:
    assert (await changes.listing("public.plain", None)).total == ROWS
