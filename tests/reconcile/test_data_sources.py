"""A Notion database is the sum of its data sources, which come and go."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookbridge.model import RecordKey
from hookbridge.reconcile.table import FollowedTable
from tests.support.followed import Running, Sources, gone, has, loaded, running, sources
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

STILL = {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0}


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        yield made


def followed(bridge: Running, table: str) -> FollowedTable:
    return bridge.service.reconciler.table("notion", table)


async def sweep(bridge: Running, table: str) -> int:
    body = {"source": "notion", "table": table, "kind": "sweep"}
    return (await bridge.post("/api/v1/reconcile", body, headers=ADMIN)).status


async def test_a_sweep_whose_data_source_went_meanwhile_goes_on_with_the_next_one(
    both: Sources, tmp_path: Path
) -> None:
    second = both.notion.add_data_source(both.database, "Second", {"Name": "title"})
    for number in range(150):
        both.notion.create_page(both.data_source, {"Name": f"page {number}"})
    stays = both.notion.create_page(second, {"Name": "in the second one"})
    asked: list[str] = []

    def third_query(path: str) -> bool:
        asked.extend([path] if "/query" in path else [])
        return len(asked) > 3  # the newest of both, then a first slice

    fault = both.notion.faults.status(503, path=third_query)
    async with running(both.settings(tmp_path)) as bridge:
        await wait_until(lambda: followed(bridge, both.database).sweep.state.cursor is not None)
    fault.clear()
    both.notion.revoke(both.data_source)
    async with running(both.settings(tmp_path)) as bridge:
        await wait_until(has(bridge, RecordKey("notion", both.database, stays)))
        await wait_until(lambda: followed(bridge, both.database).sweep.state.loaded)


async def test_a_data_source_that_goes_is_not_asked_for_again(both: Sources, tmp_path: Path) -> None:
    second = both.notion.add_data_source(both.database, "Second", {"Name": "title"})
    stays = both.notion.create_page(both.data_source, {"Name": "stays"})
    goes = both.notion.create_page(second, {"Name": "goes"})
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.notion.revoke(second)
        assert await sweep(bridge, both.database) == 200
        await wait_until(gone(bridge, RecordKey("notion", both.database, goes)))
        assert await has(bridge, RecordKey("notion", both.database, stays))()


async def test_a_database_that_is_gone_itself_says_nothing_of_its_data_sources(both: Sources, tmp_path: Path) -> None:
    pages = [both.notion.create_page(both.data_source, {"Name": f"page {number}"}) for number in range(150)]
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        asked: list[str] = []

        def later_slice(path: str) -> bool:
            asked.extend([path] if "/query" in path else [])
            return len(asked) > 2

        fault = both.notion.faults.status(503, path=later_slice)
        assert await sweep(bridge, both.database) == 503
        fault.clear()
        both.notion.revoke(both.database)
        assert await sweep(bridge, both.database) == 404
        assert followed(bridge, both.database).status().state == "failing"
        assert await has(bridge, RecordKey("notion", both.database, pages[0]))()


async def test_a_data_source_beside_its_own_database_is_refused_and_takes_no_page_away(
    both: Sources, tmp_path: Path
) -> None:
    page = both.notion.create_page(both.data_source, {"Name": "quiet"})
    databases = (both.data_source, both.database)
    async with running(both.settings(tmp_path, databases=databases)) as bridge:
        await wait_until(lambda: followed(bridge, both.data_source).status().state == "failing")
        reason = followed(bridge, both.data_source).status().reason
        assert reason == (
            f"The data source {both.data_source} belongs to the database {both.database}, which is followed already"
        )
        await wait_until(has(bridge, RecordKey("notion", both.database, page)))
        swept = followed(bridge, both.database).sweep.state.completed_at or 0.0
        await wait_until(lambda: (followed(bridge, both.database).sweep.state.completed_at or 0.0) > swept)
        assert (await bridge.service.store.totals()).books.received == 0
