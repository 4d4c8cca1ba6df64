"""Bodies without a webhook: what polls and sweeps read of them, how a first load comes by them, what a proof says."""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from hookbridge.clock import anchored_clock
from hookbridge.standins.notion import errors
from hookbridge.standins.wire import Reply
from tests.reconcile.test_commands import command
from tests.reconcile.test_proof import STILL, proofs, verify
from tests.support.books import settled
from tests.support.data import rows
from tests.support.followed import Running, Shifted, Sources, loaded, running, sources
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

PAGE, BODY = "GET /v1/pages/{id}", "GET /v1/pages/{id}/markdown"
HANDLERS = """
from hookbridge import Bridge

hooks = Bridge()
given = []


@hooks.on("notion")
async def note(change):
    given.append((change.type, change.content and change.content.markdown))
"""


class Written:
    """A database of pages with bodies, and the time of both sides."""

    def __init__(self, both: Sources) -> None:
        self.both = both
        self.notion = both.notion
        self.table = both.database
        self._clock = anchored_clock()

    def pages(self, count: int) -> list[str]:
        return [
            self.notion.create_page(self.both.data_source, {"Name": f"page {n}"}, markdown=f"body {n}")
            for n in range(count)
        ]

    def later(self, minutes: float = 5) -> None:
        self.both.clock.by += timedelta(minutes=minutes)

    def now(self) -> float:
        return self._clock() + self.both.clock.by.total_seconds()

    @asynccontextmanager
    async def service(self, folder: Path, **sections: Any) -> AsyncIterator[Running]:  # noqa: ANN401
        databases = {"databases": [{"id": self.table, "content": True}], **sections.pop("notion", {})}
        settings = self.both.settings(folder, notion=databases, **{**STILL, **sections})
        async with running(settings, clock=self.now) as bridge:
            await wait_until(lambda: loaded(bridge))
            yield bridge

    def asked(self, route: str) -> int:
        return self.notion.requests.by_route.get(route, 0)

    def reads(self) -> Counter[str]:
        """How often each page's body was asked for."""
        paths = [seen.path_qs for seen in self.notion.requests.entries]
        return Counter(path.split("/")[3] for path in paths if path.endswith("/markdown"))

    async def passed(self, bridge: Running, kind: str = "poll") -> int:
        """Run a pass to its end; gives how many records differed."""
        body = {"source": "notion", "table": self.table, "kind": kind}
        answer = await bridge.post("/api/v1/reconcile", body, headers=ADMIN)
        assert answer.status == 200
        await settled(bridge)
        return int((await answer.json())["found"])

    async def progress(self, bridge: Running) -> dict[str, Any]:
        tables = (await (await bridge.get("/readyz", headers=ADMIN)).json())["tables"]
        (found,) = [one["content"] for one in tables if one["table"] == self.table]
        return dict(found or {})

    async def complete(self, bridge: Running) -> bool:
        found = await self.progress(bridge)
        return bool(found and found["stored"] == found["total"] > 0)

    async def without_bodies(self, bridge: Running, count: int) -> bool:
        found = await bridge.service.store.content_counts("notion", self.table)
        return (found.wanting, found.copied) == (count, count)

    async def record(self, bridge: Running, page: str) -> dict[str, Any]:
        answer = await bridge.get(f"/api/v1/records/notion/{self.table}/{page}", headers=ADMIN)
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found

    async def markdown(self, bridge: Running, page: str) -> str | None:
        content = (await self.record(bridge, page))["content"]
        return None if content is None else str(content["markdown"])


@pytest.fixture
async def written() -> AsyncIterator[Written]:
    async with sources(Shifted()) as both:
        yield Written(both)


async def test_a_poll_finds_the_edit_of_a_body_alone_by_one_request_more(written: Written, tmp_path: Path) -> None:
    page, *_ = written.pages(3)
    written.later()
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        written.later()
        written.notion.edit_content(page, "edited")
        written.later()
        written.notion.requests.clear()
        assert await written.passed(bridge) == 1
        assert await written.markdown(bridge, page) == "edited"
        assert (written.asked(BODY), written.asked(PAGE)) == (1, 0)
        assert [await written.passed(bridge, kind) for kind in ("poll", "sweep")] == [0, 0]
        assert (written.asked(BODY), written.asked(PAGE)) == (1, 0)


