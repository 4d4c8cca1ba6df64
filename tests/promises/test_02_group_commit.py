"""Rule 2: appends that arrive together share one transaction; what fails is 503 for exactly its own requests."""

import asyncio
from pathlib import Path

import pytest

from hookbridge.store.sqlite import SqliteStore
from tests.support.books import WEBHOOKS, balanced, hint, send, settled
from tests.support.data import full
from tests.support.running import Running, make_settings, running
from tests.support.taps import Tap

REQUESTS = 200


def groups_of(service: Running) -> list[int]:
    """How many jobs each group has that is written from now on."""
    seen: list[int] = []
    service.service.store.watch_commits(lambda jobs, _: seen.append(jobs))
    return seen


async def test_requests_that_arrive_together_share_their_commits(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        groups = groups_of(service)
        ids = await asyncio.gather(*[send(service, hint(n)) for n in range(REQUESTS)])
        assert len(set(ids)) == REQUESTS
        assert 1 <= len(groups) <= REQUESTS // 4
        assert await balanced(service) == {"received": REQUESTS, "open": REQUESTS}


async def test_settlements_join_the_same_commits(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, processing={"workers": 64, "queue_size": 128})) as service:
        groups = groups_of(service)
        await asyncio.gather(*[send(service, hint(n)) for n in range(REQUESTS)])
        books = await settled(service)
        assert books == {"received": REQUESTS, "applied": REQUESTS}
        # Each event is appended, claimed and settled: three writes, if each were on its own.
        assert len(groups) <= REQUESTS


@pytest.mark.on("sqlite")  # how the other one commits is the server's, and looked at by the tests of that engine
async def test_every_commit_is_on_disk_before_its_acks(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        store = service.service.store
        assert isinstance(store, SqliteStore)
        writer = store._engine._writer
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: a commit returns fsynced
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with Tap(writer).listening() as seen:
            await send(service, hint(1))
            inserted = max(place for place, one in enumerate(seen) if "INSERT INTO events" in one)
            assert "COMMIT" in seen[inserted:]
        assert await balanced(service) == {"received": 1, "open": 1}


async def test_a_commit_that_fails_is_503_for_its_own_requests_and_nobody_elses(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        await send(service, hint("before"))
        big = {"text": "x" * 200_000}
        async with full(service):
            answers = await asyncio.gather(
                *[service.post(f"{WEBHOOKS}/supabase", hint(n, data=big)) for n in range(20)]
            )
        assert {answer.status for answer in answers} == {503}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        assert (await answers[0].json())["error"] == "unavailable"
        assert await balanced(service) == {"received": 1, "open": 1}
        await asyncio.gather(*[send(service, hint(n, data=big)) for n in range(20)])
        assert await balanced(service) == {"received": 21, "open": 21}
