"""A page has one record, by whatever names it is read, announced and automated; it moves only when it moves."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import msgspec
import pytest

from hookbridge.model import RecordKey
from tests.support.followed import Running, Sources, copied, gone, has, loaded, running, sources
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

STILL = {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0, "grace_seconds": 1000.0}
WEBHOOKS = "/api/v1/webhooks/notion"

Listed = Literal["data source", "database", "one of several", "each of several"]
Say = Callable[["World", str], Mapping[str, Any]]


class World:
    """A service that follows a database by one of its ids, or some of its data sources."""

    def __init__(self, both: Sources, listed: Listed) -> None:
        self.both = both
        self.notion = both.notion
        self.database = both.database
        self.data_source = both.data_source
        self.second = (
            self.notion.add_data_source(self.database, "Second", {"Name": "title"}) if "several" in listed else None
        )
        self.followed: tuple[str, ...] = (self.database if listed == "database" else self.data_source,)
        if listed == "each of several" and self.second is not None:
            self.followed += (self.second,)
        # The stand-in's time is the past, so that each edit may have a minute of its own.
        both.clock.by = timedelta(days=-1)
        self.names = itertools.count()

    @asynccontextmanager
    async def running(self, folder: Path, **notion: object) -> AsyncIterator[Running]:
        databases = [{"id": one} for one in self.followed]
        settings = self.both.settings(folder, reconcile=STILL, notion={"databases": databases, **notion})
        async with running(settings) as bridge:
            await wait_until(lambda: loaded(bridge))
            yield bridge

    def page(self, source: str | None = None) -> RecordKey:
        """Make a page; its record is of the table that is followed."""
        within = source or self.data_source
        id_ = self.notion.create_page(within, {"Name": "new"})
        return RecordKey("notion", within if within in self.followed else self.followed[0], id_)

    def edit(self, page: RecordKey) -> str:
        """Edit a page in a minute of its own; gives its new name."""
        self.both.clock.by += timedelta(minutes=1)
        name = f"edit {next(self.names)}"
        self.notion.update_page(page.id, {"Name": name})
        return name


def integration(page: str, parent: Mapping[str, Any] | None, type_: str = "page.properties_updated") -> dict[str, Any]:
    data = {} if parent is None else {"parent": parent}
    return {"id": str(uuid4()), "type": type_, "entity": {"id": page, "type": "page"}, "data": data}


def automation(page: str, parent: Mapping[str, Any] | None) -> dict[str, Any]:
    data = {"object": "page", "id": page, "parent": parent, "properties": {}}
    return {"source": {"type": "automation", "event_id": str(uuid4()), "attempt": 1}, "data": data}


def guide(page: str, table: str) -> dict[str, Any]:
    return {"event_type": "update", "source": "notion", "table_name": table, "record_id": page}


FORMS: dict[str, Say] = {
    "the guide's, by the database": lambda world, page: guide(page, world.database),
    "the guide's, by the database without dashes": lambda world, page: guide(
        page.replace("-", ""), world.database.replace("-", "").upper()
    ),
    "the guide's, by the data source": lambda world, page: guide(page, world.data_source),
    "the guide's, by the sender's own name": lambda _, page: guide(page, "our-tasks"),
    "the guide's, as a page in no database": lambda _, page: guide(page, "pages"),
    "an event of 2022-06-28": lambda world, page: integration(page, {"id": world.database, "type": "database"}),
    "an event without its parent's type": lambda world, page: integration(
        page, {"id": world.database, "data_source_id": world.data_source}
    ),
    "an event without a parent": lambda _, page: integration(page, None, "page.transcription_block.transcript_deleted"),
    "an event that says a page is the parent": lambda _, page: integration(
        page, {"id": str(uuid4()), "type": "page"}, "page.moved"
    ),
    "an automation by parent.database_id": lambda world, page: automation(
        page, {"type": "database_id", "database_id": world.database.replace("-", "")}
    ),
    "an automation without a parent": lambda _, page: automation(page, None),
}


def titled(bridge: Running, page: RecordKey, name: str) -> Callable[[], Any]:
    async def condition() -> bool:
        found = await copied(bridge, page)
        if found is None:
            return False
        (title,) = found["properties"]["Name"]["title"]
        return bool(title["plain_text"] == name)

    return condition


async def settled(bridge: Running) -> None:
    async def nothing_open() -> bool:
        return (await bridge.service.store.totals()).books.open == 0

    await wait_until(nothing_open)


async def passed(bridge: Running, world: World, kind: str) -> int:
    """Run a pass of every followed table; gives how many records differed."""
    found = 0
    for table in world.followed:
        body = {"source": "notion", "table": table, "kind": kind}
        answer = await bridge.post("/api/v1/reconcile", body, headers=ADMIN)
        assert answer.status == 200
        found += (await answer.json())["found"]
    return found


async def proven_equal(bridge: Running) -> int:
    """Give how many records are equal, and that nothing else is."""
    answer = await bridge.post("/api/v1/verify", {"source": "notion"}, headers=ADMIN)
    *lines, result = [msgspec.json.decode(line) for line in (await answer.read()).splitlines()]
    proofs = [line for line in lines if line["type"] == "table"]
    assert result["agrees"], proofs
    return sum(proof["equal"] for proof in proofs)


async def loss(bridge: Running, *tables: str) -> tuple[int, int]:
    """Give how many changes of these tables were announced and missed, as when all grace times are over."""
    await bridge.service.store.settle_findings(-1.0)
    found = (await bridge.service.statistics()).webhook_loss
    of = [one for name, one in found.items() if name.removeprefix("notion:") in tables]
    assert len(found) == len(of), "no other table has any"
    return sum(one.announced for one in of), sum(one.missed for one in of)


async def read_by_every_name(bridge: Running, world: World, page: RecordKey) -> None:
    asked = world.notion.requests.total
    for table in (world.database, world.database.replace("-", ""), world.data_source, "our-tasks"):
        answer = await bridge.get(f"/api/v1/records/notion/{table}/{page.id.replace('-', '').upper()}", headers=ADMIN)
        assert (answer.status, (await answer.json())["table"]) == (200, page.table)
    for table in ("pages", str(uuid4())):
        answer = await bridge.get(f"/api/v1/records/notion/{table}/{page.id}", headers=ADMIN)
        assert answer.status == 404
    assert world.notion.requests.total == asked, "the copy answers"


@pytest.fixture(params=["data source", "database", "one of several", "each of several"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with sources() as both:
        yield World(both, request.param)


@pytest.mark.parametrize("unlisted", ["accept", "ignore"])
async def test_a_followed_page_stays_one_record_under_every_name_and_nothing_is_lost(
    world: World, tmp_path: Path, unlisted: str
) -> None:
    page, other = world.page(), world.page()
    beside = [] if world.second is None or world.second not in world.followed else [world.page(world.second)]
    async with world.running(tmp_path, unlisted_databases=unlisted) as bridge:
        for say in FORMS.values():
            for edited in (page, *beside):
                name = world.edit(edited)
                answer = await bridge.post(WEBHOOKS, say(world, edited.id))
                assert answer.status == 202
                await wait_until(titled(bridge, edited, name))
            await settled(bridge)
            await read_by_every_name(bridge, world, page)
            assert await bridge.service.store.home(page) == page
        assert await proven_equal(bridge) == 2 + len(beside)
        assert await passed(bridge, world, "sweep") == 0
        assert await loss(bridge, *world.followed) == (len(FORMS) * (1 + len(beside)), 0)
        assert await titled(bridge, other, "new")()


@pytest.mark.parametrize("form", FORMS)
async def test_what_a_poll_found_first_is_announced_by_a_webhook_under_any_name(
    world: World, tmp_path: Path, form: str
) -> None:
    page = world.page()
    async with world.running(tmp_path) as bridge:
        await bridge.service.holds.pause("notion")
        name = world.edit(page)
        assert await passed(bridge, world, "poll") == 1
        assert (await bridge.post(WEBHOOKS, FORMS[form](world, page.id))).status == 202
        await bridge.service.holds.resume("notion")
        await wait_until(titled(bridge, page, name))
        await settled(bridge)
        assert await loss(bridge, *world.followed) == (1, 0)
        assert await proven_equal(bridge) == 1


@pytest.mark.parametrize("unlisted", ["accept", "ignore"])
@pytest.mark.parametrize("form", [form for form in FORMS if "2022" in form or "database_id" in form])
async def test_a_new_page_that_is_announced_by_the_other_id_comes_into_the_table_that_is_listed(
    world: World, tmp_path: Path, form: str, unlisted: str
) -> None:
    async with world.running(tmp_path, unlisted_databases=unlisted) as bridge:
        page = world.page()
        assert (await bridge.post(WEBHOOKS, FORMS[form](world, page.id))).status == 202
        await wait_until(titled(bridge, page, "new"))
        await settled(bridge)
        assert await proven_equal(bridge) == 1
        assert await loss(bridge, *world.followed) == (1, 0)


@pytest.mark.parametrize("unlisted", ["accept", "ignore"])
async def test_a_page_of_a_data_source_that_is_not_listed_disturbs_no_other(tmp_path: Path, unlisted: str) -> None:
    async with sources() as both:
        world = World(both, "one of several")
        assert world.second is not None
        stranger = both.notion.create_page(world.second, {"Name": "of the second"})
        page = world.page()
        async with world.running(tmp_path, unlisted_databases=unlisted) as bridge:
            for say in (FORMS["an event of 2022-06-28"], FORMS["the guide's, by the database"]):
                assert (await bridge.post(WEBHOOKS, say(world, stranger))).status == 202
            await settled(bridge)
            home = await bridge.service.store.home(RecordKey("notion", world.database, stranger))
            accepted = RecordKey("notion", world.database, stranger)
            assert home == (accepted if unlisted == "accept" else None)
            assert await proven_equal(bridge) == 1
            assert await titled(bridge, page, "new")()


@pytest.mark.parametrize("form", ["an event that says a page is the parent", "an event without a parent"])
@pytest.mark.parametrize("standalone", ["ignore", "accept"])
async def test_a_page_that_moved_out_of_every_database_leaves_the_copy_with_its_event(
    world: World, tmp_path: Path, form: str, standalone: str
) -> None:
    page, stays = world.page(), world.page()
    async with world.running(tmp_path, standalone_pages=standalone) as bridge:
        world.notion.move_page(page.id, stays.id)
        assert (await bridge.post(WEBHOOKS, FORMS[form](world, page.id))).status == 202
        await wait_until(gone(bridge, page))
        await settled(bridge)
        apart = RecordKey("notion", "pages", page.id)
        assert await bridge.service.store.home(page) == (apart if standalone == "accept" else None)
        assert await proven_equal(bridge) == 1


@pytest.mark.parametrize("announced_as", ["where it was", "where it is", "nothing"])
async def test_a_page_that_moved_between_followed_tables_is_in_the_one_where_it_lies(
    tmp_path: Path, announced_as: str
) -> None:
    async with sources() as both:
        world = World(both, "each of several")
        assert world.second is not None
        page = world.page()
        async with world.running(tmp_path) as bridge:
            world.notion.move_page(page.id, world.second)
            if announced_as == "nothing":
                await passed(bridge, world, "sweep")
            else:
                named = world.data_source if announced_as == "where it was" else world.second
                parent = {"id": world.database, "type": "database", "data_source_id": named}
                assert (await bridge.post(WEBHOOKS, integration(page.id, parent, "page.moved"))).status == 202
            now = RecordKey("notion", world.second, page.id)
            await wait_until(has(bridge, now, id=page.id))
            await wait_until(gone(bridge, page))
            await settled(bridge)
            assert await proven_equal(bridge) == 1


async def test_the_trial_endpoint_knows_that_a_page_in_the_copy_is_read_whatever_its_parent(
    world: World, tmp_path: Path
) -> None:
    page = world.page()
    async with world.running(tmp_path) as bridge:
        for id_, expected in ((page.id, True), (str(uuid4()), False)):
            body = integration(id_, {"id": str(uuid4()), "type": "page"}, "page.moved")
            answer = await bridge.post("/api/v1/webhooks/test", body, headers=ADMIN)
            assert (await answer.json())["would_be_processed"] is expected