@pytest.mark.parametrize("second", ["second", "first"])
async def test_a_body_that_was_read_within_its_minute_is_read_once_more_at_the_next_poll(
    written: Written, tmp_path: Path, second: str
) -> None:
    page, *_ = written.pages(3)
    written.later()
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        written.later()
        written.notion.requests.clear()
        written.notion.edit_content(page, "first")
        assert await written.passed(bridge) == 1
        assert await written.markdown(bridge, page) == "first"
        written.notion.pages[page].markdown = second  # no time tells it from the first edit
        assert await written.passed(bridge) == 0
        written.later()
        assert await written.passed(bridge) == (1 if second != "first" else 0), "an equal body is no change"
        assert await written.markdown(bridge, page) == second
        assert [await written.passed(bridge, kind) for kind in ("poll", "sweep")] == [0, 0]
        assert (written.asked(BODY), written.asked(PAGE)) == (2, 0)


async def test_a_page_with_another_edit_since_then_is_found_although_others_were_edited_meanwhile(
    written: Written, tmp_path: Path
) -> None:
    page, other, *_ = written.pages(3)
    written.later()
    async with written.service(tmp_path, reconcile={**STILL["reconcile"], "overlap_seconds": 0.0}) as bridge:
        await wait_until(lambda: written.complete(bridge))
        written.later()
        written.notion.edit_content(page, "first")
        assert await written.passed(bridge) == 1
        written.notion.pages[page].markdown = "second"
        written.later(2.5)
        written.notion.edit_content(other, "another")
        assert await written.passed(bridge) == 2
        assert await written.markdown(bridge, page) == "second"


async def test_copies_of_a_first_load_are_of_use_before_their_bodies_which_are_read_once_each(
    written: Written, tmp_path: Path
) -> None:
    pages = written.pages(25)
    written.later()
    held = written.notion.faults.hang(path=lambda path: path.endswith("/markdown"))
    async with written.service(tmp_path, notion={"timeout_seconds": 600.0}) as bridge:
        for page in pages:
            found = await written.record(bridge, page)
            assert (found["content"], found["content_state"]) == (None, "waiting")
        await wait_until(lambda: written.asked(BODY) > 0)
        progress = await written.progress(bridge)
        assert (progress["stored"], progress["total"], progress["refused"]) == (0, 25, None)
        assert progress["left_seconds"] is not None
        assert [await written.passed(bridge, kind) for kind in ("poll", "sweep")] == [0, 0]
        code, out, _ = await command(written.both, tmp_path, "reconcile", "--url", bridge.url)
        assert (code, "0 of 25" in out) == (0, True), out
        proof = proofs(await verify(bridge))[written.table]
        assert (proof["equal"], proof["waiting"], proof["differing"]) == (0, 25, 0)
    written.notion.faults.clear()
    assert held is not None
    written.notion.requests.clear()
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        assert {await written.markdown(bridge, page) for page in pages} == {f"body {n}" for n in range(25)}
        assert (await written.record(bridge, pages[0]))["content_state"] == "stored"
        assert (await verify(bridge))[-1]["agrees"] is True
        assert written.reads() == Counter(pages)
        assert written.asked(PAGE) == 0


async def test_a_first_load_that_was_ended_goes_on_without_reading_a_body_twice_that_is_stored(
    written: Written, tmp_path: Path
) -> None:
    pages = written.pages(40)
    written.later()
    some = set(pages[10:])
    written.notion.faults.status(503, path=lambda path: path.endswith("/markdown") and path.split("/")[3] in some)
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.asked(BODY) >= 10)
        stored = {page for page in pages if await written.markdown(bridge, page) is not None}
    written.notion.faults.clear()
    written.notion.requests.clear()
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        reads = written.reads()
        assert not stored & set(reads)
        assert set(reads.values()) == {1}
        assert {await written.markdown(bridge, page) for page in pages} == {f"body {n}" for n in range(40)}


