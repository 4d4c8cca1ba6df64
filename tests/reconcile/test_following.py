"""Without any webhook, edits and deletes of both sources reach copy and index."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookbridge.model import RecordKey
from hookbridge.pipeline import health
from tests.support.books import settled
from tests.support.followed import Running, Sources, gone, has, loaded, plain, running, sources, user
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

CALM = {"poll_seconds": 1_000.0, "poll_seconds_max": 1_000.0, "sweep_seconds": 1_000.0}
"""Nothing is found but by a pass that is asked for."""


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        yield made


@pytest.fixture
async def bridge(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    both.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(30)])
    both.supabase.insert_many("plain", [{"id": n, "name": f"row {n}"} for n in range(30)])
    for n in range(12):
        both.notion.create_page(both.data_source, {"Name": f"page {n}"})
    async with running(both.settings(tmp_path)) as service:
        await wait_until(lambda: loaded(service))
        yield service


def page(both: Sources, id_: str) -> RecordKey:
    return RecordKey("notion", both.database, id_)


async def found(bridge: Running, word: str) -> set[str]:
    hits = (await bridge.service.search.find(word, source=None, table=None, limit=100)).hits
    return {str(hit.record) for hit in hits}


async def test_the_first_pass_loads_everything_and_raises_no_event(both: Sources, bridge: Running) -> None:
    assert await has(bridge, user(7), name="user 7")()
    assert await has(bridge, plain(29), name="row 29")()
    assert len(await found(bridge, "page")) == 12
    assert (await bridge.service.store.totals()).books.received == 0


async def test_an_edited_row_is_found_by_a_poll(both: Sources, bridge: Running) -> None:
    both.supabase.update("users", 3, {"name": "Countess"})
    await wait_until(has(bridge, user(3), name="Countess"))
    assert await found(bridge, "countess") == {str(user(3))}


async def test_a_new_row_is_found_by_a_poll(both: Sources, bridge: Running) -> None:
    both.supabase.insert("users", {"id": 100, "name": "Grace"})
    await wait_until(has(bridge, user(100), name="Grace"))


async def test_an_edit_in_a_table_without_a_change_column_is_found_by_a_sweep(both: Sources, bridge: Running) -> None:
    both.supabase.update("plain", 3, {"name": "Countess"})
    await wait_until(has(bridge, plain(3), name="Countess"))


async def test_a_deleted_row_is_found_by_a_sweep(both: Sources, bridge: Running) -> None:
    both.supabase.delete("users", 3)
    await wait_until(gone(bridge, user(3)))
    assert str(user(3)) not in await found(bridge, "user")


@pytest.mark.parametrize("answer", ["a poll", "a record that somebody asks for"])
async def test_a_lane_waits_no_longer_than_until_its_source_answers_anybody(
    both: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(health, "FIRST_PROBE_SECONDS", 1_000.0)
    both.supabase.insert("users", {"id": 1, "name": "user 1"})
    slow = {"retry_delay_seconds": 0.0, "probe_max_seconds": 1_000.0}
    async with running(both.settings(tmp_path, processing=slow, reconcile=CALM)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.supabase.faults.status(503)
        both.supabase.update("users", 1, {"name": "Countess"})
        await bridge.service.verify(user(1))
        await wait_until(lambda: bridge.service.lanes["supabase"].state().next_probe_at is not None)
        both.supabase.faults.clear()
        if answer == "a poll":
            await bridge.service.reconciler.reconcile("supabase", "public.users", "poll")
        else:
            assert (await bridge.get("/api/v1/records/supabase/plain/404", headers=ADMIN)).status == 404
        await wait_until(has(bridge, user(1), name="Countess"))


async def test_pages_edited_trashed_restored_and_moved_are_followed(both: Sources, bridge: Running) -> None:
    made = both.notion.create_page(both.data_source, {"Name": "Fresh"})
    await wait_until(has(bridge, page(both, made)))
    both.notion.update_page(made, {"Name": "Renamed"})

    async def renamed() -> bool:
        return str(page(both, made)) in await found(bridge, "renamed")

    await wait_until(renamed)
    both.notion.trash(made)
    await wait_until(gone(bridge, page(both, made)))
    both.notion.restore(made)
    await wait_until(has(bridge, page(both, made)))
    other = both.notion.create_database("Elsewhere", {"Name": "title"})
    both.notion.move_page(made, both.notion.data_source_ids(other)[0])
    await wait_until(gone(bridge, page(both, made)))


async def test_what_is_found_takes_the_way_of_an_event_once(both: Sources, tmp_path: Path) -> None:
    both.supabase.insert("users", {"id": 3, "name": "Ada"})
    async with running(both.settings(tmp_path, reconcile=CALM)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.supabase.update("users", 3, {"name": "Countess"})
        # A pass that meets the record in a worker's hands cannot know what was read, and raises it once more.
        for kind, found in (("poll", 1), ("poll", 0), ("sweep", 0)):
            body = {"source": "supabase", "table": "users", "kind": kind}
            answer = await bridge.post("/api/v1/reconcile", body, headers=ADMIN)
            assert (await answer.json())["found"] == found
            assert await settled(bridge) == {"received": 1, "applied": 1}
        assert await has(bridge, user(3), name="Countess")()


async def test_a_database_is_followed_by_the_id_of_its_data_source_too(both: Sources, tmp_path: Path) -> None:
    made = both.notion.create_page(both.data_source, {"Name": "Fresh"})
    async with running(both.settings(tmp_path, databases=(both.data_source,))) as bridge:
        await wait_until(has(bridge, RecordKey("notion", both.data_source, made)))
