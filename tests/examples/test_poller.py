"""The poller of the examples against a Notion and a service: what the guide's poller did with an older client."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookbridge.standins.notion import NotionStandin
from tests.support.books import events
from tests.support.examples import EXAMPLES
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

SECRET = "what only sender and receiver know"


@pytest.fixture
async def notion() -> AsyncIterator[NotionStandin]:
    async with NotionStandin(token="ntn_poller") as one:
        yield one


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials of its own, that takes only what is signed."""
    settings = make_settings(tmp_path, secrets={"webhook_secrets": (SECRET,)}, signatures={"verify": True})
    async with running(settings) as one:
        yield one


async def announced(service: Running) -> set[str]:
    return {event["record_id"] for event in await events(service)}


async def test_the_poller_announces_every_page_and_then_what_is_edited(notion: NotionStandin, strict: Running) -> None:
    database = notion.create_database("Tasks", {"Name": "title"})
    other = notion.add_data_source(database, "More", {"Name": "title"})
    (source, _) = notion.data_source_ids(database)
    pages = {notion.create_page(source, title=f"Page {number}") for number in range(120)}
    pages.add(notion.create_page(other, title="In the other data source"))
    poller = await asyncio.create_subprocess_exec(
        sys.executable,
        EXAMPLES / "senders" / "notion_poller.py",
        strict.url,
        env={
            "NOTION_TOKEN": "ntn_poller",
            "NOTION_DATABASE": database,
            "NOTION_BASE_URL": notion.url,
            "WEBHOOK_SECRET": SECRET,
            "POLL_SECONDS": "0.1",
        },
    )
    try:
        await wait_until(lambda: _all_of(strict, pages))
        late = notion.create_page(source, title="Later")
        await wait_until(lambda: _all_of(strict, {late}))
    finally:
        poller.terminate()
        await poller.wait()


async def _all_of(service: Running, pages: set[str]) -> bool:
    return pages <= await announced(service)
