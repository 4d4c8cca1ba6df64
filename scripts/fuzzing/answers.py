"""What the sources answer, as bytes, through the real clients with their SDKs: rows and pages, or one of our errors.

An answer is a status, two header values and a body: ``200 0-9/10 5`` before the first line break, the rest is the
body.  Without such a line all of it is the body of a 200.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import msgspec

from hookbridge.config import NotionConfig, NotionDatabase, SupabaseConfig, SupabaseTable
from hookbridge.errors import SourceError
from hookbridge.model import Columns, RecordKey
from hookbridge.reconcile.state import PollState, SweepState
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.notion import agreement, cuts, pages, words
from hookbridge.sources.notion.answers import truth_of, whole, with_content
from hookbridge.sources.notion.bodies import REFUSED_SECONDS, Bodies
from hookbridge.sources.notion.budget import Budget, Urgency
from hookbridge.sources.notion.changes import NotionChanges
from hookbridge.sources.notion.client import NotionClient
from hookbridge.sources.notion.databases import Databases
from hookbridge.sources.notion.places import Places
from hookbridge.sources.source import unordered
from hookbridge.sources.statuses import RETRY_AFTER_SECONDS_MAX
from hookbridge.sources.supabase import agreement as row_agreement
from hookbridge.sources.supabase import filters, rows
from hookbridge.sources.supabase import words as row_words
from hookbridge.sources.supabase.changes import SupabaseChanges
from hookbridge.sources.supabase.client import SupabaseClient

PAGE = "11111111-1111-4111-8111-111111111111"
WATERMARK = "2026-01-01T00:00:00Z"
_NOW = 1_790_000_000.0
_HEAD = re.compile(rb"(\d{3})(?: ([^ \n]*))?(?: ([^\n]*))?\n")
_LISTED = SupabaseTable(name="lines", key=("order_id", "no"), changed_at="updated_at")
_TABLE = "public.lines"

T = TypeVar("T")


class _Answering(httpx.AsyncBaseTransport):
    """In place of the network."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def take(self, data: bytes) -> None:
        """Answer like this from now on."""
        head = _HEAD.match(data)
        self.status, self.headers = 200, [(b"Content-Type", b"application/json")]
        self.body = data
        if head is not None:
            self.status, self.body = int(head[1]), data[head.end() :]
            self.headers += [(b"Content-Range", head[2] or b""), (b"Retry-After", head[3] or b"")]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Give what was taken, whatever is asked."""
        return httpx.Response(self.status, headers=self.headers, content=self.body, request=request)


class _Sources:
    """Both clients, made at the first use: they belong to a loop."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.answering = _Answering()
        self.runner.run(self._make())

    async def _make(self) -> None:
        self.supabase = SupabaseClient("http://localhost", "sb_secret_of_the_fuzzer", 5.0)
        # At each look the time of any ``Retry-After`` is over: nothing is waited for here.
        budget = Budget(1e9, clock=itertools.count(step=2 * RETRY_AFTER_SECONDS_MAX).__next__)
        self.notion = NotionClient(NotionConfig(), "ntn_of_the_fuzzer", budget, unordered, clock=lambda: _NOW)
        for http in (self.supabase._http, self.notion._http):  # noqa: SLF001  the network is what is replaced
            http._transport, http._mounts = self.answering, {}  # noqa: SLF001
        config = SupabaseConfig(tables=(_LISTED,))
        self.supabase_changes = SupabaseChanges(self.supabase, config, unordered, lambda: _NOW)
        self.rest = cuts.Rest(self.notion, 3)
        self.places = Places(NotionConfig(), readable=True)
        databases = Databases(self.notion, self.places)
        followed = NotionConfig(databases=(NotionDatabase(id=PAGE, content=True),))
        self.bodies = Bodies(self.notion, followed, itertools.count(step=2 * int(REFUSED_SECONDS)).__next__)
        self.notion_changes = NotionChanges(
            self.notion, databases, self.places, self.bodies, NotionConfig(), lambda: _NOW
        )


_made: list[_Sources] = []


def _sources() -> _Sources:
    if not _made:
        _made.append(_Sources())
    return _made[0]


def supabase(data: bytes) -> None:
    """Read rows, and list a table from them on: the cursor is made of what the rows say."""
    sources = _sources()
    sources.answering.take(data)
    sources.runner.run(_supabase(sources))


