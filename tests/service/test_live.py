"""What is known of the last hours, and a record that is read because somebody asks."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hookbridge.observe import rejections
from hookbridge.standins import PostgrestStandin
from tests.support.books import settled
from tests.support.data import sampled
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.signing import webhook_signature
from tests.support.waiting import wait_until

SUPABASE = "/api/v1/webhooks/supabase"
SECRET = "a-webhook-secret-for-tests"
HINT = b'{"event_type":"update","source":"supabase","table_name":"users","record_id":"1","data":{"id":1}}'


@pytest.fixture
async def signed(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that wants signatures."""
    settings = make_settings(tmp_path, secrets={"webhook_secrets": (SECRET,)}, signatures={"verify": True})
    async with asyncio.timeout(60), running(settings) as one:
        yield one


async def rejected(client: Running, query: str = "") -> list[dict[str, Any]]:
    page = await (await client.get(f"/api/v1/rejected{query}")).json()
    return list(page["rejected"])


async def test_a_refused_webhook_is_listed_with_its_reason_and_without_its_words(signed: Running) -> None:
    broken = b'{"source": "supabase", "secret": "do-not-keep"}'
    await signed.post(SUPABASE, HINT, {"X-Webhook-Signature": "sha256=do-not-keep"})
    await signed.post(SUPABASE, broken, webhook_signature(broken, SECRET))
    await signed.post(SUPABASE, HINT, webhook_signature(HINT, SECRET))
    found = await rejected(signed)
    assert [(one["status"], one["reason"], one["bytes"]) for one in found] == [
        (422, "invalid_fields", len(broken)),
        (401, "invalid_signature", len(HINT)),
    ]
    assert found[1]["message"] != "Webhook signature verification failed", "an operator is told more than a sender"
    assert found[0]["peer"] == "127.0.0.1"
    assert "do-not-keep" not in str(found)


async def test_rejections_are_filtered_and_paged(signed: Running) -> None:
    for _ in range(3):
        await signed.post(SUPABASE, HINT)
    await signed.post("/api/v1/webhooks/notion", b"{")
    assert len(await rejected(signed, f"?endpoint={SUPABASE}")) == 3
    assert await rejected(signed, "?reason=invalid_json") == []
    first = await (await signed.get("/api/v1/rejected?limit=3")).json()
    rest = await (await signed.get(f"/api/v1/rejected?cursor={first['next_cursor']}")).json()
    assert [one["id"] for one in (*first["rejected"], *rest["rejected"])] == [4, 3, 2, 1]
    assert rest["next_cursor"] is None


async def test_a_flood_of_them_is_bounded(signed: Running) -> None:
    kept = signed.service.rejections
    for _ in range(rejections.KEPT_MAX + 100):
        kept.note(SUPABASE, 401, "invalid_signature", "x" * 10_000, peer=None, length=None)
    latest = list(kept.latest())
    assert len(latest) == rejections.KEPT_MAX
    assert latest[0].id == rejections.KEPT_MAX + 100
    assert len(latest[0].message) == rejections.TEXT_MAX


async def test_the_history_is_asked_for_hours_that_there_are(client: Running) -> None:
    hour = await (await client.get("/api/v1/history")).json()
    assert (hour["hours"], hour["samples"], hour["per_second"]) == (1, [], None)
    day = await (await client.get("/api/v1/history?hours=24")).json()
    assert (day["hours"], day["samples"]) == (24, [])
    assert (await client.get("/api/v1/history?hours=2")).status == 422


async def test_a_step_of_the_history_counts_what_was_applied(tmp_path: Path) -> None:
    ahead = 0.0
    async with running(make_settings(tmp_path), clock=lambda: time.time() + ahead) as client:
        await client.post(SUPABASE, HINT)
        await settled(client)
        history = client.service.history
        await history.sample()
        ahead = 10.0
        await history.sample()
        answer = await (await client.get("/api/v1/history")).json()
    (sample,) = answer["samples"]
    assert sample["open"] == 0
    assert sample["step_seconds"] >= 10.0
    assert answer["per_second"]["received"] == round(sample["received"] / sample["step_seconds"], 3)


@pytest.mark.parametrize("hours", [1, 24])
async def test_the_history_of_before_a_restart_is_there_after_it(tmp_path: Path, hours: int) -> None:
    settings = make_settings(tmp_path)
    began = await sampled(settings, minutes=3)
    async with running(settings) as client:
        await client.post(SUPABASE, HINT)
        await settled(client)
    samples: list[dict[str, Any]] = []
    async with running(settings) as client:

        async def told() -> bool:
            answer = await (await client.get(f"/api/v1/history?hours={hours}")).json()
            samples[:] = answer["samples"]
            return bool(sum(one["applied"] for one in samples))

        await wait_until(told)
    assert [sum(one[name] for one in samples) for name in ("received", "applied")] == [1, 1]
    first = datetime.fromisoformat(samples[0]["at"]).timestamp() - samples[0]["step_seconds"]
    assert first == pytest.approx(began, abs=0.01)
    assert sum(one["step_seconds"] for one in samples) >= 180.0, "without a gap"


async def test_a_record_is_read_because_somebody_asks(tmp_path: Path) -> None:
    key = "sb_secret_for_tests"
    async with asyncio.timeout(60), PostgrestStandin(key=key) as supabase:
        supabase.create_table("users", {"id": "bigint", "name": "text"})
        supabase.insert("users", {"id": 1, "name": "Ada"})
        settings = make_settings(tmp_path, secrets={"supabase_url": supabase.url, "supabase_key": key})
        async with running(settings) as client:
            answer = await client.post("/api/v1/records/supabase/users/1/verify", b"", ADMIN)
            assert answer.status == 202
            event_id = (await answer.json())["event_id"]

            async def applied() -> bool:
                event = await (await client.get(f"/api/v1/events/{event_id}")).json()
                return (event["outcome"], event["verification"], event["origin"]) == ("applied", "verified", "replay")

            await wait_until(applied)
            found = await (await client.get("/api/v1/search?q=ada")).json()
            assert [hit["id"] for hit in found["hits"]] == ["1"]


@pytest.mark.parametrize(
    ("record", "hint"),
    [
        ("supabase/users/1", "set SUPABASE_URL and SUPABASE_KEY"),
        ("notion/e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d/a1b2c3d4-e5f6-4890-abcd-ef1234567890", "set NOTION_TOKEN"),
    ],
)
async def test_a_record_that_nobody_can_read_is_not_asked_for(client: Running, record: str, hint: str) -> None:
    path = f"/api/v1/records/{record}"
    asked = [client.post(f"{path}/verify", b"", ADMIN), client.get(f"{path}?fresh=1"), client.get(f"{path}/diff")]
    for answer in await asyncio.gather(*asked):
        said = await answer.json()
        assert (answer.status, said["error"], said["hint"]) == (502, "source_refused", hint)
    assert (await client.service.store.totals()).books.received == 0


async def test_the_budget_of_notion_is_shown_to_operators(client: Running) -> None:
    ready = await (await client.get("/readyz")).json()
    assert ready["notion_budget"] == {"requests_per_second": 3.0, "left": 3, "waiting": 0, "halted_seconds": 0.0}
    client.service.notion_budget.halt(100)
    ready = await (await client.get("/readyz")).json()
    assert ready["notion_budget"]["left"] == 0
    assert ready["notion_budget"]["halted_seconds"] > 0
