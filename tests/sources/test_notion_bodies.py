"""Bodies of pages: read behind the page object, labelled with its time, whole within bounds, refused without harm."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec
import pytest

from hookbridge.errors import SourceUnavailable
from hookbridge.model import Copy, RecordKey, Truth
from hookbridge.sources.kept import kept
from hookbridge.sources.notion.markdown import completed, links_expire_at, read_of, without_signatures
from hookbridge.standins import Reply
from hookbridge.standins.faults import Fault
from tests.support.workspace import RETRIEVE, Tasks, tasks

BODY = "GET /v1/pages/{id}/markdown"
ASKING = str(UUID(int=1, version=4))
FILE = "https://prod-files-secure.s3.us-west-2.amazonaws.com/space/file/plan.png"


class Written:
    """A database that asks for bodies, and the source that reads it."""

    def __init__(self, workspace: Tasks) -> None:
        self.workspace = workspace
        self.notion = workspace.notion
        self.source = workspace.source
        self.clock = workspace.clock
        self.notion.create_database("Written", {"Name": "title"}, database_id=ASKING)
        (self.data_source,) = self.notion.data_source_ids(ASKING)

    def page(self, markdown: str = "Ship it.") -> RecordKey:
        page = self.notion.create_page(self.data_source, {"Name": "Plan"}, markdown=markdown)
        return self.workspace.key(page, ASKING)

    async def copy(self, record: RecordKey) -> Copy:
        return self.kept(await self.source.read(record))

    def kept(self, truth: Truth) -> Copy:
        return kept(self.source, truth, self.clock.seconds()).copy

    async def listed(self, record: RecordKey) -> Truth:
        assert self.source.changes is not None
        truths = (await self.source.changes.listing(ASKING, None)).truths
        return next(truth for truth in truths if truth.record == record)

    async def differs(self, record: RecordKey, copy: Copy) -> bool:
        return not (await self.listed(record)).matches(copy.fingerprint)

    def asked(self, route: str = BODY) -> int:
        return self.workspace.asked().get(route, 0)


@asynccontextmanager
async def written(**config: object) -> AsyncIterator[Written]:
    async with tasks(databases=[{"id": ASKING, "content": True}], **config) as workspace:
        yield Written(workspace)


@pytest.fixture
async def bodies() -> AsyncIterator[Written]:
    async with written() as found:
        yield found


def markdown_of(truth: Truth) -> str:
    assert truth.content is not None
    return truth.content.markdown


async def test_a_page_is_read_with_its_body_labelled_with_the_page_s_own_time_in_one_request_more(
    bodies: Written,
) -> None:
    record = bodies.page("# Plan\n\nShip it.")
    edited = bodies.notion.pages[record.id].edited

    bodies.clock.advance(5)
    truth = await bodies.source.read(record)
    assert markdown_of(truth) == "# Plan\n\nShip it."
    assert truth.content is not None
    assert datetime.fromisoformat(str(truth.content.edited_at)) == edited
    assert (truth.content.truncated, truth.partial, truth.lacks_content) == (False, False, False)
    assert (bodies.asked(RETRIEVE), bodies.asked()) == (1, 1)


async def test_without_content_no_body_is_asked_for_and_a_listing_shows_the_whole_page(bodies: Written) -> None:
    record = bodies.workspace.page()
    truth = await bodies.source.read(record)
    assert truth.content is None
    assert len(truth.fingerprint) == 16
    assert bodies.source.content_state(bodies.kept(truth)) == "off"
    assert bodies.source.changes is not None
    (shown,) = (await bodies.source.changes.listing(bodies.workspace.database, None)).truths
    assert (shown.partial, shown.matches(truth.fingerprint)) == (False, True)
    assert bodies.asked() == 0
    with_bodies = bodies.workspace.asked()
    async with tasks() as plain:
        record = plain.page()
        await plain.source.read(record)
        assert plain.source.changes is not None
        await plain.source.changes.listing(plain.database, None)
        assert plain.asked() == with_bodies


@pytest.mark.parametrize("kind", ["page_markdown", "page"])
async def test_an_answer_about_the_body_of_another_page_is_no_body_and_an_outage(bodies: Written, kind: str) -> None:
    record, other = bodies.page("mine"), bodies.page("another's")
    told = {"object": kind, "id": other.id, "markdown": "another's", "truncated": False, "unknown_block_ids": []}
    fault = bodies.notion.faults.answer(
        Reply(status=200, body=msgspec.json.encode(told), headers={"Content-Type": "application/json"}),
        path=lambda path: path.endswith("/markdown"),
    )
    with pytest.raises(SourceUnavailable) as caught:
        await bodies.source.read(record)
    assert caught.value.message == f"Notion answered with the body of {other.id} where {record.id} was asked for"
    fault.clear()
    assert markdown_of(await bodies.source.read(record)) == "mine"


async def test_a_block_s_answer_may_be_about_the_block_or_its_page_and_about_nothing_else() -> None:
    async with written() as bodies:
        bodies.notion.blocks_max = 3
        record = bodies.page("\n".join(f"line {number}" for number in range(9)))
        whole = markdown_of(await bodies.source.read(record))
        assert bodies.asked() > 1
        told = {"object": "page_markdown", "markdown": "x", "truncated": False, "unknown_block_ids": []}

        def answer(id_: str) -> Fault:
            return bodies.notion.faults.answer(
                Reply(
                    status=200,
                    body=msgspec.json.encode({**told, "id": id_}),
                    headers={"Content-Type": "application/json"},
                ),
                path=lambda path: path.endswith("/markdown") and record.id not in path,
            )

        fault = answer(record.id)
        assert "x" in markdown_of(await bodies.source.read(record))
        fault.clear()
        fault = answer(bodies.page().id)
        with pytest.raises(SourceUnavailable):
            await bodies.source.read(record)
        fault.clear()
        assert markdown_of(await bodies.source.read(record)) == whole


async def test_an_edit_of_a_body_alone_shows_in_the_next_listing_and_what_was_read_since_does_not(
    bodies: Written,
) -> None:
    record = bodies.page()
    bodies.clock.advance(5)
    copy = await bodies.copy(record)
    assert not await bodies.differs(record, copy)
    bodies.notion.edit_content(record.id, "Ship it today.")
    assert await bodies.differs(record, copy)
    bodies.clock.advance(5)
    copy = await bodies.copy(record)
    assert "Ship it today." in (copy.content or "")
    assert not await bodies.differs(record, copy)


async def test_the_second_edit_of_a_minute_is_found_when_the_minute_is_over_by_one_read_more(bodies: Written) -> None:
    record = bodies.page("first")
    copy = await bodies.copy(record)
    bodies.notion.edit_content(record.id, "second")  # within the same minute: no time tells the two apart
    assert not await bodies.differs(record, copy)
    bodies.clock.advance(5)
    assert await bodies.differs(record, copy)
    copy = await bodies.copy(record)
    assert "second" in (copy.content or "")
    assert not await bodies.differs(record, copy)
    assert bodies.asked() == 2


async def test_a_body_that_is_read_behind_an_edit_has_the_time_before_it_and_differs_at_the_next_listing(
    bodies: Written,
) -> None:
    record = bodies.page("before")
    bodies.clock.advance(5)
    shown = await bodies.listed(record)
    bodies.notion.edit_content(record.id, "behind")
    truth = await bodies.source.complete(shown)
    assert markdown_of(truth) == "behind"
    assert truth.content is not None
    assert truth.content.edited_at == shown.changed_at
    assert (truth.partial, truth.ticket) == (False, shown.ticket)
    bodies.clock.advance(5)
    assert await bodies.differs(record, bodies.kept(truth))


async def test_what_a_listing_shows_is_completed_by_its_body_alone_and_is_what_a_read_of_the_page_gives(
    bodies: Written,
) -> None:
    record = bodies.page()
    bodies.clock.advance(5)
    shown = await bodies.listed(record)
    assert (shown.partial, shown.lacks_content) == (True, True)
    waiting = bodies.kept(shown)
    assert (bodies.source.content_state(waiting), waiting.content) == ("waiting", None)
    assert await bodies.differs(record, waiting)
    completed = await bodies.source.complete(shown)
    assert bodies.asked(RETRIEVE) == 0
    assert completed.fingerprint == (await bodies.source.read(record)).fingerprint
    assert bodies.source.content_state(bodies.kept(completed)) == "stored"


async def test_links_that_are_signed_anew_are_no_change_and_it_is_said_when_they_end(bodies: Written) -> None:
    record = bodies.page(f'![plan]({FILE})\n\n<file src="{FILE.replace("png", "pdf")}">plan</file>')
    bodies.clock.advance(5)
    first = await bodies.source.read(record)
    bodies.clock.advance(5)
    second = await bodies.source.read(record)
    assert markdown_of(first) != markdown_of(second)
    assert first.fingerprint == second.fingerprint
    assert first.content is not None
    assert first.content.links_expire_at is not None
    assert first.content.links_expire_at.timestamp() == pytest.approx(bodies.clock.seconds() - 300 + 3600, abs=2)
    bodies.notion.edit_content(record.id, f"![plan]({FILE.replace('plan', 'another')})")
    bodies.clock.advance(5)
    assert (await bodies.source.read(record)).fingerprint[:16] != first.fingerprint[:16]


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("X-Amz-Date=20260101T120000Z&X-Amz-Expires=3600&X-Amz-Signature=ab", "2026-01-01T13:00:00+00:00"),
        ("table=block&expirationTimestamp=1767272400000&signature=x-y_z", "2026-01-01T13:00:00+00:00"),
        ("Expires=1767272400&Signature=ab~&Key-Pair-Id=K", "2026-01-01T13:00:00+00:00"),
        ("X-Amz-Date=20260101T120000Z&amp;X-Amz-Expires=3600&amp;X-Amz-Signature=ab", "2026-01-01T13:00:00+00:00"),
        ("X-Amz-Date=never&X-Amz-Expires=3600&X-Amz-Signature=ab", None),
        ("expirationTimestamp=99999999999999999999&signature=ab", None),
    ],
)
def test_every_kind_of_signed_link_is_steady_without_its_signature(query: str, end: str | None) -> None:
    text = f'see <image src="https://files.example.com/a/b.png?{query}"/> and https://example.com/?q=1'
    assert (
        without_signatures(text) == 'see <image src="https://files.example.com/a/b.png"/> and https://example.com/?q=1'
    )
    expected = None if end is None else datetime.fromisoformat(end)
    assert links_expire_at(text) == expected
    assert links_expire_at("https://example.com/?Expires=1767272400") is None


@pytest.mark.parametrize("piece", ["http://", "<unknown ", "https://x/?a=", "x"])
def test_a_text_of_somebody_with_bad_intentions_is_looked_through_once(piece: str) -> None:
    text = piece * 100_000
    assert without_signatures(text) == text
    read = read_of({"markdown": text, "truncated": True, "unknown_block_ids": [ASKING, "../users/me", 7]})
    assert (read.unknown, read.truncated) == ((ASKING,), True)
    assert completed(read, ASKING, read_of({"markdown": "end"})).text.endswith("end")


async def test_blocks_that_an_answer_leaves_out_are_read_and_stand_where_they_belong(bodies: Written) -> None:
    lines = "\n".join(f"line {number}" for number in range(40))
    record = bodies.page(lines)
    bodies.notion.blocks_max = 10
    truth = await bodies.source.read(record)
    assert markdown_of(truth) == lines
    assert truth.content is not None
    assert not truth.content.truncated


async def test_what_the_requests_do_not_reach_and_what_is_not_shared_is_said_to_be_left_out() -> None:
    async with written(content_requests_max=2) as bodies:
        record = bodies.page("\n".join(f"line {number}" for number in range(40)))
        bodies.notion.blocks_max = 10
        truth = await bodies.source.read(record)
        assert truth.content is not None
        assert truth.content.truncated
        assert "line 19" in truth.content.markdown
        assert bodies.asked() == 2
        parent = bodies.page("open")
        child = bodies.notion.create_page(parent.id, title="Secret")
        bodies.notion.revoke(child)
        truth = await bodies.source.read(parent)
        assert truth.content is not None
        assert (truth.content.truncated, truth.content.markdown.startswith("open")) == (True, True)


async def test_a_body_of_two_megabytes_is_kept_as_far_as_the_characters_go_and_its_end_still_counts() -> None:
    async with written(content_characters_max=1000) as bodies:
        text = "\N{GRINNING FACE}" * 500_000
        record = bodies.page(text + "one")
        truth = await bodies.source.read(record)
        assert truth.content is not None
        assert (truth.content.truncated, truth.content.markdown) == (True, text[:1000])
        bodies.notion.edit_content(record.id, text + "two")
        assert (await bodies.source.read(record)).fingerprint[:16] != truth.fingerprint[:16]


@pytest.mark.parametrize(
    ("text", "kept_text"),
    [("a\0b", "a\0b"), ("cut \ud83d", "cut ?"), ("\u202eright to left \N{GRINNING FACE}", None), ("", None)],
)
async def test_whatever_characters_a_body_has_it_can_be_kept(bodies: Written, text: str, kept_text: str | None) -> None:
    copy = await bodies.copy(bodies.page(text))
    assert copy.content is not None
    assert msgspec.json.decode(copy.content)["markdown"] == (text if kept_text is None else kept_text)
    assert "\0" not in copy.content  # which Postgres has no form for


@pytest.mark.parametrize("answer", [{"markdown": 7}, {"markdown": None}, {}, {"object": "list", "results": []}])
async def test_a_body_that_is_no_text_costs_the_page_its_body_and_nothing_else(
    bodies: Written, answer: dict[str, object]
) -> None:
    record = bodies.page()
    bodies.clock.advance(5)
    reply = Reply(status=200, body=msgspec.json.encode(answer), headers={"Content-Type": "application/json"})
    bodies.notion.faults.answer(reply, path=lambda path: path.endswith("/markdown"))
    truth = await bodies.source.read(record)
    assert truth.data is not None
    copy = bodies.kept(truth)
    assert bodies.source.content_state(copy) == "refused"
    assert await bodies.differs(record, copy), "the next sweep asks for it again"


async def test_without_the_capability_pages_go_on_without_bodies_and_nobody_asks_again_for_a_while(
    bodies: Written,
) -> None:
    first, second = bodies.page(), bodies.page()
    bodies.notion.bodies_readable = False
    bodies.clock.advance(5)
    copies = {record: await bodies.copy(record) for record in (first, second)}
    assert bodies.asked() == 1
    for record, copy in copies.items():
        assert (copy.data is not None, copy.content) == (True, None)
        assert bodies.source.content_state(copy) == "refused"
        assert copy.fingerprint == (await bodies.listed(record)).fingerprint[:16], "it waits"
    refused = bodies.source.content_refused(ASKING)
    assert refused is not None
    assert "read content" in refused
    assert bodies.asked() == 1
    bodies.notion.bodies_readable = True
    bodies.clock.advance(11)
    assert bodies.source.content_state(await bodies.copy(first)) == "stored"
