"""A Notion workspace with a database of tasks, and a source that reads it without a rate to mind."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig
from hookbridge.model import Columns, RecordKey
from hookbridge.sources.notion import NotionSource
from hookbridge.standins import NotionStandin
from tests.support.tickets import counting

TOKEN = "ntn_for_tests"
SCHEMA = {"Name": "title", "Status": "select"}
QUERY = "POST /v1/data_sources/{id}/query"
RETRIEVE = "GET /v1/pages/{id}"
DATABASE = "GET /v1/databases/{id}"
DATA_SOURCE = "GET /v1/data_sources/{id}"


class Minutes:
    """A clock that only moves when told to, until it is told to run."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 27, 17, 0, 30, tzinfo=UTC)
        self._runs_since: float | None = None

    def __call__(self) -> datetime:
        if self._runs_since is None:
            return self.now
        return self.now + timedelta(seconds=time.monotonic() - self._runs_since)

    def seconds(self) -> float:
        """Give the time as services have it."""
        return self().timestamp()

    def run(self) -> None:
        """Go on with the real time."""
        self._runs_since = time.monotonic()

    def advance(self, minutes: int = 1) -> None:
        self.now += timedelta(minutes=minutes)


class Tasks:
    """The workspace, its database, and the source under test."""

    def __init__(self, notion: NotionStandin, source: NotionSource, clock: Minutes) -> None:
        self.notion = notion
        self.source = source
        self.clock = clock
        self.database = notion.create_database("Tasks", SCHEMA)
        (self.data_source,) = notion.data_source_ids(self.database)

    def page(self, name: str = "Write", status: str = "Open") -> RecordKey:
        """Create a page, and name its record."""
        return self.key(self.notion.create_page(self.data_source, {"Name": name, "Status": status}))

    def pages(self, count: int) -> list[RecordKey]:
        """Create pages, a minute apart; the first is the oldest."""
        made = []
        for number in range(count):
            made.append(self.page(f"task {number}"))
            self.clock.advance()
        return made

    def key(self, page_id: str, table: str | None = None) -> RecordKey:
        """Name a record of the database, or of another table."""
        return RecordKey("notion", table or self.database, page_id)

    async def columns(self, record: RecordKey) -> Columns | None:
        """Read a record as the steps do."""
        return self.source.truth_columns(await self.source.read(record))

    async def name(self, record: RecordKey) -> str | None:
        """Read a page's title; None when it is absent."""
        columns = await self.columns(record)
        if columns is None:
            return None
        (title,) = (value for value in columns["properties"].values() if value["type"] == "title")
        return "".join(span["plain_text"] for span in title["title"])

    def asked(self) -> dict[str, int]:
        """How often each endpoint was asked."""
        return dict(self.notion.requests.by_route)


@asynccontextmanager
async def tasks(**config: object) -> AsyncIterator[Tasks]:
    """A running workspace; ``config`` is of ``[notion]``."""
    clock = Minutes()
    async with NotionStandin(token=TOKEN, clock=clock) as notion:
        given = {"base_url": notion.url, "requests_per_second": 10_000.0, **config}
        settings = msgspec.convert(given, NotionConfig)
        tickets = counting()
        source = NotionSource(
            settings, SignaturesConfig(), Secrets(notion_token=TOKEN), tickets, None, clock=clock.seconds
        )
        try:
            yield Tasks(notion, source, clock)
        finally:
            await source.close()
