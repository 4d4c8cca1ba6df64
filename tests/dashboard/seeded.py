"""A store that looks as after some days of work: 100,000 events of 1 KB, three followed tables, all copies true.

The service itself loads the copies from the stand-in; the events are written into the file of the stopped service, in
one go, with the books that belong to them.
"""

import asyncio
import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hookbridge.config import Settings
from hookbridge.standins import PostgrestStandin
from tests.support.followed import KEY, loaded
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

EVENTS = 100_000
TABLES = {"orders": 1500, "customers": 400, "invoices": 100}
DEAD_EVERY = 50
DEAD = EVENTS // DEAD_EVERY
NEEDLE = "zanzibar"
"""A word that only the oldest events have: these many."""
NEEDLES = 3
CITIES = ("Rotterdam", "Delft", "Bonn", "Łódź", "São Paulo")
PADDING = "Call before delivery, the gate is closed after six. " * 15


class Seeded(NamedTuple):
    """The file, and what the source's rows are."""

    store: Path
    rows: dict[str, list[dict[str, Any]]]


def seed(folder: Path) -> Seeded:
    """Make it."""
    rows = {name: [_row(name, number) for number in range(1, size + 1)] for name, size in TABLES.items()}
    asyncio.run(_load(folder, rows))
    store = folder / "data" / "hookbridge.db"
    connection = sqlite3.connect(store)
    with connection:
        _write(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return Seeded(store, rows)


@asynccontextmanager
async def serving(seeded: Seeded, folder: Path) -> AsyncIterator[tuple[Running, PostgrestStandin]]:
    """Serve a copy of it, with the source beside it."""
    async with _source(seeded.rows) as supabase:
        settings = _settings(folder, supabase)
        settings.data_file.parent.mkdir()
        shutil.copy(seeded.store, settings.data_file)
        async with running(settings) as service:
            yield service, supabase


def _row(table: str, number: int) -> dict[str, Any]:
    at = f"2026-01-{number % 28 + 1:02}T12:00:00+00:00"
    return {"id": number, "name": f"{table[:-1]} {number}", "city": CITIES[number % len(CITIES)], "updated_at": at}


@asynccontextmanager
async def _source(rows: dict[str, list[dict[str, Any]]]) -> AsyncIterator[PostgrestStandin]:
    async with PostgrestStandin(key=KEY) as supabase:
        for name, some in rows.items():
            columns = {"id": "bigint", "name": "text", "city": "text", "updated_at": "timestamptz"}
            supabase.create_table(name, columns, changed_at="updated_at")
            supabase.insert_many(name, some)
        yield supabase


def _settings(folder: Path, supabase: PostgrestStandin) -> Settings:
    return make_settings(
        folder,
        secrets={"supabase_url": supabase.url, "supabase_key": KEY},
        supabase={"tables": [{"name": name, "changed_at": "updated_at"} for name in TABLES], "timeout_seconds": 5.0},
        reconcile={"sweep_requests_per_second": 1000.0},
        processing={"probe_max_seconds": 0.2},
    )


async def _load(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    async with _source(rows) as supabase, running(_settings(folder, supabase)) as service:
        await wait_until(lambda: loaded(service))


def _events(now: float) -> Iterator[tuple[Any, ...]]:
    names = list(TABLES)
    for number in range(1, EVENTS + 1):
        table = names[number % len(names)]
        record = number * 7 % TABLES[table] + 1
        note = f"{NEEDLE if number <= NEEDLES else number} {PADDING}"
        data = {**_row(table, record), "amount": 9007199254740993, "note": note}
        named = {"event_type": "update", "source": "supabase", "table_name": table, "record_id": str(record)}
        outcome, reason = _ending(number)
        at = now - 3600 - (EVENTS - number) * 2.0
        yield (
            number, "supabase", f"supabase:public.{table}:{record}", "update", "guide", "webhook", at,
            json.dumps({**named, "data": data}, ensure_ascii=False).encode(), outcome, reason,
            "verified" if outcome == "applied" else None, 3 if outcome == "dead" else 1,
            at + 0.05, at + 0.003, at + 0.01, at + 0.04, b'{"content-type": "application/json"}',
        )  # fmt: skip


def _ending(number: int) -> tuple[str, str | None]:
    if number % DEAD_EVERY == 0:
        return "dead", "HandlerFailed: the mail server did not answer"
    if number % 25 == 1 and number > NEEDLES:
        return "ignored", "a table that nobody follows"
    return ("coalesced" if number % 10 == 3 and number > NEEDLES else "applied"), None


_INSERT = """
INSERT INTO events (id, source, record, type, format, origin, received_at, body, outcome, reason, verification,
                    attempts, settled_at, stored_at, claimed_at, verified_at, headers)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def _write(connection: sqlite3.Connection) -> None:
    connection.executemany(_INSERT, _events(time.time()))
    books = Counter(_ending(number)[0] for number in range(1, EVENTS + 1))
    counters = {
        **books,
        "received": EVENTS,
        "processed": books["applied"] + books["coalesced"],
        "failed": books["dead"],
        "type:update": EVENTS,
        "source:supabase": EVENTS,
        "received:supabase:webhook": EVENTS,
    }
    connection.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?)", counters.items())
