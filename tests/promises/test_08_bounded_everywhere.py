"""Rule 8: every quantity has a bound, and at the bound a request is refused whole."""

import asyncio
from pathlib import Path

import pytest

from tests.support.books import WEBHOOKS, balanced, hint, send, settled, statistics
from tests.support.data import disk_gets_low
from tests.support.handling import Handling
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.truths import lane
from tests.support.waiting import wait_until


async def refused(service: Running, body: object) -> tuple[int, str, bool]:
    """How a webhook is refused: status, error, and whether it says when to come back."""
    answer = await service.post(f"{WEBHOOKS}/supabase", body)
    return answer.status, (await answer.json())["error"], int(answer.headers.get("Retry-After", 0)) > 0


async def test_a_body_over_the_limit_is_refused_and_not_cut(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, server={"max_body_bytes": 1000}), process=False) as service:
        assert await refused(service, hint(1, data={"text": "x" * 1000})) == (413, "payload_too_large", False)
        await send(service, hint(1, data={"text": "x" * 500}))
        assert await balanced(service) == {"received": 1, "open": 1}


async def test_a_full_inbox_refuses_until_it_is_worked_off(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, store={"max_open_events": 5}), process=False) as service:
        for number in range(5):
            await send(service, hint(number))
        assert await refused(service, hint(6)) == (503, "unavailable", True)
        assert await balanced(service) == {"received": 5, "open": 5}
        await service.service.holds.resume("supabase")
        assert await settled(service) == {"received": 5, "applied": 5}
        await send(service, hint(6))
        assert await settled(service) == {"received": 6, "applied": 6}


async def test_the_cap_holds_however_many_come_at_once(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, store={"max_open_events": 50}, server={"max_appends_in_flight": 20})
    async with running(settings, process=False) as service:
        answers = await asyncio.gather(*[service.post(f"{WEBHOOKS}/supabase", hint(n)) for n in range(100)])
        accepted = sum(answer.status == 202 for answer in answers)
        assert 0 < accepted <= 50
        assert {answer.status for answer in answers} <= {202, 503}
        assert all("Retry-After" in answer.headers for answer in answers if answer.status == 503)
        assert await balanced(service) == {"received": accepted, "open": accepted}


@pytest.mark.on("sqlite")  # the other one's disk is the server's
async def test_a_disk_that_is_nearly_full_refuses(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, store={"min_free_bytes": 1 << 60}), process=False) as service:
        await wait_until(lambda: service.service.intake.disk_is_low)
        assert await refused(service, hint(1)) == (503, "unavailable", True)
        assert (await service.get("/readyz")).status == 503
        assert await balanced(service) == {}


async def test_the_queue_holds_no_more_than_configured_whatever_waits(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    settings = make_settings(tmp_path, handlers=user.section, processing={"workers": 2, "queue_size": 4})
    async with running(settings) as service:
        user.module.gate.clear()
        await asyncio.gather(*[send(service, hint(n, table=user.table)) for n in range(100)])
        await wait_until(lambda: len(user.module.running) == 2)

        async def full() -> bool:
            return bool((await lane(service))["queued"] == 4)

        await wait_until(full)
        assert (await statistics(service))["queue_depth"] == {"supabase": 4, "notion": 0}
        user.module.gate.set()
        assert await settled(service) == {"received": 100, "applied": 100}
        assert user.module.most_at_once == 2


async def test_settled_events_are_removed_in_batches_and_open_and_dead_ones_stay(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    retention = {"settled_days": 1e-9, "batch_rows": 7, "interval_seconds": 0.01}
    async with running(make_settings(tmp_path, handlers=user.section, retention=retention)) as service:
        user.module.failures += [ValueError()] * 3
        dead = await send(service, hint("dead", table=user.table))
        await wait_until(lambda: len(user.module.calls) == 3)
        for number in range(30):
            await send(service, hint(number))
        await wait_until(lambda: service.service.store.open_events == 0)
        await service.service.holds.pause("supabase")
        waiting = await send(service, hint("open"))

        async def only_they_are_left() -> bool:
            page = await (await service.get("/api/v1/events")).json()
            return [one["id"] for one in page["events"]] == [waiting, dead]

        await wait_until(only_they_are_left)
        found = await statistics(service)
        assert found["books"] == {
            "received": 32, "open": 1, "applied": 30, "coalesced": 0, "ignored": 0, "dead": 1,
        }  # fmt: skip
        assert found["books_balanced"]


async def test_a_replay_passes_neither_the_cap_nor_a_full_disk(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, store={"max_open_events": 50})) as service:
        for number in range(40):
            await send(service, hint(number))
        assert await settled(service) == {"received": 40, "applied": 40}
        await service.service.holds.pause("supabase")
        everything = {"all": True}
        assert (await service.post("/api/v1/events/replay", everything, ADMIN)).status == 200
        assert await balanced(service) == {"received": 80, "open": 40, "applied": 40}
        refused = await service.post("/api/v1/events/replay", everything, ADMIN)
        assert (refused.status, "Retry-After" in refused.headers) == (503, True)
        await disk_gets_low(service)
        await service.service.holds.resume("supabase")
        refused = await service.post("/api/v1/events/replay", {"limit": 1, "all": True}, ADMIN)
        assert (refused.status, "Retry-After" in refused.headers) == (503, True)
        assert await settled(service) == {"received": 80, "applied": 80}
