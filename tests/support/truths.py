"""A Supabase project with a table of users, and settings that read it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hookbridge.config import Settings
from hookbridge.standins import PostgrestStandin
from tests.support.running import Client, make_settings

KEY = "sb_secret_for_tests"


@asynccontextmanager
async def project(users: int = 0) -> AsyncIterator[PostgrestStandin]:
    """A project with so many users, numbered from 1, each called `user N`."""
    async with PostgrestStandin(key=KEY) as supabase:
        supabase.create_table("users", {"id": "bigint", "name": "text"})
        supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(1, users + 1)])
        yield supabase


def settings_for(supabase: PostgrestStandin, folder: Path, **sections: dict[str, Any]) -> Settings:
    """Settings with the project's credentials; a lane probes within hundredths of a second."""
    processing = {"probe_max_seconds": 0.05, **sections.pop("processing", {})}
    secrets = {"supabase_url": supabase.url, "supabase_key": KEY}
    return make_settings(folder, secrets=secrets, processing=processing, **sections)


async def lane(service: Client, source: str = "supabase") -> dict[str, Any]:
    """The state of a lane, as ``/readyz`` shows it to an operator."""
    answer = await service.get("/readyz")
    found: dict[str, Any] = next(one for one in (await answer.json())["lanes"] if one["source"] == source)
    return found


async def record(service: Client, id_: object, *, table: str = "users") -> dict[str, Any] | None:
    """The record as the API gives it; None when there is none."""
    answer = await service.get(f"/api/v1/records/supabase/{table}/{id_}")
    if answer.status == 404:
        return None
    found: dict[str, Any] = (await answer.json())["data"]
    return found
