"""What people call a database: read with it, and followed when it changes."""

import time
from collections.abc import AsyncIterator

import pytest

from hookbridge.config import NotionConfig
from hookbridge.sources.notion.budget import Budget
from hookbridge.sources.notion.client import NotionClient
from hookbridge.sources.notion.databases import KNOWN_SECONDS, Databases
from hookbridge.sources.notion.places import Places
from hookbridge.sources.source import unordered
from hookbridge.standins import NotionStandin

TOKEN = "ntn_for_tests"


class Reading:
    """A workspace, what is known of its databases, and which labels were told."""

    def __init__(self, notion: NotionStandin) -> None:
        self.notion = notion
        self.now = 0.0
        self.told: list[tuple[str, str]] = []
        config = NotionConfig(base_url=notion.url)
        self.client = NotionClient(config, TOKEN, Budget(1e6), unordered, clock=time.time)
        self.databases = Databases(self.client, Places(config, readable=True), self._tell, clock=lambda: self.now)

    async def _tell(self, table: str, label: str) -> None:
        self.told.append((table, label))


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    async with NotionStandin(token=TOKEN) as notion:
        made = Reading(notion)
        yield made
        await made.client.close()


async def test_a_database_is_called_by_its_title_which_costs_no_request_and_is_followed(reading: Reading) -> None:
    database = reading.notion.create_database("Tasks", {"Name": "title"})
    await reading.databases.data_sources(database)
    reading.notion.databases[database].title = "Tasks of 2027 \U0001f600"
    await reading.databases.data_sources(database)
    assert reading.told == [(database, "Tasks")]
    reading.now += KNOWN_SECONDS
    await reading.databases.data_sources(database)
    assert reading.told[1:] == [(database, "Tasks of 2027 \U0001f600")]
    assert reading.notion.requests.total == 2


async def test_a_data_source_that_is_followed_by_itself_is_called_by_its_own_name(reading: Reading) -> None:
    database = reading.notion.create_database("Tasks", {"Name": "title"})
    second = reading.notion.add_data_source(database, "Done", {"Name": "title"})
    await reading.databases.data_sources(second)
    reading.notion.sources[second].name = "Done and gone"
    reading.now += KNOWN_SECONDS
    await reading.databases.data_sources(second)
    assert reading.told == [(second, "Done"), (second, "Done and gone")]


async def test_what_is_not_there_has_no_label(reading: Reading) -> None:
    await reading.databases.data_sources("e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d")
    assert reading.told == []
