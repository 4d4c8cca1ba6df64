"""Sweeps: deletions are confirmed, failed listings delete nothing, interrupted ones go on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from hookbridge.model import RecordKey, SourceName
from tests.support.followed import Running, Sources, gone, has, loaded, running, sources, user
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

STILL = {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0}
SWEEP = {"source": "supabase", "table": "users", "kind": "sweep"}


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        yield made


@pytest.fixture
async def bridge(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    both.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(50)])
    for n in range(5):
        both.notion.create_page(both.data_source, {"Name": f"page {n}"})
    async with running(both.settings(tmp_path, reconcile=STILL)) as service:
        await wait_until(lambda: loaded(service))
        yield service


async def sweep(bridge: Running, **more: object) -> int:
    """Run a pass to its end; gives the answer's status."""
    answer = await bridge.post("/api/v1/reconcile", {**SWEEP, **more}, headers=ADMIN)
    return answer.status


def state(bridge: Running, source: SourceName = "supabase", table: str = "public.users") -> str:
    return bridge.service.reconciler.table(source, table).status().state


async def copies(bridge: Running) -> int:
    unmet = await bridge.service.store.unmet("supabase", "public.users", 1 << 60, limit=1)
    return unmet.copied


async def test_an_empty_answer_wipes_nothing(both: Sources, bridge: Running) -> None:
    both.supabase.hide("users")
    assert await sweep(bridge) == 200
    assert state(bridge) == "unconfirmed"
    assert await copies(bridge) == 50
    both.supabase.unhide("users")
    assert await sweep(bridge) == 200
    assert state(bridge) == "following"
    assert await copies(bridge) == 50


async def test_too_many_at_once_wait_until_an_operator_confirms(both: Sources, bridge: Running) -> None:
    for number in range(30):
        both.supabase.delete("users", number)
    assert await sweep(bridge) == 200
    assert state(bridge) == "unconfirmed"
    readiness = await (await bridge.get("/readyz")).json()
    (table,) = [one for one in readiness["tables"] if one["table"] == "public.users"]
    assert "30 records" in table["reason"]
    assert await copies(bridge) == 50
    assert await sweep(bridge, confirm=True) == 200

    async def twenty() -> bool:
        return await copies(bridge) == 20

    await wait_until(twenty)
    assert state(bridge) == "following"


async def test_a_listing_that_breaks_off_in_the_middle_deletes_nothing_and_goes_on_later(
    both: Sources, tmp_path: Path
) -> None:
    both.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(3_500)])
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.supabase.delete("users", 7)
        both.supabase.faults.status(503, path=lambda path: ".gt.3000" in path)
        assert await sweep(bridge) == 503
        assert state(bridge) == "failing"
        assert await copies(bridge) == 3_500
        both.supabase.faults.clear()
        both.supabase.requests.clear()
        assert await sweep(bridge) == 200
        listings = [seen for seen in both.supabase.requests.entries if "order=id" in seen.path_qs]
        assert len(listings) == 2 + 5  # the rest behind the third slice, then a whole one
        await wait_until(gone(bridge, user(7)))
        assert await copies(bridge) == 3_499


async def test_a_revoked_key_deletes_nothing(both: Sources, bridge: Running) -> None:
    both.supabase.faults.refuse_key()
    assert await sweep(bridge) == 502
    assert await copies(bridge) == 50
    assert state(bridge) == "failing"


async def test_what_the_server_cuts_at_its_own_limit_is_listed_to_the_end(both: Sources, tmp_path: Path) -> None:
    """PostgREST's max-rows cuts every answer, silently."""
    async with sources() as cutting:
        cutting.supabase.max_rows = 7
        cutting.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(50)])
        async with running(cutting.settings(tmp_path, reconcile=STILL)) as bridge:
            await wait_until(lambda: loaded(bridge))
            assert await copies(bridge) == 50
            assert await sweep(bridge) == 200
            assert await copies(bridge) == 50


async def test_a_backfill_goes_on_where_a_restart_left_it(both: Sources, tmp_path: Path) -> None:
    both.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(6_500)])
    settings = both.settings(tmp_path, reconcile=STILL)
    fault = both.supabase.faults.hang(path=lambda path: "%222999%22" in path)
    async with running(settings) as bridge:
        sweeps = bridge.service.reconciler.table("supabase", "public.users").sweep
        await wait_until(lambda: sweeps.state.listed == 3_000)
    fault.clear()
    both.supabase.requests.clear()
    async with running(settings) as bridge:
        await wait_until(lambda: loaded(bridge))
        assert await copies(bridge) == 6_500
    asked = [seen.path_qs for seen in both.supabase.requests.entries]
    listings = [path for path in asked if "/users" in path and "order=id" in path]
    assert len(listings) == 5  # the last one is empty: only that shows that there is no more


