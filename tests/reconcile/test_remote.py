"""A hookbridge elsewhere as the place where findings go: what it does not take holds nothing back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hookbridge.clock import anchored_clock
from hookbridge.config import Settings
from hookbridge.errors import SourceUnavailable
from hookbridge.reconcile.loop import Beside, Reconciler
from hookbridge.reconcile.remote import RemoteSink
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.store.sqlite import SqliteStore
from tests.support.followed import Running, Sources, has, plain, running, sources, user
from tests.support.running import make_settings
from tests.support.waiting import wait_until

LIMIT = 64 * 1024
TOO_LARGE = "x" * (2 * LIMIT)


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        yield made


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Running]:
    """The other side: without credentials, so that what it was told shows as it came."""
    async with running(make_settings(tmp_path / "other", server={"max_body_bytes": LIMIT})) as one:
        yield one


class Poller:
    """The reconciler alone, a pass at a time."""

    def __init__(self, reconciler: Reconciler, sink: RemoteSink) -> None:
        self.sink = sink
        self._reconciler = reconciler

    async def sweep(self, table: str) -> int:
        return (await self._reconciler.reconcile("supabase", table, "sweep")).found


@asynccontextmanager
async def polling(settings: Settings, folder: Path, url: str) -> AsyncIterator[Poller]:
    clock = anchored_clock()
    config, secrets = settings.config, settings.secrets
    store = await SqliteStore.open(folder / "poll.db")
    source = SupabaseSource(config.supabase, config.signatures, secrets, store.ticket, clock=clock)
    sink = RemoteSink(url, "", {"supabase": source}, store, clock=clock)
    try:
        yield Poller(
            Reconciler({"supabase": source}, store, sink, config.reconcile, clock, beside=Beside()),
            sink,
        )
    finally:
        await sink.close()
        await source.close()
        await store.close()


async def received(bridge: Running) -> int:
    return (await bridge.service.store.totals()).books.received


async def test_a_row_over_the_other_sides_limit_is_announced_without_its_data(
    both: Sources, bridge: Running, tmp_path: Path
) -> None:
    both.supabase.insert("plain", {"id": 1, "name": TOO_LARGE})
    both.supabase.insert("plain", {"id": 2, "name": "small"})
    async with polling(both.settings(tmp_path), tmp_path, bridge.url) as poller:
        assert await poller.sweep("public.plain") == 2
        await wait_until(has(bridge, plain(2), name="small"))
        assert await received(bridge) == 2
        assert await poller.sweep("public.plain") == 0


async def test_a_row_that_the_other_side_calls_impossible_holds_no_other_one_back(
    both: Sources, tmp_path: Path
) -> None:
    both.supabase.create_table("named", {"id": "text", "name": "text"})
    both.supabase.insert("named", {"id": "x", "name": "no key of two columns"})
    both.supabase.insert("named", {"id": "y,z", "name": "fine"})
    settings = both.settings(tmp_path, supabase={"tables": [{"name": "named"}]})
    otherwise = {"tables": [{"name": "named", "key": ["id", "name"]}]}
    async with (
        running(make_settings(tmp_path / "other", supabase=otherwise)) as bridge,
        polling(settings, tmp_path, bridge.url) as poller,
    ):
        assert await poller.sweep("public.named") == 2
        assert await received(bridge) == 1
        assert poller.sink.refused == 1
        assert await poller.sweep("public.named") == 1  # found again, for as long as it is not taken


async def test_a_row_that_changes_back_and_forth_within_one_time_of_change_is_announced_each_time(
    both: Sources, bridge: Running, tmp_path: Path
) -> None:
    at = both.clock().isoformat()
    async with polling(both.settings(tmp_path), tmp_path, bridge.url) as poller:
        both.supabase.insert("users", {"id": 1, "name": "A", "updated_at": at})
        for name in ("A", "B", "A", "B"):
            both.supabase.update("users", 1, {"name": name, "updated_at": at})
            assert await poller.sweep("public.users") == 1
            await wait_until(has(bridge, user(1), name=name))


async def test_what_was_taken_and_not_noted_is_known_as_a_duplicate(
    both: Sources, bridge: Running, tmp_path: Path
) -> None:
    at = both.clock().isoformat()
    both.supabase.insert("users", {"id": 1, "name": "A", "updated_at": at})
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        async with polling(both.settings(tmp_path), tmp_path / name, bridge.url) as poller:
            assert await poller.sweep("public.users") == 1
    assert await received(bridge) == 1


async def test_a_wrong_path_holds_everything_back(both: Sources, bridge: Running, tmp_path: Path) -> None:
    both.supabase.insert("plain", {"id": 1, "name": "one"})
    async with polling(both.settings(tmp_path), tmp_path, f"{bridge.url}/elsewhere") as poller:
        with pytest.raises(SourceUnavailable, match="answered 404"):
            await poller.sweep("public.plain")
