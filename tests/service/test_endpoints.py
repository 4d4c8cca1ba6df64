"""The senders' endpoints: what is accepted, and the one answer that every refusal has."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.support.running import ADMIN, JSON, Running, make_settings, running
from tests.support.signing import notion_signature, webhook_signature
from tests.support.waiting import wait_until

SUPABASE = "/api/v1/webhooks/supabase"
NOTION = "/api/v1/webhooks/notion"
HINT: dict[str, Any] = {
    "event_type": "insert",
    "source": "supabase",
    "table_name": "users",
    "record_id": "42",
    "data": {"id": 42, "name": "Ada Lovelace"},
    "timestamp": "2026-01-01T15:00:00Z",
}


async def test_every_wrong_field_is_listed(client: Running) -> None:
    answer = await client.post(SUPABASE, {"event_type": "upsert", "source": "supabase", "data": 1, "timestamp": "now"})
    assert answer.status == 422
    detail = (await answer.json())["detail"]
    assert {tuple(one["loc"]) for one in detail} == {
        ("body", "event_type"),
        ("body", "table_name"),
        ("body", "record_id"),
        ("body", "data"),
        ("body", "timestamp"),
    }
    missing = next(one for one in detail if one["loc"] == ["body", "record_id"])
    assert missing == {"loc": ["body", "record_id"], "msg": "field required", "type": "value_error.missing"}


async def test_the_wrong_endpoint_is_named(client: Running) -> None:
    answer = await client.post(SUPABASE, HINT | {"source": "notion"})
    body = await answer.json()
    assert (answer.status, body["error"], body["expected"], body["received"]) == (
        400,
        "invalid_source",
        "supabase",
        "notion",
    )


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"", b'{"a": NaN}', b"[" * 100_000])
async def test_what_is_not_json_is_refused_as_such(client: Running, body: bytes) -> None:
    answer = await client.post(SUPABASE, body)
    assert (answer.status, (await answer.json())["error"]) == (400, "invalid_json")


async def test_other_media_types_are_refused(client: Running) -> None:
    answer = await client.post(SUPABASE, b"a=1", {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 415
    assert "error" in await answer.json()


async def test_a_body_over_the_limit_is_refused_whole(client: Running) -> None:
    limit = client.service.settings.config.server.max_body_bytes
    body = io.BytesIO(b'"' + b"a" * limit + b'"')
    answer = await client.http.post(SUPABASE, data=body, headers=JSON)
    assert (answer.status, (await answer.json())["error"]) == (413, "payload_too_large")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", SUPABASE, 405)])
async def test_paths_and_methods_that_are_not_there_are_json_too(
    client: Running, method: str, path: str, status: int
) -> None:
    answer = await client.http.request(method, path)
    assert answer.status == status
    assert "error" in await answer.json()
    assert status != 405 or answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": "INSERT"},
        {"record_id": 42},
        {"timestamp": None},
        {"metadata": {"schema": "public", "extra": 1}},
        {"data": None},
    ],
)
async def test_what_real_triggers_send_is_accepted(client: Running, change: dict[str, Any]) -> None:
    answer = await client.post(SUPABASE, HINT | change)
    assert answer.status == 202
    assert (await answer.json())["details"]["event_type"] == "insert"


async def test_what_was_accepted_is_copied_and_found(client: Running) -> None:
    answer = await client.post(SUPABASE, HINT)
    event_id = answer.headers["X-Hookbridge-Event"]

    async def applied() -> bool:
        event = await (await client.get(f"/api/v1/events/{event_id}")).json()
        return bool(event["outcome"] == "applied")

    await wait_until(applied)
    record = await (await client.get("/api/v1/records/supabase/users/42")).json()
    assert record["data"] == {"id": 42, "name": "Ada Lovelace"}
    found = await (await client.get("/api/v1/search?q=lovelace")).json()
    assert "42" in str(found)
    for text, hits in (('"ada love"', 0), ('"ada lovelace"', 1), ("ada -lovelace", 0), ("-ada", 0), ("ADA löv", 1)):
        found = await (await client.get(f"/api/v1/search?q={quote(text)}")).json()
        assert (len(found["hits"]), found["complete"], found["indexing"]) == (hits, True, None), text
    assert (await (await client.get("/readyz")).json())["indexing"] is None


async def test_a_duplicate_is_acknowledged_as_one(client: Running) -> None:
    first = await client.post(SUPABASE, HINT)
    second = await client.post(SUPABASE, HINT)
    assert second.status == 202
    assert second.headers["X-Hookbridge-Duplicate"] == "true"
    assert second.headers["X-Hookbridge-Event"] == first.headers["X-Hookbridge-Event"]
    trial = await client.post("/api/v1/webhooks/test", HINT)
    body = await trial.json()
    assert body["would_be_processed"] is False
    assert "duplicate" in body["reason"]


TRIAL = "/api/v1/webhooks/test"
OURS, NOTIONS = "a-secret-of-supabase", "secret_a-token-of-notion"


@pytest.fixture
async def verifying(tmp_path: Path) -> AsyncIterator[Running]:
    secrets = {"webhook_secrets": (OURS,), "notion_webhook_secrets": (NOTIONS,)}
    async with running(make_settings(tmp_path, secrets=secrets, signatures={"verify": True})) as client:
        yield client


@pytest.mark.parametrize("body", [b"no JSON", b"[" * 1_000, b'{"source": "mongo"}', b'{"verification_token": 1}'])
@pytest.mark.parametrize("query", ["", "?source=supabase", "?source=notion"])
async def test_the_test_endpoint_tells_a_stranger_nothing_of_a_body(
    verifying: Running, body: bytes, query: str
) -> None:
    for headers in ({}, {"X-Webhook-Signature": "0" * 64}, {"X-Notion-Signature": "sha256=" + "0" * 64}):
        answer = await verifying.post(TRIAL + query, body, headers)
        assert (answer.status, (await answer.json())["error"]) == (401, "invalid_signature")


async def test_the_test_endpoint_asks_for_a_signature_that_the_payloads_own_source_takes(verifying: Running) -> None:
    hint = msgspec.json.encode(HINT)
    page = msgspec.json.encode(HINT | {"source": "notion"})
    for body, headers, status in (
        (hint, webhook_signature(hint, OURS), 200),
        (page, webhook_signature(page, OURS), 200),
        (page, notion_signature(page, NOTIONS), 200),
        (hint, notion_signature(hint, NOTIONS), 401),
        (hint, webhook_signature(page, OURS), 401),
    ):
        answer = await verifying.post(TRIAL, body, headers)
        assert answer.status == status, (body, headers)


async def test_the_test_endpoint_takes_what_its_endpoint_takes_halves_of_characters_too(verifying: Running) -> None:
    body = msgspec.json.encode(HINT | {"data": {"id": 42, "name": "cut "}}).replace(b"cut ", rb"cut \ud83d")
    for headers in (webhook_signature(body, OURS), ADMIN):
        answer = await verifying.post(TRIAL, body, headers)
        assert (answer.status, (await answer.json())["parsed_payload"]["data"]["name"]) == (200, "cut �")


async def test_the_first_handshake_is_kept_and_shown_and_another_one_refused(client: Running) -> None:
    first = await client.post(NOTION, {"verification_token": "secret_first-of-notion"})
    assert first.status == 200
    second = await client.post(NOTION, {"verification_token": "secret_second-of-notion"})
    assert (second.status, (await second.json())["error"]) == (409, "handshake_refused")
    shown = await (await client.get("/api/v1/notion/verification-token")).json()
    assert shown["verification_token"] == "secret_first-of-notion"
    forgotten = await client.http.delete("/api/v1/notion/verification-token", headers=ADMIN)
    assert forgotten.status == 204
    assert (await client.post(NOTION, {"verification_token": "secret_second-of-notion"})).status == 200


async def test_an_event_that_carries_no_page_is_stored_and_ignored(client: Running) -> None:
    answer = await client.post(
        NOTION,
        {
            "id": "367cba44-b6f3-4c92-81e7-6a2e9659efd4",
            "timestamp": "2026-01-01T15:00:00.000Z",
            "type": "comment.created",
            "entity": {"id": "153104cd-477e-809d-8dc4-ff2d96ae3090", "type": "comment"},
            "data": {"page_id": "0ef104cd-477e-80e1-8571-cfd10e92339a"},
        },
    )
    assert answer.status == 202
    event = await (await client.get(f"/api/v1/events/{answer.headers['X-Hookbridge-Event']}")).json()
    assert (event["outcome"], event["reason"]) == ("ignored", "comment.created carries no page to read")


async def test_chunked_bodies_are_read_whole(client: Running) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"event_type": "insert", "source": "supabase", '
        yield b'"table_name": "users", "record_id": "7"}'

    answer = await client.http.post(SUPABASE, data=chunks(), headers=JSON)
    assert answer.status == 202