async def test_a_handler_is_given_a_page_at_its_first_load_and_its_body_as_an_update(
    written: Written, tmp_path: Path
) -> None:
    written.pages(3)
    written.later()
    name = f"handlers_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(HANDLERS)
    async with written.service(tmp_path, handlers={"module": name}) as bridge:
        await wait_until(lambda: written.complete(bridge))
        await settled(bridge)
        told = sys.modules[name].given
        assert told[0] == ("insert", None)
        assert {content for _, content in told} == {None, "body 0", "body 1", "body 2"}
        assert written.asked(PAGE) == 0


async def test_what_asks_for_bodies_later_gets_them_for_all_pages_and_loses_them_when_it_no_longer_does(
    written: Written, tmp_path: Path
) -> None:
    page, *_ = written.pages(3)
    written.later()
    without = written.both.settings(tmp_path, **STILL)
    async with running(without, clock=written.now) as bridge:
        await wait_until(lambda: loaded(bridge))
        assert (await written.record(bridge, page))["content_state"] == "off"
        assert written.asked(BODY) == 0
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        assert await written.markdown(bridge, page) == "body 0"
    async with running(without, clock=written.now) as bridge:
        await written.passed(bridge, "sweep")
        await wait_until(lambda: written.without_bodies(bridge, 3))
        assert (await verify(bridge))[-1]["agrees"] is True


async def test_bodies_that_are_not_given_cost_no_page_and_are_read_when_they_are_given_again(
    written: Written, tmp_path: Path
) -> None:
    pages = written.pages(12)
    written.later()
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        written.notion.bodies_readable = False
        new = written.pages(2)
        assert await written.passed(bridge) == 2
        written.notion.edit_content(pages[0], "edited")
        written.later()
        await written.passed(bridge)
        assert [(await written.record(bridge, page))["content_state"] for page in (*new, pages[0])] == ["refused"] * 3
        assert await written.markdown(bridge, pages[1]) == "body 1", "what was not edited keeps its body"
        assert [await written.passed(bridge, kind) for kind in ("poll", "sweep", "sweep")] == [0, 0, 0]
        assert "read content" in (await written.progress(bridge))["refused"]
        ready = await (await bridge.get("/readyz", headers=ADMIN)).json()
        assert [lane["state"] for lane in ready["lanes"] if lane["source"] == "notion"] == ["running"]
    written.notion.bodies_readable = True
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        assert await written.markdown(bridge, pages[0]) == "edited"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(errors.own_error(404, None), id="not found"),
        pytest.param(errors.own_error(400, None), id="not valid"),
        pytest.param(Reply(status=200, body=b'{"object": "page_markdown", "markdown": null}'), id="no text"),
    ],
)
async def test_the_body_of_one_page_that_is_not_given_is_asked_for_again_by_each_sweep(
    written: Written, tmp_path: Path, reply: Reply
) -> None:
    page, other = written.pages(2)
    written.later()
    fault = written.notion.faults.answer(reply, path=lambda path: path == f"/v1/pages/{page}/markdown")
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        states = [(await written.record(bridge, one))["content_state"] for one in (page, other)]
        assert states == ["refused", "stored"]
        written.notion.requests.clear()
        assert await written.passed(bridge) == 0
        assert written.reads() == {}
        assert await written.passed(bridge, "sweep") == 0
        assert written.reads() == {page: 1}
        assert (await verify(bridge))[-1]["agrees"] is True
        fault.clear()
        assert await written.passed(bridge, "sweep") == 1
        assert await written.markdown(bridge, page) == "body 0"
        written.notion.requests.clear()
        assert await written.passed(bridge, "sweep") == 0
        assert written.reads() == {}


@pytest.mark.parametrize("bodies", ["refused to all", "refused of one page", "still to be read"])
async def test_polls_find_each_edit_of_a_page_within_a_minute_also_while_it_has_no_body(
    written: Written, tmp_path: Path, bodies: str
) -> None:
    page, _ = written.pages(2)
    if bodies == "refused to all":
        written.notion.bodies_readable = False
    elif bodies == "refused of one page":
        refusal = errors.own_error(404, None)
        written.notion.faults.answer(refusal, path=lambda path: path == f"/v1/pages/{page}/markdown")
    else:
        written.notion.faults.hang(times=1, path=lambda path: path == f"/v1/pages/{page}/markdown")
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.asked(BODY) > 0)
        for name in ("first", "second"):
            written.notion.update_page(page, {"Name": name})
            await written.passed(bridge)
            assert (await written.record(bridge, page))["title"] == name


