"""A service that follows tables of both stand-ins, without any webhook."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from hookbridge.config import Settings
from hookbridge.model import Copy, RecordKey
from hookbridge.standins import NotionStandin, PostgrestStandin
from tests.support.running import Running, make_settings, running

KEY = "sb_secret_for_tests"
TOKEN = "ntn_for_tests"
COLUMNS = {"id": "bigint", "name": "text", "updated_at": "timestamptz"}
SCHEMA = {"Name": "title", "Status": "select"}

QUICK = {
    "poll_seconds": 0.05,
    "poll_seconds_max": 0.1,
    "sweep_seconds": 0.2,
    "sweep_requests_per_second": 1000.0,
    "grace_seconds": 0.2,
}
"""Gaps that a test can wait for."""


class Shifted:
    """The real time, moved."""

    def __init__(self) -> None:
        self.by = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


class Sources:
    """Both stand-ins, each with a table."""

    def __init__(self, supabase: PostgrestStandin, notion: NotionStandin, clock: Shifted) -> None:
        self.supabase = supabase
        self.notion = notion
        self.clock = clock
        supabase.create_table("users", COLUMNS, changed_at="updated_at")
        supabase.create_table("plain", {"id": "bigint", "name": "text"})
        self.database = notion.create_database("Tasks", SCHEMA)
        (self.data_source,) = notion.data_source_ids(self.database)

    def settings(
        self, folder: Path, *, databases: tuple[str, ...] | None = None, **sections: Mapping[str, Any]
    ) -> Settings:
        """Settings that follow all of it."""
        tables = [{"name": "users", "changed_at": "updated_at"}, {"name": "plain"}]
        given: dict[str, Mapping[str, Any]] = {
            "supabase": {"tables": tables},
            "notion": {
                "base_url": self.notion.url,
                "databases": [{"id": one} for one in databases or (self.database,)],
                "requests_per_second": 1000.0,
            },
            "reconcile": QUICK,
        }
        merged = {name: {**given.get(name, {}), **sections.get(name, {})} for name in {*given, *sections}}
        secrets = {"supabase_url": self.supabase.url, "supabase_key": KEY, "notion_token": TOKEN}
        return make_settings(folder, secrets=secrets, **merged)


@asynccontextmanager
async def sources(clock: Shifted | None = None, *, result_limit: int = 10_000) -> AsyncIterator[Sources]:
    """Start both stand-ins; ``result_limit`` is the most that one query of Notion's gives out."""
    shifted = clock or Shifted()
    async with (
        PostgrestStandin(key=KEY, clock=shifted) as supabase,
        NotionStandin(token=TOKEN, clock=shifted, result_limit=result_limit) as notion,
    ):
        yield Sources(supabase, notion, shifted)


def user(id_: int) -> RecordKey:
    return RecordKey("supabase", "public.users", str(id_))


def plain(id_: int) -> RecordKey:
    return RecordKey("supabase", "public.plain", str(id_))


async def copied(running_: Running, record: RecordKey) -> dict[str, Any] | None:
    """Give the copy's columns as the store has them, without reading through."""
    copy: Copy | None = await running_.service.store.copy(record)
    return None if copy is None or copy.data is None else msgspec.json.decode(copy.data)


def has(running_: Running, record: RecordKey, **columns: object) -> Callable[[], Any]:
    """Give the condition that the copy has these columns."""

    async def condition() -> bool:
        found = await copied(running_, record)
        return found is not None and all(found.get(name) == value for name, value in columns.items())

    return condition


def gone(running_: Running, record: RecordKey) -> Callable[[], Any]:
    """Give the condition that there is no copy."""

    async def condition() -> bool:
        return await copied(running_, record) is None

    return condition


def loaded(running_: Running) -> bool:
    """Whether every backfill is complete, and the first poll behind it."""
    tables = running_.service.reconciler.tables.values()
    return all(table.sweep.state.loaded and (table.poll.state.completed_at or not table.polled) for table in tables)


__all__ = ["Running", "Shifted", "Sources", "copied", "gone", "has", "loaded", "plain", "running", "sources", "user"]
