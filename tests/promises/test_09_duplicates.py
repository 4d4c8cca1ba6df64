"""Rule 9: an event that names itself is stored once; one that cannot is never dropped; a dead one is re-armed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.books import WEBHOOKS, balanced, event, events, hint, send, settled, statistics
from tests.support.handling import Handling
from tests.support.running import Running, make_settings, running

TIMED = hint(1, timestamp="2026-01-01T15:00:00Z", data={"name": "Ada"})
NATIVE = {
    "type": "UPDATE",
    "table": "users",
    "schema": "public",
    "record": {"id": 1, "name": "Ada"},
    "old_record": {"id": 1, "name": "Grace"},
}
NOTION = {
    "id": "5f7c2c1e-0000-4000-8000-000000000001",
    "timestamp": "2026-01-01T15:00:00.000Z",
    "type": "page.content_updated",
    "entity": {"id": "a1b2c3d4-e5f6-4890-abcd-ef1234567890", "type": "page"},
    "data": {"parent": {"id": "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d", "type": "database"}},
    "attempt_number": 1,
}

NAMED: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "the guide's format with a timestamp": ("supabase", TIMED, {}),
    "an idempotency key": ("supabase", hint(1), {"Idempotency-Key": "k1"}),
    "a webhook-id": ("supabase", hint(1), {"webhook-id": "msg_1"}),
    "a native payload with a webhook-id": ("supabase", NATIVE, {"webhook-id": "msg_1"}),
    "Notion's event id": ("notion", NOTION, {}),
    "Notion in the guide's format": ("notion", {**TIMED, "source": "notion"}, {}),
}


async def deliver(service: Running, source: str, body: object, headers: dict[str, str]) -> tuple[int, bool]:
    """Send once; gives the event's id and whether it was known already."""
    answer = await service.post(f"{WEBHOOKS}/{source}", body, headers)
    assert answer.status == 202, await answer.text()
    return int(answer.headers["X-Hookbridge-Event"]), "X-Hookbridge-Duplicate" in answer.headers


@pytest.mark.parametrize("named", NAMED)
async def test_what_names_itself_is_stored_once_while_open_when_applied_and_after_a_restart(
    tmp_path: Path, named: str
) -> None:
    source, body, headers = NAMED[named]
    settings = make_settings(tmp_path)
    async with running(settings, process=False) as service:
        first, known = await deliver(service, source, body, headers)
        assert not known
        assert await deliver(service, source, body, headers) == (first, True)
        assert await balanced(service) == {"received": 1, "open": 1}
    async with running(settings) as service:
        assert await settled(service) == {"received": 1, "applied": 1}
        assert await deliver(service, source, body, headers) == (first, True)
        assert await settled(service) == {"received": 1, "applied": 1}
        assert (await statistics(service))["duplicates"] == 2


async def test_of_many_equal_deliveries_at_once_one_is_stored(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        answers = await asyncio.gather(*[deliver(service, "supabase", TIMED, {}) for _ in range(50)])
        assert len({id_ for id_, _ in answers}) == 1
        assert sum(not known for _, known in answers) == 1
        assert await settled(service) == {"received": 1, "applied": 1}
        assert (await statistics(service))["duplicates"] == 49


@pytest.mark.parametrize("body", [hint(1), NATIVE], ids=["the guide's without a timestamp", "native"])
async def test_what_cannot_name_itself_is_never_dropped(tmp_path: Path, body: dict[str, Any]) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        sent = [await deliver(service, "supabase", body, {}) for _ in range(5)]
        assert len({id_ for id_, _ in sent}) == 5
        assert not any(known for _, known in sent)
        assert await balanced(service) == {"received": 5, "open": 5}
        await service.service.holds.resume("supabase")
        assert await settled(service) == {"received": 5, "applied": 1, "coalesced": 4}  # and cheap


async def test_a_different_body_with_the_same_timestamp_is_another_event(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path), process=False) as service:
        await send(service, TIMED)
        await send(service, {**TIMED, "data": {"name": "Grace"}})
        assert await balanced(service) == {"received": 2, "open": 2}


async def test_a_duplicate_of_a_dead_event_is_processed_again(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    async with running(make_settings(tmp_path, handlers=user.section)) as service:
        user.module.failures += [ValueError()] * 3
        body = {**TIMED, "table_name": user.table}
        first, _ = await deliver(service, "supabase", body, {})
        assert await settled(service) == {"received": 1, "dead": 1}
        assert await deliver(service, "supabase", body, {}) == (first, True)
        assert await settled(service) == {"received": 1, "applied": 1}
        assert (await event(service, first))["outcome"] == "applied"
        assert len(await events(service)) == 1
