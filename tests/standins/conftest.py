"""Fixtures of the stand-ins' own tests: the recorded exchanges, and stand-ins that are running."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from notion_client import AsyncClient as NotionClient
from supabase import AsyncClient as SupabaseClient
from supabase import AsyncClientOptions, create_async_client

from hookbridge.standins import NotionStandin, PostgrestStandin

RECORDED = Path(__file__).parents[1] / "fixtures" / "supabase"
KEY = "sb_secret_for_tests"
TOKEN = "ntn_for_tests"


def recorded_exchanges() -> list[dict[str, Any]]:
    """The exchanges recorded with a real PostgREST."""
    return list(json.loads((RECORDED / "postgrest_exchanges.json").read_text())["exchanges"])


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 27, 17, 0, 30, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def supabase(clock: Clock) -> AsyncIterator[PostgrestStandin]:
    async with PostgrestStandin(key=KEY, anon_key="sb_publishable_for_tests", clock=clock) as standin:
        yield standin


@pytest.fixture
async def notion(clock: Clock) -> AsyncIterator[NotionStandin]:
    async with NotionStandin(token=TOKEN, clock=clock) as standin:
        yield standin


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60.0) as client:
        yield client


@pytest.fixture
async def supabase_client(supabase: PostgrestStandin) -> AsyncIterator[SupabaseClient]:
    """The real client, with its own retries off."""
    async with httpx.AsyncClient(timeout=60.0) as transport:
        options = AsyncClientOptions(httpx_client=transport, postgrest_client_retry=False)
        yield await create_async_client(supabase.url, KEY, options=options)


@pytest.fixture
async def notion_client(notion: NotionStandin) -> AsyncIterator[NotionClient]:
    """The real client, with its own retries off."""
    async with NotionClient(auth=TOKEN, base_url=notion.url, retry=False) as client:
        yield client