async def test_a_table_that_is_empty_at_first_is_polled_from_its_first_row(both: Sources, tmp_path: Path) -> None:
    async with running(both.settings(tmp_path)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.supabase.insert("users", {"id": 1, "name": "first"})
        await wait_until(has(bridge, user(1), name="first"))


async def test_ties_of_the_change_column_and_rows_committed_late_are_found(both: Sources, tmp_path: Path) -> None:
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        now = both.clock().isoformat()
        both.supabase.insert_many("users", [{"id": n, "name": "tie", "updated_at": now} for n in range(2_500)])
        assert await sweep(bridge, kind="poll") == 200
        await wait_until(has(bridge, user(2_499), name="tie"))
        late = (both.clock() - timedelta(seconds=60)).isoformat()
        both.supabase.insert("users", {"id": 9_000, "name": "late", "updated_at": late})
        assert await sweep(bridge, kind="poll") == 200
        await wait_until(has(bridge, user(9_000), name="late"))


@pytest.mark.parametrize("minutes", [-7, 7])
async def test_a_source_whose_clock_is_wrong_is_followed(both: Sources, tmp_path: Path, minutes: int) -> None:
    both.clock.by = timedelta(minutes=minutes)
    both.supabase.insert("users", {"id": 1, "name": "before"})
    page = both.notion.create_page(both.data_source, {"Name": "before"})
    async with running(both.settings(tmp_path)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.supabase.update("users", 1, {"name": "after"})
        both.notion.update_page(page, {"Name": "after"})
        await wait_until(has(bridge, user(1), name="after"))

        async def renamed() -> bool:
            hits = (await bridge.service.search.find("after", source="notion", table=None, limit=5)).hits
            return [hit.record.id for hit in hits] == [page]

        await wait_until(renamed)


async def test_more_than_a_hundred_pages_edited_within_one_minute_are_found(both: Sources, tmp_path: Path) -> None:
    made = [both.notion.create_page(both.data_source, {"Name": f"page {n}"}) for n in range(250)]
    async with running(both.settings(tmp_path)) as bridge:
        await wait_until(lambda: loaded(bridge))
        for number, page in enumerate(made):
            both.notion.update_page(page, {"Name": f"edited {number}"})

        async def all_edited() -> bool:
            hits = (await bridge.service.search.find("edited", source="notion", table=None, limit=500)).hits
            return len(hits) == 250

        await wait_until(all_edited)
        assert (await bridge.service.store.totals()).books.dead == 0


async def test_cursors_that_become_invalid_lose_nothing(both: Sources, tmp_path: Path) -> None:
    for number in range(350):
        both.notion.create_page(both.data_source, {"Name": f"page {number}"})
        both.clock.by += timedelta(minutes=1)
    both.clock.by = timedelta(minutes=350)
    async with running(both.settings(tmp_path)) as bridge:
        disturb = asyncio.create_task(_invalidate(both))
        await wait_until(lambda: loaded(bridge))
        disturb.cancel()
        await asyncio.gather(disturb, return_exceptions=True)
        hits = (await bridge.service.search.find("page", source="notion", table=None, limit=500)).hits
        assert len(hits) == 350


async def _invalidate(both: Sources) -> None:
    while True:
        both.notion.invalidate_cursors()
        await asyncio.sleep(0.02)


async def test_a_query_that_notion_cuts_at_its_limit_goes_on_by_time(tmp_path: Path) -> None:
    async with sources() as both:
        both.notion._engine._result_limit = 120
        both.clock.by = -timedelta(minutes=400)
        for number in range(300):
            both.notion.create_page(both.data_source, {"Name": f"page {number}"})
            both.clock.by += timedelta(minutes=1)
        both.clock.by = timedelta()
        async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
            await wait_until(lambda: loaded(bridge))
            hits = (await bridge.service.search.find("page", source="notion", table=None, limit=500)).hits
            assert len(hits) == 300


async def test_a_cut_query_that_cannot_go_on_deletes_nothing(both: Sources, bridge: Running) -> None:
    table = {"source": "notion", "table": both.database, "kind": "sweep"}
    both.notion._engine._result_limit = 3
    answer = await bridge.post("/api/v1/reconcile", table, headers=ADMIN)
    assert answer.status == 503
    assert "10,000" in (await answer.json())["message"]
    assert state(bridge, "notion", both.database) == "failing"
    hits = (await bridge.service.search.find("page", source="notion", table=None, limit=500)).hits
    assert len(hits) == 5


async def test_a_database_that_is_no_longer_shared_deletes_nothing(both: Sources, bridge: Running) -> None:
    both.notion.revoke(both.database)
    answer = await bridge.post(
        "/api/v1/reconcile", {"source": "notion", "table": both.database, "kind": "sweep"}, headers=ADMIN
    )
    assert answer.status == 404
    hits = (await bridge.service.search.find("page", source="notion", table=None, limit=500)).hits
    assert len(hits) == 5


async def test_a_page_whose_access_is_revoked_goes_with_the_next_sweep(both: Sources, bridge: Running) -> None:
    page = next(iter(both.notion.pages))
    both.notion.revoke(page)
    body = {"source": "notion", "table": both.database, "kind": "sweep"}
    assert (await bridge.post("/api/v1/reconcile", body, headers=ADMIN)).status == 200
    await wait_until(gone(bridge, RecordKey("notion", both.database, page)))


async def test_a_rate_limit_halts_and_is_waited_for(both: Sources, tmp_path: Path) -> None:
    for number in range(150):
        both.notion.create_page(both.data_source, {"Name": f"page {number}"})
    both.notion.faults.status(429, retry_after=1, times=2)
    async with running(both.settings(tmp_path)) as bridge:
        await wait_until(lambda: loaded(bridge))
        hits = (await bridge.service.search.find("page", source="notion", table=None, limit=500)).hits
        assert len(hits) == 150


async def test_a_table_without_a_change_column_is_swept_when_a_pass_is_asked_for(
    both: Sources, bridge: Running
) -> None:
    both.supabase.insert("plain", {"id": 1, "name": "row"})
    body = {"source": "supabase", "table": "plain"}
    assert (await bridge.post("/api/v1/reconcile", body, headers=ADMIN)).status == 200
    await wait_until(has(bridge, RecordKey("supabase", "public.plain", "1"), name="row"))


async def test_what_is_asked_for_wrongly_is_explained(both: Sources, bridge: Running) -> None:
    for body, field in (
        ({"source": "supabase", "table": "users", "since": "yesterday"}, "since"),
        ({**SWEEP, "since": "2026-01-01"}, "since"),
        ({"source": "supabase", "table": "users", "confirm": True}, "confirm"),
        ({"source": "supabase", "table": "users", "kind": "glance"}, "kind"),
        ({"source": "supabase"}, "table"),
    ):
        answer = await bridge.post("/api/v1/reconcile", body, headers=ADMIN)
        assert answer.status == 422
        assert field in [one["loc"][-1] for one in (await answer.json())["detail"]]


@pytest.mark.parametrize("kind", ["sweep", "poll"])
async def test_a_pass_of_an_operators_that_failed_is_no_state_of_a_table_whose_own_passes_go_well(
    both: Sources, tmp_path: Path, kind: str
) -> None:
    both.supabase.insert("users", {"id": 1, "name": "one"})
    polls = {"poll_seconds": 0.05, "poll_seconds_max": 0.1}
    async with running(both.settings(tmp_path, reconcile=STILL | polls)) as bridge:
        await wait_until(lambda: loaded(bridge))
        fault = both.supabase.faults.status(503, path=lambda path: "/users" in path)
        assert await sweep(bridge, kind=kind) == 503
        fault.clear()
        table = bridge.service.reconciler.table("supabase", "public.users")
        polled = table.status().last_poll_at
        await wait_until(lambda: table.status().last_poll_at != polled)
        assert (table.status().state, table.status().reason) == ("following", None)


async def test_what_a_cut_listing_shows_twice_is_counted_once(tmp_path: Path) -> None:
    async with sources(result_limit=10) as both:
        for number in range(25):
            both.notion.create_page(both.data_source, {"Name": f"page {number}"})
            # Ten minutes of which the tenth page shares its own with the next two.
            both.clock.by += timedelta(minutes=0 if number in {8, 9} else 1)
        async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
            await wait_until(lambda: loaded(bridge))
            status = bridge.service.reconciler.table("notion", both.database).status()
            assert status.listed == 25
            asked = {"source": "notion", "table": both.database, "kind": "sweep"}
            answer = await bridge.post("/api/v1/reconcile", asked, headers=ADMIN)
            assert (await answer.json())["listed"] == 25
            answer = await bridge.post("/api/v1/verify", {"source": "notion"}, headers=ADMIN)
            proof = msgspec.json.decode((await answer.read()).splitlines()[-2])
            assert (proof["equal"], proof["differing"], proof["missing"]) == (25, 0, 0)


async def test_what_differs_in_a_cut_listing_differs_once(tmp_path: Path) -> None:
    async with sources(result_limit=10) as both:
        for number in range(25):
            both.notion.create_page(both.data_source, {"Name": f"page {number}"})
            both.clock.by += timedelta(minutes=1)
        async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
            await wait_until(lambda: loaded(bridge))
            both.notion.create_page(both.data_source, {"Name": "last of all, and in no copy"})
            await bridge.service.holds.pause("notion")
            record = (await bridge.service.store.unmet("notion", both.database, 1 << 60, limit=25)).records[9]
            both.notion.update_page(record.id, {"Name": "renamed"})
            answer = await bridge.post("/api/v1/verify", {"source": "notion"}, headers=ADMIN)
            proof = msgspec.json.decode((await answer.read()).splitlines()[-2])
            assert (proof["equal"], proof["differing"], proof["missing"]) == (24, 1, 1)


async def test_a_sweep_that_is_asked_for_looks_again_where_an_interrupted_one_was(
    both: Sources, tmp_path: Path
) -> None:
    both.supabase.insert_many("plain", [{"id": n, "name": f"row {n}"} for n in range(1_000, 3_500)])
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        broken = both.supabase.faults.status(503, path=lambda path: "/plain?" in path and ".gt." in path)
        assert await sweep(bridge, table="plain") == 503
        both.supabase.insert("plain", {"id": 1, "name": "behind the cursor"})
        broken.clear()
        assert await sweep(bridge, table="plain") == 200
        await wait_until(has(bridge, RecordKey("supabase", "public.plain", "1"), name="behind the cursor"))
