"""The measured loss: of the changes, how many no webhook announced."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from hookbridge.model import RecordKey
from tests.support.followed import Running, Sources, copied, has, loaded, running, sources, user
from tests.support.waiting import wait_until

TABLE = "supabase:public.users"


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        made.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(40)])
        yield made


@pytest.fixture
async def bridge(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    # Longer than a webhook takes to its settlement on a busy machine: else its finding is counted before it.
    async with running(both.settings(tmp_path, reconcile={"grace_seconds": 3.0})) as service:
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
    settings = both.settings(tmp_path, reconcile={"grace_seconds": 600.0})
    async with running(settings) as bridge:
        await wait_until(lambda: loaded(bridge))
        row = both.supabase.update("users", 1, {"name": "late"})
        await wait_until(has(bridge, user(1), name="late"))
        body = {"type": "UPDATE", "table": "users", "schema": "public", "record": row, "old_record": row}
        assert (await bridge.post("/api/v1/webhooks/supabase", body)).status == 202

        async def counted() -> bool:
            await bridge.service.store.settle_findings(0.0)  # as when that time is over
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


COMPUTED = {"Name": "title", "Age": "formula", "Total": "rollup", "Done": "checkbox"}
CASE = Path(__file__).parents[1] / "fixtures" / "notion_cases" / "formula_changed_alone.json"
AGES = [page["properties"]["Age"]["formula"]["string"] for page in msgspec.json.decode(CASE.read_bytes()).values()]
"""Of one page read twice; its ``last_edited_time`` is the same."""


@pytest.mark.parametrize("computed", [{"Age": AGES[1]}, {"Total": 8}, {"Age": AGES[1], "Total": None}])
async def test_what_was_computed_anew_is_applied_and_is_no_lost_webhook(
    both: Sources, tmp_path: Path, computed: dict[str, object]
) -> None:
    database = both.notion.create_database("Ages", COMPUTED)
    (data_source,) = both.notion.data_source_ids(database)
    both.clock.by -= timedelta(days=60)
    pages = [both.notion.create_page(data_source, {"Name": "a", "Age": AGES[0], "Total": 7}) for _ in range(3)]
    both.clock.by += timedelta(days=60)
    first, second, edited = (RecordKey("notion", database, page) for page in pages)
    async with running(both.settings(tmp_path, databases=(database,))) as bridge:
        await wait_until(lambda: loaded(bridge))
        for page in pages[:2]:
            both.notion.recompute(page, computed)
        for record in (first, second):
            before = both.notion.pages[record.id].properties
            await wait_until(_has(bridge, record, before))
        assert bridge.service.reconciler.table("notion", database).status().lag_seconds is None
        both.notion.update_page(edited.id, {"Done": True})
        await wait_until(_has(bridge, edited, both.notion.pages[edited.id].properties))

        async def counted() -> bool:
            return f"notion:{database}" in (await bridge.service.statistics()).webhook_loss

        await wait_until(counted)
        loss = (await bridge.service.statistics()).webhook_loss[f"notion:{database}"]
        assert (loss.announced, loss.missed) == (0, 1), "what was edited is, and moved its time"
        lag = bridge.service.reconciler.table("notion", database).status().lag_seconds
        assert lag is not None
        assert lag < 3_600


async def test_a_row_whose_time_of_change_was_not_moved_could_have_been_announced(
    both: Sources, bridge: Running
) -> None:
    before = await copied(bridge, user(3))
    assert before is not None
    both.supabase.update("users", 3, {"name": "quiet", "updated_at": before["updated_at"]})

    async def missed() -> bool:
        loss = (await bridge.service.statistics()).webhook_loss.get(TABLE)
        return loss is not None and loss.missed == 1

    await wait_until(missed)
    assert bridge.service.reconciler.table("supabase", "public.users").status().lag_seconds is None


def _has(bridge: Running, record: RecordKey, properties: Mapping[str, object]) -> Callable[[], Awaitable[bool]]:
    """Give the condition that the copy shows these properties."""

    async def condition() -> bool:
        found = await copied(bridge, record)
        return found is not None and found["properties"] == properties

    return condition
