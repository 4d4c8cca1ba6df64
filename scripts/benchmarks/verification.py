"""Rows verified a second: batched by the service's reader, against one request for each row with the same client."""

import asyncio
import os
import statistics
import time

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.model import RecordKey
from hookbridge.sources.source import unordered
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.sources.supabase.client import SupabaseClient
from scripts.benchmarks.machine import SERVER_CORE
from scripts.benchmarks.row import Options, Row, at_least
from scripts.benchmarks.sources import KEY, sources

AT_ONCE = 256
"""As many workers as a lane has."""


def measure(options: Options) -> list[Row]:
    """Let both ways take turns."""
    batched, single = [], []
    with sources(rows=options.verified_rows) as running, _OnTheServersCore():
        for _ in range(options.rounds):
            batched.append(asyncio.run(_batched(running.supabase_url, options.verified_rows)))
            single.append(asyncio.run(_single(running.supabase_url, max(200, options.verified_rows // 10))))
    return [
        at_least(
            "verification, against a read an event", statistics.median(batched), statistics.median(single), 50, "rows/s"
        )
    ]


class _OnTheServersCore:
    """Pins the benchmark itself, which is what is measured here."""

    def __enter__(self) -> None:
        self._before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        if self._before is not None:
            os.sched_setaffinity(0, {SERVER_CORE})

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            os.sched_setaffinity(0, self._before)


async def _batched(url: str, rows: int) -> float:
    secrets = Secrets(supabase_url=url, supabase_key=KEY)
    source = SupabaseSource(SupabaseConfig(), SignaturesConfig(), secrets, unordered)
    await source.read(RecordKey("supabase", "public.users", "0"))
    began = time.perf_counter()
    numbers = iter(range(rows))

    async def worker() -> None:
        for number in numbers:
            await source.read(RecordKey("supabase", "public.users", str(number)))

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    took = time.perf_counter() - began
    await source.close()
    return rows / took


async def _single(url: str, rows: int) -> float:
    client = SupabaseClient(url, KEY, 10.0)
    ask = client._sdk.schema("public").table  # noqa: SLF001  the very same client, used as its manual shows
    await ask("users").select("*").eq("id", 0).execute()
    began = time.perf_counter()
    numbers = iter(range(rows))

    async def worker() -> None:
        for number in numbers:
            await ask("users").select("*").eq("id", number).execute()

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    took = time.perf_counter() - began
    await client.close()
    return rows / took
