"""Bodies of pages in search: their words are found and shown, their syntax is not, and the configuration decides."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hookbridge.config import Settings
from hookbridge.model import RecordKey
from hookbridge.sources.contents import content_of
from hookbridge.store.contract import Store
from hookbridge.text import WORDS_MAX
from tests.support.followed import Running, Shifted, Sources, loaded, running, sources
from tests.support.running import ADMIN
from tests.support.stores import matching
from tests.support.waiting import wait_until

FILE = "https://prod-files-secure.s3.us-west-2.amazonaws.com/space/file/map.png"
BODY = f"# The **rollout**\n\n{'Nothing of it. ' * 20}\n\n- [ ] Ask the harbour master\n\n![A sketch]({FILE})\n"


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    clock = Shifted()
    clock.by = timedelta(minutes=-30)
    async with sources(clock) as one:
        yield one


async def search(bridge: Running, words: str) -> list[dict[str, Any]]:
    answer = await bridge.http.get("/api/v1/search", params={"q": words}, headers=ADMIN)
    assert answer.status == 200
    hits: list[dict[str, Any]] = (await answer.json())["hits"]
    return hits


async def whole(bridge: Running) -> None:
    """Wait until all pages have been read, and the index is whole."""
    await wait_until(lambda: loaded(bridge) and bridge.service.indexing.progress is None)


def asking(both: Sources, folder: Path, *, content: bool, **more: object) -> Settings:
    return both.settings(folder, notion={"databases": [{"id": both.database, "content": content, **more}]})


async def stored(store: Store, record: RecordKey) -> bool:
    return content_of(await store.copy(record)) is not None


async def test_a_body_is_found_by_what_its_reader_sees_and_the_words_around_are_shown(
    both: Sources, tmp_path: Path
) -> None:
    page = RecordKey("notion", both.database, both.notion.create_page(both.data_source, title="Plan", markdown=BODY))
    both.clock.by = timedelta()
    async with running(asking(both, tmp_path, content=True, index=["Status"])) as bridge:
        await whole(bridge)
        await wait_until(lambda: stored(bridge.service.store, page))
        (hit,) = await search(bridge, "harbour mast")
        assert hit["id"] == page.id
        assert hit["snippet"].startswith("…")
        assert "Ask the [harbour] [master] A sketch" in hit["snippet"]
        assert "words_cut" not in hit
        assert [one["id"] for one in await search(bridge, "rollout")] == [page.id]
        for none in (
            "amazonaws",
            "signature",
            '"master x"',
            "plan",
        ):  # links, syntax, and a property that is not chosen
            assert await search(bridge, none) == []
        both.notion.edit_content(page.id, "The pilot boards at dawn.")
        await wait_until(lambda: search(bridge, "pilot"))
        assert await search(bridge, "harbour") == []


async def test_a_configuration_that_asks_for_bodies_or_no_longer_does_leads_to_its_index(
    both: Sources, tmp_path: Path
) -> None:
    page = RecordKey("notion", both.database, both.notion.create_page(both.data_source, title="Plan", markdown=BODY))
    both.clock.by = timedelta()
    found: list[tuple[bool, int, int]] = []
    for content in (False, True, False, True):
        async with running(asking(both, tmp_path, content=content)) as bridge:
            await whole(bridge)
            if content:
                await wait_until(lambda: search(bridge, "harbour"))
            hits, known = await search(bridge, "harbour"), await matching(bridge.service.store, "harbour")
            found.append((content, len(hits), len(known)))
            assert [one["id"] for one in await search(bridge, "plan")] == [page.id]
    assert found == [(False, 0, 0), (True, 1, 1), (False, 0, 0), (True, 1, 1)]


async def test_what_of_a_body_is_not_in_the_index_is_said(both: Sources, tmp_path: Path) -> None:
    long = f"first {'word ' * (WORDS_MAX // 5)}last"
    page = both.notion.create_page(both.data_source, title="Plan", markdown=long)
    both.clock.by = timedelta()
    async with running(asking(both, tmp_path, content=True)) as bridge:
        await whole(bridge)
        await wait_until(lambda: search(bridge, "first"))
        assert [(one["id"], one["words_cut"]) for one in await search(bridge, "first")] == [(page, True)]
        assert await search(bridge, "last") == []
        answer = await (await bridge.get(f"/api/v1/records/notion/{both.database}/{page}")).json()
        assert answer["words_cut"] is True
        assert answer["content"]["truncated"] is False
