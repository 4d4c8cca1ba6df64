"""A hookbridge elsewhere as the place where findings go: what it does not take holds nothing back."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from hookbridge.clock import Clock, anchored_clock
from hookbridge.config import Settings
from hookbridge.errors import SourceUnavailable
from hookbridge.model import RecordKey
from hookbridge.naming import Naming
from hookbridge.reconcile.loop import Beside, Reconciler
from hookbridge.reconcile.remote import RemoteSink
from hookbridge.sources.supabase import SupabaseSource
from tests.support.engines import opened_file
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
async def polling(
    settings: Settings, folder: Path, url: str, secret: str = "", clock: Clock | None = None
) -> AsyncIterator[Poller]:
    clock = clock or anchored_clock()
    config, secrets = settings.config, settings.secrets
    store = await opened_file(folder / "poll.db")
    source = SupabaseSource(config.supabase, config.signatures, secrets, store.ticket, clock=clock)
    sink = RemoteSink(url, secret, {"supabase": source}, store, clock=clock)
    try:
        by_hand = msgspec.structs.replace(config.reconcile, enabled=False)
        reconciler = Reconciler({"supabase": source}, store, sink, by_hand, clock, Naming(store), beside=Beside())
        await reconciler.follow("supabase", None)
        yield Poller(reconciler, sink)
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


NO_TIMES = [
    ("timestamptz", "infinity"),
    ("timestamptz", "-infinity"),
    ("timestamptz", "10000-01-01T00:00:00+00:00"),
    ("timestamptz", "0044-03-15T12:00:00+00:00 BC"),
    ("date", "infinity"),
    ("text", "yesterday"),
    ("text", ""),
    ("bigint", 7),
]


@pytest.fixture(params=NO_TIMES, ids=lambda given: f"{given[0]} {given[1]}")
def odd(both: Sources, request: pytest.FixtureRequest) -> object:
    """A value of the change column of ``odd`` that is no time as ISO 8601 has them, as the database writes it."""
    type_, value = request.param
    both.supabase.create_table("odd", {"id": "bigint", "name": "text", "at": type_})
    return value


def odd_row(id_: int) -> RecordKey:
    return RecordKey("supabase", "public.odd", str(id_))


async def test_a_row_whose_change_column_holds_no_time_is_announced_as_any_other(
    both: Sources, bridge: Running, tmp_path: Path, odd: object
) -> None:
    settings = both.settings(tmp_path, supabase={"tables": [{"name": "odd", "changed_at": "at"}]})
    both.supabase.insert("odd", {"id": 1, "name": "A", "at": odd})
    async with polling(settings, tmp_path, bridge.url) as poller:
        for name in ("A", "B", "A"):
            both.supabase.update("odd", 1, {"name": name})
            assert (await poller.sweep("public.odd"), poller.sink.refused) == (1, 0)
            await wait_until(has(bridge, odd_row(1), name=name, at=odd))
        assert await poller.sweep("public.odd") == 0


@pytest.mark.parametrize("secret", ["", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjzw"])
async def test_a_poller_that_has_lost_its_memory_is_not_taken_for_one_that_repeats_itself(
    both: Sources, tmp_path: Path, secret: str
) -> None:
    """Its body is the same as the first one's, and what is there has changed since: no time tells the two apart."""
    other = make_settings(tmp_path / "other", secrets={"webhook_secrets": (secret,)} if secret else {})
    both.supabase.insert("users", {"id": 1, "name": "A", "updated_at": "infinity"})
    settings = both.settings(tmp_path)
    async with running(other) as bridge:
        for state, name in (("first", "A"), ("first", "B"), ("second", "A")):
            both.supabase.update("users", 1, {"name": name, "updated_at": "infinity"})
            (tmp_path / state).mkdir(exist_ok=True)
            async with polling(settings, tmp_path / state, bridge.url, secret) as poller:
                assert (await poller.sweep("public.users"), poller.sink.refused) == (1, 0)
            await wait_until(has(bridge, user(1), name=name))


async def test_a_time_comes_and_goes_in_a_change_column_and_every_change_is_applied(
    both: Sources, bridge: Running, tmp_path: Path
) -> None:
    both.supabase.insert("users", {"id": 1, "name": "0"})
    async with polling(both.settings(tmp_path), tmp_path, bridge.url) as poller:
        for number, at in enumerate(
            ("infinity", "2026-01-01T00:00:00+00:00", "-infinity", "2025-01-01T00:00:00+00:00")
        ):
            both.supabase.update("users", 1, {"name": f"{number}", "updated_at": at})
            assert (await poller.sweep("public.users"), poller.sink.refused) == (1, 0)
            await wait_until(has(bridge, user(1), name=f"{number}"))


async def test_what_a_poller_signs_whose_clock_was_set_back_is_taken(both: Sources, tmp_path: Path) -> None:
    """Its own clock never goes back; the other side verifies by the machine's."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjzw"
    both.supabase.insert("users", {"id": 1, "name": "A"})
    other = make_settings(tmp_path / "other", secrets={"webhook_secrets": (secret,)}, signatures={"verify": True})
    ahead = anchored_clock(lambda: time.time() + 86_400.0)
    async with (
        running(other) as bridge,
        polling(both.settings(tmp_path), tmp_path, bridge.url, secret, ahead) as poller,
    ):
        assert await poller.sweep("public.users") == 1
        await wait_until(has(bridge, user(1), name="A"))