async def _supabase(sources: _Sources) -> None:
    read = await _or_none(
        lambda: sources.supabase.rows("public", "lines", filters.named(("order_id", "no"), [("1", "2")]))
    )
    for row in read.rows if read is not None else ():
        try:
            truth = rows.truth(_TABLE, row, _LISTED, 1)
        except SourceError:  # one that cannot be read
            continue
        columns = decode_columns(row)
        assert RecordKey.parse(str(truth.record)) == truth.record
        assert rows.fingerprint(columns) == truth.fingerprint
        assert row_agreement.agree(columns, columns)
        row_words.fields(columns, None, None)
        rows.is_named(truth, ("1", "2"))
    changes = sources.supabase_changes
    await _or_none(lambda: changes.newest(_TABLE))
    for listing in (
        lambda cursor: changes.listing(_TABLE, cursor),
        lambda cursor: changes.since(_TABLE, WATERMARK, 60.0, cursor),
    ):
        cursor: str | None = None
        for _ in range(2):
            slice_ = await _or_none(lambda listing=listing, cursor=cursor: listing(cursor))  # type: ignore[misc]
            if slice_ is None or (cursor := slice_.next_cursor) is None:
                break


def notion(data: bytes) -> None:
    """Read a page, a database's data sources and a query, and follow the query's cursor."""
    sources = _sources()
    sources.answering.take(data)
    sources.runner.run(_notion(sources))


async def _notion(sources: _Sources) -> None:
    client = sources.notion
    found: list[Columns] = []
    read = await _or_none(lambda: client.page(PAGE, Urgency.READ))
    if read is not None and read[0] is not None:
        found.append(read[0])
    await _or_none(lambda: client.database(PAGE, Urgency.READ))
    await _or_none(lambda: client.data_source(PAGE, Urgency.READ))
    listed = await _or_none(lambda: client.query(PAGE, Urgency.READ))
    found += listed.pages if listed is not None else ()
    for one in found:
        truth = truth_of(RecordKey("notion", PAGE, PAGE), one, 1, _NOW, sources.places, with_body=sources.bodies.wanted)
        assert RecordKey.parse(str(truth.record)) == truth.record
        completed = await _or_none(lambda one=one: sources.rest.complete(one, Urgency.READ))  # type: ignore[misc]
        body = await _or_none(lambda truth=truth: sources.bodies.read(truth, Urgency.READ))  # type: ignore[misc]
        if truth.lacks_content:
            truth = with_content(truth, body, _NOW)
        elif truth.partial and completed is not None:
            truth = whole(truth, completed, body)
        agreement.agree(one, one)
        pages.fingerprint(one)
        words.fields(one, None)
        if truth.data is not None:
            decode_columns(truth.data)
            cuts.limits(truth.data)
    # The answer is no data source of anything; so the cursor says where the listing stands.
    place = msgspec.json.encode({"sources": [PAGE], "start": None, "since": None}).decode()
    for listing in (
        lambda cursor: sources.notion_changes.listing(PAGE, cursor),
        lambda cursor: sources.notion_changes.since(PAGE, WATERMARK, 60.0, cursor),
    ):
        slice_ = await _or_none(lambda listing=listing: listing(place))  # type: ignore[misc]
        if slice_ is not None and slice_.next_cursor is not None:
            await _or_none(lambda listing=listing, at=slice_.next_cursor: listing(at))  # type: ignore[misc]


def cursor(data: bytes) -> None:
    """Read the reconciler's notes and the cursors in them: a damaged one is found to be that, by its decoder."""
    text = data.decode("utf-8", "replace")  # SQLite gives text
    sources = _sources()
    sources.answering.take(b"200 */0 \n[]")
    for kind in (PollState, SweepState):
        try:
            state = msgspec.json.decode(text, type=kind)
        except msgspec.DecodeError:
            continue
        assert msgspec.json.decode(msgspec.json.encode(state), type=kind) == state
    sources.runner.run(_cursor(sources, text))


async def _cursor(sources: _Sources, text: str) -> None:
    for listing in (
        lambda: sources.supabase_changes.listing(_TABLE, text),
        lambda: sources.supabase_changes.since(_TABLE, text, 60.0, None),
        lambda: sources.notion_changes.listing(PAGE, text),
    ):
        try:
            await _or_none(listing)
        except msgspec.DecodeError:
            continue


async def _or_none(ask: Callable[[], Awaitable[T]]) -> T | None:
    """Ask; None for one of our errors, which every caller has to expect."""
    try:
        return await ask()
    except SourceError:
        return None
