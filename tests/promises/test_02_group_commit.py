"""Rule 2: appends that arrive together share one transaction; what fails is 503 for exactly its own requests."""

import asyncio
import sqlite3
from pathlib import Path

from hookbridge.store.sqlite import SqliteStore
from tests.support.books import WEBHOOKS, balanced, hint, send, settled
from tests.support.running import Running, make_settings, running
from tests.support.taps import Tap

REQUESTS = 200


def writer(service: Running) -> sqlite3.Connection:
    """The one connection that writes."""
    store = service.service.store
    assert isinstance(store, SqliteStore)
    return store._engine._writer


async def test_requests_that_arrive_together_share_their_commits(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        with Tap(writer(service)).listening() as seen:
            ids = await asyncio.gather(*[send(service, hint(n)) for n in range(REQUESTS)])
        assert len(set(ids)) == REQUESTS
        commits = seen.count("COMMIT")
        assert 1 <= commits <= REQUESTS // 4
        assert await balanced(service) == {"received": REQUESTS, "open": REQUESTS}


async def test_settlements_join_the_same_commits(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, processing={"workers": 64, "queue_size": 128})) as service:
        with Tap(writer(service)).listening() as seen:
            await asyncio.gather(*[send(service, hint(n)) for n in range(REQUESTS)])
            books = await settled(service)
        assert books == {"received": REQUESTS, "applied": REQUESTS}
        # Each event is appended, claimed and settled: three writes, if each were on its own.
        assert seen.count("COMMIT") <= REQUESTS


async def test_every_commit_is_on_disk_before_its_acks(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        assert writer(service).execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: a commit returns fsynced
        assert writer(service).execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with Tap(writer(service)).listening() as seen:
            await send(service, hint(1))
            inserted = max(place for place, one in enumerate(seen) if "INSERT INTO events" in one)
            assert "COMMIT" in seen[inserted:]
        assert await balanced(service) == {"received": 1, "open": 1}


async def test_a_commit_that_fails_is_503_for_its_own_requests_and_nobody_elses(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        await send(service, hint("before"))
        (pages,) = writer(service).execute("PRAGMA page_count").fetchone()
        writer(service).execute(f"PRAGMA max_page_count = {pages}")
        big = {"text": "x" * 200_000}
        answers = await asyncio.gather(*[service.post(f"{WEBHOOKS}/supabase", hint(n, data=big)) for n in range(20)])
        assert {answer.status for answer in answers} == {503}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        assert (await answers[0].json())["error"] == "unavailable"
        assert await balanced(service) == {"received": 1, "open": 1}
        writer(service).execute("PRAGMA max_page_count = 1073741823")
        await asyncio.gather(*[send(service, hint(n, data=big)) for n in range(20)])
        assert await balanced(service) == {"received": 21, "open": 21}
