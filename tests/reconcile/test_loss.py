"""The measured loss: of the changes, how many no webhook announced."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.followed import Running, Sources, has, loaded, running, sources, user
from tests.support.waiting import wait_until

TABLE = "supabase:public.users"


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        made.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(40)])
        yield made


@pytest.fixture
async def bridge(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(both.settings(tmp_path)) as service:
        await wait_until(lambda: loaded(service))
        yield service


async def edit(both: Sources, bridge: Running, number: int, *, announced: bool) -> None:
    row = both.supabase.update("users", number, {"name": f"edit {number}"})
    if announced:
        body = {"type": "UPDATE", "table": "users", "schema": "public", "record": row, "old_record": row}
        assert (await bridge.post("/api/v1/webhooks/supabase", body)).status == 202


async def test_a_known_share_of_dropped_webhooks_is_what_is_measured(both: Sources, bridge: Running) -> None:
    for number in range(40):
        await edit(both, bridge, number, announced=number % 4 != 0)
    for number in range(40):
        await wait_until(has(bridge, user(number), name=f"edit {number}"))

    async def counted() -> bool:
        loss = (await bridge.service.statistics()).webhook_loss.get(TABLE)
        return loss is not None and loss.announced + loss.missed == 40

    await wait_until(counted)
    loss = (await bridge.service.statistics()).webhook_loss[TABLE]
    assert (loss.announced, loss.missed, loss.share) == (30, 10, 0.25)


async def test_a_webhook_within_the_grace_time_announces_what_a_poll_found_before(
    both: Sources, tmp_path: Path
) -> None:
    settings = both.settings(tmp_path, reconcile={"grace_seconds": 1.0})
    async with running(settings) as bridge:
        await wait_until(lambda: loaded(bridge))
        row = both.supabase.update("users", 1, {"name": "late"})
        await wait_until(has(bridge, user(1), name="late"))
        body = {"type": "UPDATE", "table": "users", "schema": "public", "record": row, "old_record": row}
        assert (await bridge.post("/api/v1/webhooks/supabase", body)).status == 202

        async def counted() -> bool:
            return TABLE in (await bridge.service.statistics()).webhook_loss

        await wait_until(counted)
        loss = (await bridge.service.statistics()).webhook_loss[TABLE]
        assert (loss.announced, loss.missed) == (1, 0)


async def test_a_deletion_that_no_webhook_announced_is_a_loss(both: Sources, bridge: Running) -> None:
    both.supabase.delete("users", 1)

    async def missed() -> bool:
        loss = (await bridge.service.statistics()).webhook_loss.get(TABLE)
        return loss is not None and loss.missed == 1

    await wait_until(missed)


async def test_how_late_changes_are_applied_is_shown(both: Sources, bridge: Running) -> None:
    await edit(both, bridge, 1, announced=True)
    await wait_until(has(bridge, user(1), name="edit 1"))
    table = bridge.service.reconciler.table("supabase", "public.users")
    await wait_until(lambda: table.status().lag_seconds is not None)
    assert 0 <= (table.status().lag_seconds or 0) < 60
    assert table.status().state == "following"
