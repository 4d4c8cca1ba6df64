"""Pages with more references than a page object shows: copied whole, swept for nothing, and proven or called cut."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hookbridge.model import RecordKey
from tests.reconcile.test_commands import command
from tests.reconcile.test_proof import STILL, proofs, verify
from tests.support.books import settled
from tests.support.followed import Running, Shifted, Sources, copied, loaded, running, sources
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

LONG_AGO = timedelta(minutes=-30)


def ids(count: int) -> list[str]:
    return [str(UUID(int=number, version=4)) for number in range(1, count + 1)]


class Linked:
    """A database with a page of 250 relations, one of 60 and one of 3, edited half an hour ago."""

    def __init__(self, both: Sources) -> None:
        self.both = both
        self.notion = both.notion
        self.database = both.notion.create_database("Linked", {"Name": "title", "Linked": "relation"})
        (self.data_source,) = both.notion.data_source_ids(self.database)
        self.most, self.many, self.few = (self._page(count) for count in (250, 60, 3))

    def _page(self, count: int) -> RecordKey:
        page = self.notion.create_page(self.data_source, {"Name": f"{count} links", "Linked": ids(count)})
        return RecordKey("notion", self.database, page)

    def settings(self, folder: Path, **sections: Any) -> Any:  # noqa: ANN401  sections of the settings
        databases = (self.database,)
        return self.both.settings(folder, databases=databases, **sections)

    def property_requests(self) -> int:
        return sum(count for route, count in self.notion.requests.by_route.items() if "/properties/" in route)


@pytest.fixture
async def linked() -> AsyncIterator[Linked]:
    clock = Shifted()
    clock.by = LONG_AGO
    async with sources(clock) as both:
        yield Linked(both)


async def references(bridge: Running, record: RecordKey) -> int:
    found = await copied(bridge, record)
    return 0 if found is None else len(found["properties"]["Linked"]["relation"])


async def whole(bridge: Running, linked: Linked, *, most: int = 250, many: int = 60) -> bool:
    counts = [await references(bridge, one) for one in (linked.most, linked.many, linked.few)]
    return counts == [most, many, 3]


async def poll(bridge: Running, linked: Linked, kind: str = "poll") -> None:
    body = {"source": "notion", "table": linked.database, "kind": kind}
    assert (await bridge.post("/api/v1/reconcile", body, headers=ADMIN)).status == 200


async def swept(bridge: Running, linked: Linked, times: int) -> None:
    for _ in range(times):
        await poll(bridge, linked, "sweep")
        await poll(bridge, linked)


async def test_a_first_load_copies_pages_whole_and_sweeps_of_unchanged_ones_cost_nothing(
    linked: Linked, tmp_path: Path
) -> None:
    async with running(linked.settings(tmp_path, **STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        await wait_until(lambda: whole(bridge, linked))
        await settled(bridge)
        linked.notion.requests.clear()
        await swept(bridge, linked, 3)
        assert linked.property_requests() == 0
        assert not any(route.startswith("GET /v1/pages/") for route in linked.notion.requests.by_route)
        answer = await bridge.get(f"/api/v1/records/notion/{linked.database}/{linked.most.id}", headers=ADMIN)
        assert "cut_properties" not in await answer.json()


async def test_a_poll_finds_an_edit_behind_the_cut(linked: Linked, tmp_path: Path) -> None:
    async with running(linked.settings(tmp_path, **STILL)) as bridge:
        await wait_until(lambda: whole(bridge, linked))
        await wait_until(lambda: loaded(bridge))
        await settled(bridge)
        linked.both.clock.by += timedelta(minutes=5)
        linked.notion.update_page(linked.many.id, {"Linked": ids(61)})
        linked.notion.requests.clear()
        await poll(bridge, linked)
        await wait_until(lambda: whole(bridge, linked, many=61))
        await settled(bridge)
        await swept(bridge, linked, 2)
        assert linked.property_requests() == 1


async def test_what_moves_no_time_behind_the_cut_is_found_by_the_proof_and_healed(
    linked: Linked, tmp_path: Path
) -> None:
    async with running(linked.settings(tmp_path, **STILL)) as bridge:
        await wait_until(lambda: whole(bridge, linked))
        proof = proofs(await verify(bridge))[linked.database]
        assert (proof["equal"], proof["differing"], proof["cut"]) == (3, 0, 0)
        linked.notion.recompute(linked.many.id, {"Linked": ids(62)})
        proof = proofs(await verify(bridge))[linked.database]
        assert (proof["equal"], proof["differing"], proof["cut"]) == (2, 1, 0)
        assert proof["keys"] == {"differing": [linked.many.id]}
        lines = await verify(bridge, heal=True)
        assert (lines[-1]["agrees"], lines[-1]["cut"]) == (True, 0)
        assert await whole(bridge, linked, many=62)


async def test_what_cannot_be_read_whole_is_cut_and_never_equal(linked: Linked, tmp_path: Path) -> None:
    settings = linked.settings(tmp_path, notion={"property_requests_max": 1}, **STILL)
    async with running(settings) as bridge:
        await wait_until(lambda: whole(bridge, linked, most=100))
        path = f"/api/v1/records/notion/{linked.database}"
        found = await (await bridge.get(f"{path}/{linked.most.id}", headers=ADMIN)).json()
        assert found["cut_properties"] == ["Linked"]
        assert "cut_properties" not in await (await bridge.get(f"{path}/{linked.many.id}", headers=ADMIN)).json()
        hits = await (await bridge.get("/api/v1/search?q=250", headers=ADMIN)).json()
        assert [hit["cut_properties"] for hit in hits["hits"]] == [["Linked"]]
        diff = await (await bridge.get(f"{path}/{linked.most.id}/diff", headers=ADMIN)).json()
        assert (diff["agrees"], diff["differences"], diff["cut_properties"]) == (False, [], ["Linked"])
        diff = await (await bridge.get(f"{path}/{linked.many.id}/diff", headers=ADMIN)).json()
        assert (diff["agrees"], diff["differences"]) == (True, [])
        words = ("records", "diff", "notion", linked.database, linked.most.id, "--url", bridge.url)
        code, out, _ = await command(linked.both, tmp_path, *words)
        assert (code, "equal as far as they were read" in out) == (1, True), out
        lines = await verify(bridge)
        proof = proofs(lines)[linked.database]
        assert (proof["equal"], proof["differing"], proof["cut"]) == (2, 0, 1)
        assert proof["keys"] == {"cut": [linked.most.id]}
        assert (lines[-1]["agrees"], lines[-1]["cut"]) == (False, 1)
        code, out, _ = await command(linked.both, tmp_path, "verify", "--url", bridge.url, "--source", "notion")
        assert code == 1
        assert "2 equal, 0 differing, 0 missing, 0 extra, 1 cut" in out
        assert "property_requests_max" in out
        assert "Copy and source differ" not in out
        linked.notion.recompute(linked.most.id, {"Name": "another title"})
        proof = proofs(await verify(bridge))[linked.database]
        assert (proof["equal"], proof["differing"], proof["cut"]) == (2, 1, 0), "what differs is not only cut"


async def test_a_proof_of_many_such_pages_lets_other_reads_go_first(linked: Linked, tmp_path: Path) -> None:
    pages = {linked.most.id, linked.many.id}
    for number in range(20):
        pages.add(linked.notion.create_page(linked.data_source, {"Name": str(number), "Linked": ids(30)}))
    async with running(linked.settings(tmp_path, **STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        await settled(bridge)
    async with running(linked.settings(tmp_path, notion={"requests_per_second": 8.0}, **STILL)) as bridge:
        proof = asyncio.create_task(verify(bridge))
        await wait_until(
            lambda: bridge.service.notion_budget.state().waiting >= 5
        )  # of the eight that are read at once
        path = f"/api/v1/records/notion/{linked.database}/{linked.few.id}/diff"
        linked.notion.requests.clear()
        assert (await bridge.get(path, headers=ADMIN)).status == 200
        paths = [seen.path_qs for seen in linked.notion.requests.entries]
        assert paths.index(f"/v1/pages/{linked.few.id}") < 10
        lines = await proof
        assert (lines[-1]["agrees"], proofs(lines)[linked.database]["equal"]) == (True, len(pages) + 1)


async def test_a_page_that_cannot_be_read_by_itself_is_named_and_the_others_are_compared(
    linked: Linked, tmp_path: Path
) -> None:
    async with running(linked.settings(tmp_path, **STILL)) as bridge:
        await wait_until(lambda: whole(bridge, linked))
        linked.notion.faults.status(409, path=lambda path: linked.many.id in path, times=None)
        lines = await verify(bridge)
        proof = proofs(lines)[linked.database]
        assert proof["keys"] == {"differing": [linked.many.id]}
        assert (proof["equal"], proof["differing"], lines[-1]["unproven"]) == (2, 1, 0)
        linked.notion.faults.clear()
        assert (await verify(bridge))[-1]["agrees"] is True
