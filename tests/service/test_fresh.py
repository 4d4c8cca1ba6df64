"""Records read afresh: with links that work, once a minute, behind everything else, and no change is swallowed."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hookbridge.model import RecordKey
from tests.reconcile.test_commands import command
from tests.reconcile.test_proof import STILL
from tests.support.books import events, settled
from tests.support.followed import Running, Sources, copied, has, loaded, running, sources
from tests.support.running import ADMIN
from tests.support.waiting import wait_until


class Filed:
    """A followed page with a file, a cover's and a rollup's among them, and a row."""

    def __init__(self, both: Sources, bridge: Running, page: RecordKey, plain: RecordKey) -> None:
        self.both = both
        self.bridge = bridge
        self.page = page
        self.plain = plain

    async def get(self, record: RecordKey, *, fresh: bool = False) -> tuple[int, Any, dict[str, str]]:
        path = f"/api/v1/records/{record.source}/{record.table}/{record.id}" + ("?fresh=1" if fresh else "")
        answer = await self.bridge.get(path, headers=ADMIN)
        return answer.status, await answer.json(), dict(answer.headers)


@pytest.fixture
async def filed(tmp_path: Path) -> AsyncIterator[Filed]:
    async with sources() as both:
        database = both.notion.create_database("Filed", {"Name": "title", "Attach": "files", "All": "rollup"})
        (data_source,) = both.notion.data_source_ids(database)
        page = both.notion.create_page(data_source, {"Name": "with a file", "Attach": ["plan.pdf"]})
        plain = both.notion.create_page(data_source, {"Name": "without"})
        both.supabase.insert("users", {"id": 1, "name": "Ada"})
        async with running(both.settings(tmp_path, databases=(database,), **STILL)) as bridge:
            await wait_until(lambda: loaded(bridge))
            await settled(bridge)
            yield Filed(both, bridge, RecordKey("notion", database, page), RecordKey("notion", database, plain))


async def test_a_record_with_links_says_when_they_stop_to_work_and_no_other_one_does(filed: Filed) -> None:
    _, found, _ = await filed.get(filed.page)
    file = found["data"]["properties"]["Attach"]["files"][0]["file"]
    assert datetime.fromisoformat(found["links_expired_at"]) == datetime.fromisoformat(file["expiry_time"])
    assert "links_expired_at" not in (await filed.get(filed.plain))[1]
    assert "links_expired_at" not in (await filed.get(RecordKey("supabase", "public.users", "1")))[1]
    hits = (await (await filed.bridge.get("/api/v1/search?q=plan", headers=ADMIN)).json())["hits"]
    assert [hit["links_expired_at"] for hit in hits] == [found["links_expired_at"]]


async def test_the_first_link_that_expires_counts_wherever_it_is(filed: Filed) -> None:
    early = {
        "type": "files",
        "files": [{"name": "x", "type": "file", "file": {"url": "u", "expiry_time": "2026-01-01"}}],
    }
    rollup = {"type": "rollup", "rollup": {"type": "array", "array": [early]}}
    page = {"icon": {"type": "file", "file": {"url": "i", "expiry_time": "2026-01-02T00:00:00.000Z"}}}
    source = filed.bridge.service.sources["notion"]
    for data, expected in (
        ({**page, "properties": {"All": rollup}}, "2026-01-01T00:00:00+00:00"),
        (page, "2026-01-02T00:00:00+00:00"),
        ({"properties": {"All": {**rollup, "rollup": None}}}, None),
    ):
        at = source.limits(msgspec.json.encode(data)).links_expired_at
        assert (at and at.isoformat()) == expected


async def test_an_expired_link_is_renewed_by_a_fresh_read_and_by_no_other(filed: Filed) -> None:
    filed.both.clock.by += timedelta(hours=2)
    _, before, _ = await filed.get(filed.page)
    _, again, _ = await filed.get(filed.page)
    assert again == before
    _, fresh, _ = await filed.get(filed.page, fresh=True)
    assert fresh["links_expired_at"] > before["links_expired_at"]
    assert (await filed.get(filed.page))[1]["links_expired_at"] == fresh["links_expired_at"]
    assert not await events(filed.bridge, record_id=filed.page.id, origin="replay")


@pytest.mark.parametrize("name", ["page", "plain", "row"])
async def test_a_record_is_read_afresh_once_a_minute(filed: Filed, name: str) -> None:
    row = RecordKey("supabase", "public.users", "1")
    record = {"page": filed.page, "plain": filed.plain, "row": row}[name]
    assert (await filed.get(record, fresh=True))[0] == 200
    status, body, headers = await filed.get(record, fresh=True)
    assert (status, body["error"]) == (429, "too_soon")
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert (await filed.get(record))[0] == 200
    other = filed.plain if record == filed.page else filed.page
    assert (await filed.get(other, fresh=True))[0] == 200


async def test_a_page_is_one_record_under_each_of_its_tables_names(filed: Filed) -> None:
    assert (await filed.get(filed.page, fresh=True))[0] == 200
    (data_source,) = filed.both.notion.data_source_ids(filed.page.table)
    elsewhere = RecordKey("notion", data_source, filed.page.id)
    assert (await filed.get(elsewhere, fresh=True))[0] == 429


async def test_what_a_fresh_read_finds_changed_is_answered_and_applied_as_a_change(filed: Filed) -> None:
    filed.both.notion.update_page(filed.page.id, {"Name": "renamed"})
    _, found, _ = await filed.get(filed.page, fresh=True)
    title = found["data"]["properties"]["Name"]["title"]
    assert title[0]["plain_text"] == "renamed"
    await settled(filed.bridge)
    (event,) = await events(filed.bridge, record_id=filed.page.id, origin="replay")
    assert (event["outcome"], event["verification"]) == ("applied", "verified")
    copy = await copied(filed.bridge, filed.page)
    assert copy is not None
    assert copy["properties"]["Name"]["title"] == title
    filed.both.supabase.update("users", 1, {"name": "Grace"})
    row = RecordKey("supabase", "public.users", "1")
    assert (await filed.get(row, fresh=True))[1]["data"]["name"] == "Grace"
    await wait_until(has(filed.bridge, row, name="Grace"))


async def test_a_fresh_read_of_what_is_gone_says_so_and_takes_it_out_of_the_copy(filed: Filed) -> None:
    filed.both.notion.trash(filed.page.id)
    assert (await filed.get(filed.page, fresh=True))[0] == 404
    await settled(filed.bridge)
    assert await copied(filed.bridge, filed.page) is None


async def test_other_values_than_0_and_1_are_refused_by_name(filed: Filed) -> None:
    path = f"/api/v1/records/notion/{filed.page.table}/{filed.page.id}"
    for query in ("fresh=2", "fresh=yes", "stale=1"):
        answer = await filed.bridge.get(f"{path}?{query}", headers=ADMIN)
        assert answer.status == 422
        assert query.partition("=")[0] in await answer.text()


async def test_the_command_asks_the_source_and_says_until_when_links_work(filed: Filed, tmp_path: Path) -> None:
    words = ("records", "show", "notion", filed.page.table, filed.page.id, "--url", filed.bridge.url)
    code, out, _ = await command(filed.both, tmp_path, *words)
    assert (code, "--fresh gets others" in out) == (0, True)
    code, out, _ = await command(filed.both, tmp_path, *words, "--fresh")
    assert code == 0
    code, _, err = await command(filed.both, tmp_path, *words, "--fresh")
    assert (code, "once in 60 s" in err) == (2, True), err
