"""The tables that change much are vacuumed soon, whatever the settings of the server are."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from hookbridge.store.postgres import PostgresStore

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

# What each event or beat makes dead rows in.  Inserts alone make none, and copies are as many as there are records.
SOON = ("open", "dirty", "counters", "nodes", "leads", "budget", "stale_keys")
ROWS_MAX = 2_000


async def options_of(url: str, table: str) -> dict[str, str]:
    sql: asyncpg.Connection = await asyncpg.connect(url)
    try:
        found = await sql.fetchval(
            "select reloptions from pg_class where oid = $1::text::regclass", f"hookbridge.{table}"
        )
    finally:
        await sql.close()
    return dict(option.split("=") for option in found or ())


@pytest.mark.parametrize("table", SOON)
async def test_a_hot_table_is_vacuumed_after_so_many_rows_however_many_it_has(
    url: str, opened: Opened, table: str
) -> None:
    await opened(url)
    options = await options_of(url, table)
    assert int(options["autovacuum_vacuum_threshold"]) <= ROWS_MAX
    assert float(options["autovacuum_vacuum_scale_factor"]) == 0


@pytest.mark.parametrize("table", ["dirty", "copies", "counters", "notes", "nodes", "leads"])
async def test_rows_that_are_written_over_find_room_beside_them(url: str, opened: Opened, table: str) -> None:
    await opened(url)
    assert int((await options_of(url, table))["fillfactor"]) < 100