async def test_a_body_that_cannot_be_read_is_not_asked_for_because_others_change(
    written: Written, tmp_path: Path
) -> None:
    page, other = written.pages(2)
    written.later()
    fault = written.notion.faults.status(409, path=lambda path: path == f"/v1/pages/{page}/markdown")
    async with written.service(tmp_path) as bridge:

        async def one_waits() -> bool:
            found = await written.progress(bridge)
            return bool(found and (found["stored"], found["total"]) == (1, 2))

        await wait_until(one_waits)
        asked = fault.hits
        for text in ("first", "second", "third"):
            written.later()
            written.notion.edit_content(other, text)
            written.later()
            assert await written.passed(bridge) == 1
            assert await written.markdown(bridge, other) == text
        assert fault.hits == asked
        fault.clear()
        written.notion.edit_content(page, "edited")
        written.later()
        assert await written.passed(bridge) == 1
        await wait_until(lambda: written.complete(bridge))


async def by_hand(bridge: Running, page: str, markdown: str) -> None:
    """Change the text of a copy, and nothing else that is known of it."""
    ((content,),) = await rows(bridge.service.settings, f"SELECT content FROM copies WHERE record_id = '{page}'")
    kept = msgspec.json.decode(content)
    changed = msgspec.json.encode({**kept, "markdown": markdown}).decode().replace("'", "''")
    where = f"record_id = '{page}' RETURNING 1"
    assert await rows(bridge.service.settings, f"UPDATE copies SET content = '{changed}' WHERE {where}") == [(1,)]


async def test_a_proof_of_content_finds_one_body_that_was_changed_by_hand_and_heals_it(
    written: Written, tmp_path: Path
) -> None:
    pages = written.pages(120)
    written.later()
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        await by_hand(bridge, pages[77], "not what Notion has")
        assert (await verify(bridge))[-1]["agrees"] is True, "it costs nothing, and sees only edits"
        written.notion.requests.clear()
        lines = await verify(bridge, content=True)
        proof = proofs(lines)[written.table]
        assert (proof["keys"], proof["equal"]) == ({"differing": [pages[77]]}, 119)
        assert set(written.reads()) == set(pages)
        shown = [line for line in lines if line["type"] == "progress" and line["table"] == written.table]
        assert [line["compared"] for line in shown][:3] == [0, 10, 20]
        assert {line["total"] for line in shown} == {120}
        assert all(line["left_seconds"] is not None for line in shown)
        assert await written.markdown(bridge, pages[77]) == "not what Notion has", "nothing is changed without heal"
        words = ("verify", "--content", "--heal", "--source", "notion", "--url", bridge.url)
        code, out, _ = await command(written.both, tmp_path, *words)
        assert (code, "120 equal" in out, "1 healed" in out) == (0, True, True), out
        assert await written.markdown(bridge, pages[77]) == "body 77"


async def test_a_proof_of_content_finds_what_moved_no_time_in_the_source(written: Written, tmp_path: Path) -> None:
    page, *_ = written.pages(3)
    written.later()
    async with written.service(tmp_path) as bridge:
        await wait_until(lambda: written.complete(bridge))
        written.notion.pages[page].markdown = "changed by nobody"
        assert (await verify(bridge))[-1]["agrees"] is True
        assert proofs(await verify(bridge, content=True))[written.table]["keys"] == {"differing": [page]}
        assert (await verify(bridge, content=True, heal=True))[-1]["agrees"] is True
        assert await written.markdown(bridge, page) == "changed by nobody"


async def test_a_webhook_is_read_before_the_bodies_of_a_first_load(written: Written, tmp_path: Path) -> None:
    pages = written.pages(60)
    written.later()
    async with written.service(tmp_path, notion={"requests_per_second": 6.0}) as bridge:
        await wait_until(lambda: bridge.service.notion_budget.state().waiting >= 2)
        written.notion.requests.clear()
        fresh = await bridge.get(f"/api/v1/records/notion/{written.table}/{pages[-1]}?fresh=1", headers=ADMIN)
        assert (await fresh.json())["content"]["markdown"] == "body 59"
        paths = [seen.path_qs for seen in written.notion.requests.entries]
        assert paths.index(f"/v1/pages/{pages[-1]}/markdown") < 12
