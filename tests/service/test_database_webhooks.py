"""Webhooks about a database itself: they bring no page, and have its title read before its turn, within bounds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hookbridge import naming
from hookbridge.model import RecordKey
from hookbridge.standins import Webhook
from hookbridge.standins.notion.properties import Json
from tests.service.test_titles import answered, labelled
from tests.support.books import settled
from tests.support.followed import Running, Sources, has, running, sources
from tests.support.waiting import wait_until


class Told:
    """A followed database of one page whose label is known, and the webhooks that tell of the database."""

    def __init__(self, both: Sources, client: Running, page: str) -> None:
        self.both, self.client, self.page = both, client, page
        self.notion = both.notion
        self._heard: list[Webhook] = []
        self.notion.listen(self._heard.append)

    async def tell(self, type_: str, id_: str | None = None, **parent: Json) -> None:
        """Send what Notion sends: of the database unless another id is given."""
        self.notion.webhooks.tell(type_, id_ or self.both.database, {"parent": {**parent}})
        *_, webhook = self._heard
        self._heard.clear()
        answer = await self.client.http.post("/api/v1/webhooks/notion", data=webhook.body, headers=webhook.headers)
        assert answer.status == 202

    def rename(self, title: str) -> None:
        self.notion.databases[self.both.database].title = title

    async def called(self, title: str) -> None:
        await wait_until(lambda: labelled(self.client, self.page, title))

    def reads(self, id_: str) -> int:
        """How often a database or data source of this id was asked for by itself."""
        paths = [seen.path_qs for seen in self.notion.requests.entries if seen.method == "GET"]
        return sum(path.endswith(f"/{id_}") for path in paths)


@asynccontextmanager
async def telling(folder: Path) -> AsyncIterator[Told]:
    async with sources() as both:
        page = both.notion.create_page(both.data_source, {"Name": "Buy milk"})
        async with running(both.settings(folder)) as client:
            await wait_until(has(client, RecordKey("notion", both.database, page)))
            told = Told(both, client, page)
            await told.called("Tasks")
            yield told


@pytest.mark.parametrize("type_", ["data_source.schema_updated", "database.content_updated", "database.moved"])
async def test_a_webhook_about_a_database_has_its_title_read_at_once(tmp_path: Path, type_: str) -> None:
    async with telling(tmp_path) as told:
        told.rename("Errands")
        if type_.startswith("data_source"):
            await told.tell(type_, told.both.data_source, id=told.both.database, type="database")
        else:
            await told.tell(type_, type="workspace")
        await told.called("Errands")  # polls would ask again in ten minutes
        (event,) = (await answered(told.client, "/api/v1/events?outcome=ignored"))["events"]
        assert event["reason"] == f"{type_} carries no page to read"


async def test_a_storm_of_webhooks_about_databases_costs_one_request_for_each_in_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "CHANGED_SECONDS", 1_000.0)
    async with telling(tmp_path) as told:
        before = told.reads(told.both.database)
        told.rename("Errands")
        await told.tell("database.content_updated")
        await told.called("Errands")
        for _ in range(50):
            await told.tell("database.content_updated")
            await told.tell("data_source.schema_updated", told.both.data_source, id=told.both.database, type="database")
        await settled(told.client)
        assert told.reads(told.both.database) == before + 1


async def test_a_change_that_is_told_of_in_a_database_s_pause_is_read_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "CHANGED_SECONDS", 0.01)
    async with telling(tmp_path) as told:
        for title in ("Errands", "Chores", "Done"):
            told.rename(title)
            await told.tell("database.content_updated")
            await told.called(title)


async def test_a_database_that_nobody_knows_is_not_asked_for_because_a_webhook_speaks_of_it(tmp_path: Path) -> None:
    unknown = "00000000-0000-4000-8000-000000000001"  # asked for before the other one, if it were
    async with telling(tmp_path) as told:
        await told.tell("database.content_updated", unknown)
        await told.tell("data_source.schema_updated", unknown)
        told.rename("Errands")
        await told.tell("database.content_updated")
        await told.called("Errands")
        assert told.reads(unknown) == 0


async def test_a_database_that_cannot_be_read_when_a_webhook_tells_of_it_goes_on_with_its_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "CHANGED_SECONDS", 0.01)
    async with telling(tmp_path) as told:
        fault = told.notion.faults.status(503, path=lambda path: "/databases/" in path)
        told.rename("Errands")
        await told.tell("database.content_updated")
        await wait_until(lambda: bool(fault.hits))
        await told.called("Tasks")
        other = told.notion.create_page(told.both.data_source, {"Name": "Buy bread"})
        await wait_until(has(told.client, RecordKey("notion", told.both.database, other)))  # polls go on
        fault.clear()
        await told.tell("database.content_updated")
        await told.called("Errands")
