"""Several nodes and one Notion: one of them works on its records, and all of them share its rate and its pauses."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hookbridge.api.reconcile import Verdict
from hookbridge.model import RecordKey
from hookbridge.sidecar import prove
from tests.service.test_cluster import SLOW, named, nodes, ready
from tests.support.followed import Sources, has, loaded, sources
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")  # a file has one process

HOOK = "/api/v1/webhooks/notion"


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as one:
        yield one


def hint(page: str, table: str) -> dict[str, object]:
    return {"event_type": "update", "source": "notion", "table_name": table, "record_id": page, "data": {}}


async def lane(node: Running) -> str:
    return str(next(one["state"] for one in (await ready(node))["lanes"] if one["source"] == "notion"))


async def works(node: Running) -> bool:
    return await lane(node) == "running"


async def test_one_node_works_on_what_all_of_them_take_in_and_another_one_when_that_ends(
    both: Sources, tmp_path: Path
) -> None:
    settings = both.settings(tmp_path, reconcile=SLOW)
    async with AsyncExitStack() as ending, running(named(settings, "b", "receive", "process")) as other:
        await wait_until(lambda: works(other))
        one = await ending.enter_async_context(running(named(settings, "a")))
        assert (await lane(one), await lane(other)) == ("standby", "running")
        page = both.notion.create_page(both.data_source, title="first")
        assert (await one.post(HOOK, hint(page, both.database))).status == 202
        await wait_until(has(one, RecordKey("notion", both.database, page)))
        await ending.aclose()
    async with running(named(settings, "a")) as one:
        await wait_until(lambda: one.service.membership.does("process:notion"))
        page = both.notion.create_page(both.data_source, title="second")
        assert (await one.post(HOOK, hint(page, both.database))).status == 202
        await wait_until(has(one, RecordKey("notion", both.database, page)))


async def test_where_nothing_is_read_of_notion_every_node_works_on_its_records(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
        assert (await lane(one), await lane(other)) == ("running", "running")


async def test_a_pause_that_notion_asked_one_node_for_is_kept_by_the_other(both: Sources, tmp_path: Path) -> None:
    settings = both.settings(tmp_path, reconcile=SLOW)
    async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
        await wait_until(lambda: loaded(one))  # nothing else asks
        page = both.notion.create_page(both.data_source, title="first")
        both.notion.faults.status(429, retry_after=60, times=1)
        path = f"/api/v1/records/notion/{both.database}/{page}"
        assert (await other.get(path)).status == 503
        await wait_until(lambda: one.service.notion_budget.halted_seconds > 0)
        asked = both.notion.requests.by_status.total()
        answer = await one.get(path)
        assert (answer.status, "Retry-After" in answer.headers) == (503, True)
        assert both.notion.requests.by_status.total() == asked


async def test_a_read_on_the_other_node_reserves_its_request_among_all(both: Sources, tmp_path: Path) -> None:
    settings = both.settings(tmp_path, reconcile=SLOW)
    async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
        await wait_until(lambda: one.service.membership.does("process:notion"))
        page = both.notion.create_page(both.data_source, title="first")
        assert (await other.get(f"/api/v1/records/notion/{both.database}/{page}")).status == 200
        assert await reserved(other)


async def test_a_proof_without_a_service_here_reserves_its_requests_among_all(both: Sources, tmp_path: Path) -> None:
    settings = both.settings(tmp_path, reconcile=SLOW)
    async with running(named(settings, "a", "receive", "process")) as elsewhere:
        assert not await reserved(elsewhere)
        lines = [line async for line in prove(named(settings, "b"), "notion", None, content=False)]
        assert isinstance(lines[-1], Verdict)
        assert await reserved(elsewhere)


async def reserved(node: Running) -> bool:
    query = "SELECT count(*) > 0 FROM hookbridge.budget WHERE source = 'notion' AND tat > 0"
    ((is_so,),) = await node.service.store._engine.read(query)  # type: ignore[attr-defined]
    return bool(is_so)
