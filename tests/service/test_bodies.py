"""Bodies of pages on their way: from a webhook into the copy, out of the API, to handlers; none where none is asked."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hookbridge.model import RecordKey
from tests.reconcile.test_commands import command
from tests.reconcile.test_proof import STILL
from tests.support.books import events, settled
from tests.support.followed import Running, Shifted, Sources, loaded, running, sources
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

BODY = "GET /v1/pages/{id}/markdown"
FILE = "https://prod-files-secure.s3.us-west-2.amazonaws.com/space/file/plan.png"

HANDLERS = """
from hookbridge import Bridge

hooks = Bridge()
given = []


@hooks.on("notion")
async def note(change):
    given.append(change.content)
"""


class Wiki:
    """A page with a body, in a database that asks for bodies or not, written half an hour ago."""

    def __init__(self, both: Sources, bridge: Running, page: RecordKey) -> None:
        self.both = both
        self.notion = both.notion
        self.bridge = bridge
        self.page = page

    async def record(self, *, fresh: bool = False) -> dict[str, Any]:
        path = f"/api/v1/records/notion/{self.page.table}/{self.page.id}" + ("?fresh=1" if fresh else "")
        answer = await self.bridge.get(path, headers=ADMIN)
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found

    async def told(self, event: str = "page.content_updated") -> None:
        """Have a webhook tell of the page, and wait until it is settled."""
        body = {
            "id": str(uuid4()),
            "timestamp": "2026-01-01T15:00:00.000Z",
            "workspace_id": "w",
            "subscription_id": "s",
            "integration_id": "i",
            "type": event,
            "entity": {"id": self.page.id, "type": "page"},
            "data": {"parent": {"id": self.page.table, "type": "database"}, "updated_blocks": []},
        }
        answer = await self.bridge.post("/api/v1/webhooks/notion", body)
        assert answer.status == 202
        await settled(self.bridge)

    async def has_what_it_asks_for(self) -> bool:
        return bool((await self.record())["content_state"] != "waiting")

    def asked(self) -> int:
        return self.notion.requests.by_route.get(BODY, 0)


@asynccontextmanager
async def wiki(folder: Path, *, content: bool = True, **sections: Any) -> AsyncIterator[Wiki]:  # noqa: ANN401
    clock = Shifted()
    clock.by = timedelta(minutes=-30)
    async with sources(clock) as both:
        page = both.notion.create_page(both.data_source, {"Name": "Plan"}, markdown="Ship it.")
        clock.by = timedelta()
        databases = [{"id": both.database, "content": content}]
        async with running(both.settings(folder, notion={"databases": databases}, **STILL, **sections)) as bridge_:
            await wait_until(lambda: loaded(bridge_))
            one = Wiki(both, bridge_, RecordKey("notion", both.database, page))
            await wait_until(one.has_what_it_asks_for)
            await settled(bridge_)
            yield one


async def test_a_webhook_about_a_body_brings_it_into_the_copy_and_to_handlers(tmp_path: Path) -> None:
    name = f"handlers_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(HANDLERS)
    async with wiki(tmp_path, handlers={"module": name}) as one:
        one.both.clock.by = timedelta(minutes=-10)
        one.notion.edit_content(one.page.id, "Ship it today.")
        one.both.clock.by = timedelta()
        before = one.asked()
        await one.told()
        found = await one.record()
        assert found["content_state"] == "stored"
        assert found["content"] == {
            "markdown": "Ship it today.",
            "truncated": False,
            "edited_at": found["data"]["last_edited_time"],
            "links_expire_at": None,
        }
        told = sys.modules[name].given
        assert [content and content.markdown for content in told][-1] == "Ship it today."
        assert told[-1].edited_at == found["data"]["last_edited_time"]
        hits = (await (await one.bridge.get("/api/v1/search?q=ship+today", headers=ADMIN)).json())["hits"]
        assert [(hit["id"], hit["snippet"]) for hit in hits] == [(one.page.id, "[Ship] it [today].")]
        assert one.asked() == before + 1


async def test_two_webhooks_about_one_edit_are_one_change_also_when_its_minute_ends_between_them(
    tmp_path: Path,
) -> None:
    async with wiki(tmp_path) as one:
        store, table = one.bridge.service.store, f"notion:{one.page.table}"
        before = (await store.totals()).announced.get(table, 0)
        one.notion.edit_content(one.page.id, "Ship it today.")
        await one.told()
        read_open = await store.copy(one.page)
        edited = one.notion.pages[one.page.id]
        edited.edited -= timedelta(minutes=5)
        await one.told()
        edited.edited += timedelta(minutes=5)
        read_closed = await store.copy(one.page)
        assert read_open is not None
        assert read_closed is not None
        assert read_open.fingerprint != read_closed.fingerprint, "what a listing shows of it"
        assert (await store.totals()).announced.get(table, 0) == before + 1


async def test_a_database_without_content_has_no_body_and_costs_no_request_more(tmp_path: Path) -> None:
    async with wiki(tmp_path, content=False) as one:
        one.notion.edit_content(one.page.id, "Ship it today.")
        await one.told()
        (event, *_) = await events(one.bridge)
        assert (event["type"], event["outcome"], event["verification"]) == ("update", "applied", "verified")
        found = await one.record()
        assert (found["content"], found["content_state"]) == (None, "off")
        await one.record(fresh=True)
        assert one.asked() == 0


async def test_a_fresh_read_renews_the_links_of_a_body_which_is_no_change(tmp_path: Path) -> None:
    async with wiki(tmp_path) as one:
        one.both.clock.by = timedelta(minutes=-20)
        one.notion.edit_content(one.page.id, f"![plan]({FILE})")
        await one.told()
        before = (await one.record())["content"]
        one.both.clock.by = timedelta()
        feed = await one.bridge.service.store.feed(after=0, limit=100)
        fresh = (await one.record(fresh=True))["content"]
        assert fresh["links_expire_at"] > before["links_expire_at"]
        assert (await one.record())["content"] == fresh
        assert await one.bridge.service.store.feed_ends() == feed.ends


async def test_what_a_fresh_read_finds_changed_in_a_body_is_answered_and_applied(tmp_path: Path) -> None:
    async with wiki(tmp_path) as one:
        one.notion.edit_content(one.page.id, "Ship it never.")
        difference = await one.bridge.get(f"/api/v1/records/notion/{one.page.table}/{one.page.id}/diff", headers=ADMIN)
        shown = await difference.json()
        assert shown["agrees"] is False
        assert {"path": "content", "copy": "Ship it.", "truth": "Ship it never."} in shown["differences"]
        assert (await one.record(fresh=True))["content"]["markdown"] == "Ship it never."
        await settled(one.bridge)
        assert (await one.record())["content"]["markdown"] == "Ship it never."


async def test_without_the_capability_a_page_is_copied_and_its_state_says_that_its_body_was_refused(
    tmp_path: Path,
) -> None:
    async with wiki(tmp_path) as one:
        one.notion.bodies_readable = False
        one.notion.update_page(one.page.id, {"Name": "Plan B"})
        await one.told("page.properties_updated")
        found = await one.record()
        assert found["data"]["properties"]["Name"]["title"][0]["plain_text"] == "Plan B"
        assert (found["content"], found["content_state"]) == (None, "refused")
        ready = await (await one.bridge.get("/readyz", headers=ADMIN)).json()
        assert [lane["state"] for lane in ready["lanes"] if lane["source"] == "notion"] == ["running"]


@pytest.mark.parametrize("markdown", ["# Plan\n\nA\tB \x1b[31mred", "\u202e\N{GRINNING FACE}\0"])
async def test_records_show_prints_the_body_and_nothing_that_drives_a_terminal(tmp_path: Path, markdown: str) -> None:
    async with wiki(tmp_path) as one:
        one.notion.edit_content(one.page.id, markdown)
        await one.told()
        words = ("records", "show", "notion", one.page.table, one.page.id, "--url", one.bridge.url)
        code, out, _ = await command(one.both, tmp_path, *words)
        assert code == 0
        assert f"its text, of {(await one.record())['content']['edited_at']}:" in out
        assert "\x1b" not in out
        assert "\0" not in out
