"""The copies and the index, for the user's own API.

Invariant: an answer is the copy as the source's last change that was settled left it, or was read from the source just
now; the record's JSON is passed on byte for byte, digits and all.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from hookbridge.api import records as said
from hookbridge.clock import epoch_time, time_of
from hookbridge.errors import (
    InvalidParameter,
    NotFound,
    RecordImpossible,
    RecordUnreadable,
    SourceRefused,
    SourceUnavailable,
    TooSoon,
    TryLater,
)
from hookbridge.model import RecordKey, SourceName
from hookbridge.naming import Called
from hookbridge.search import Hit
from hookbridge.service import Service
from hookbridge.store.values import RecordEntry, RecordFilter
from hookbridge.telling import content_answer
from hookbridge.web import rows
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import path_key, query, record_ids, table_names, table_of_source
from hookbridge.web.protocol import while_heard
from hookbridge.web.replies import PRIVATE, json_reply
from hookbridge.web.route import Answer, Route


async def record(request: web.Request) -> web.StreamResponse:
    """Show a record as its source has it: from the copy, or read through on a miss.

    With `fresh=1` the source is asked: links to files in a copy expire, and are never renewed by themselves.
    Raises NotFound when the source has no such record.
    """
    service = request.app[SERVICE]
    key = path_key(service, request)
    asked = query(request, said.RecordAsked)
    copy = await (service.records.refresh(key) if asked.fresh else service.records.get(key))
    if copy is None or copy.data is None:
        raise NotFound(f"{key.source} has no record {key.id} in {key.table}")
    called = await service.naming.of(copy.record, copy.title)
    return json_reply(
        said.RecordAnswer(
            source=key.source,
            table=copy.record.table,
            id=copy.record.id,
            title=called.title,
            table_label=called.table_label,
            data=msgspec.Raw(copy.data),
            changed_at=copy.changed_at,
            read_at=time_of(copy.read_at),
            verified=copy.verified,
            content=content_answer(service.sources, copy),
            content_state=service.sources[key.source].content_state(copy),
            words_cut=True if await service.search.words_are_cut(copy) else msgspec.UNSET,
            values=rows.values(service, copy) if asked.values else msgspec.UNSET,
            **_limits(service, key.source, copy.data),
        ),
        headers=PRIVATE,
    )


def _limits(service: Service, source: SourceName, data: bytes) -> dict[str, Any]:
    """Give the fields of an answer that say what the copy cannot hold; none where it holds all."""
    limits = service.sources[source].limits(data)
    found = {"links_expired_at": limits.links_expired_at, "cut_properties": limits.cut_properties}
    return {name: value for name, value in found.items() if value}


async def diff(request: web.Request) -> web.StreamResponse:
    """Read the record from its source and put the copy beside it; nothing is changed."""
    service = request.app[SERVICE]
    key = path_key(service, request)
    found = await service.records.compare(key)
    copy = found.copy
    called = await service.naming.of(key, found.title)
    return json_reply(
        said.DiffAnswer(
            source=key.source,
            table=key.table,
            id=key.id,
            title=called.title,
            table_label=called.table_label,
            agrees=found.agrees,
            differences=found.differences,
            copy=msgspec.Raw(b"null" if copy is None or copy.data is None else copy.data),
            copy_read_at=None if copy is None else time_of(copy.read_at),
            truth=msgspec.Raw(found.truth.data or b"null"),
            cut_properties=(service.sources[key.source].limits(found.truth.data or b"{}").cut_properties)
            if found.truth.cut
            else msgspec.UNSET,
        ),
        headers=PRIVATE,
    )


async def verify_now(request: web.Request) -> web.StreamResponse:
    """Have the record read from its source, through its lane, whatever is known of it."""
    service = request.app[SERVICE]
    receipt = await service.verify(path_key(service, request))
    return json_reply(said.VerifyAnswer(event_id=receipt.event_id), 202)


async def listing(request: web.Request) -> web.StreamResponse:
    """List records."""
    service = request.app[SERVICE]
    asked = query(request, said.RecordQuery)
    which = RecordFilter(
        source=asked.source,
        tables=table_names(service, asked.source, asked.table, where="query"),
        record_ids=record_ids(service, asked.source, asked.table, asked.record_id, where="query"),
        state=asked.state,
        text=asked.q,
    )
    columns = rows.columns_of(asked.columns)
    with while_heard(request):
        entries, cursor = await _page(service, which, asked)
        shown = await rows.shown(service, [entry.record for entry in entries], columns, asked.q)
    called = await service.naming.of_each(entry.record for entry in entries)
    return json_reply(
        said.RecordPageAnswer(
            records=tuple(_summary(entry, called[entry.record], shown.get(entry.record, {})) for entry in entries),
            next_cursor=cursor,
        ),
        headers=PRIVATE,
    )


async def _page(
    service: Service, which: RecordFilter, asked: said.RecordQuery
) -> tuple[tuple[RecordEntry, ...], str | None]:
    """Give a page in the order that was asked for, and where the next one goes on.  Raises InvalidParameter."""
    try:
        if asked.order == "changed":
            recent = await service.store.recent(
                which, before=None if asked.cursor is None else _seq(asked.cursor), limit=asked.limit
            )
            return recent.records, None if recent.next_cursor is None else str(recent.next_cursor)
        after = None if asked.cursor is None else RecordKey.parse(asked.cursor)
    except ValueError:
        raise InvalidParameter("cursor", "expected `next_cursor` of a page in the same order") from None
    page = await service.store.records(which, after=after, limit=asked.limit)
    return page.records, None if page.next_cursor is None else str(page.next_cursor)


def _seq(cursor: str) -> int:
    """Give a place of the feed.  Raises ValueError."""
    seq = int(cursor)
    if not 0 < seq < 2**63:
        raise ValueError(cursor)
    return seq


def _summary(entry: RecordEntry, called: Called, shown: rows.Shown) -> said.RecordSummary:
    return said.RecordSummary(
        source=entry.record.source,
        table=entry.record.table,
        id=entry.record.id,
        title=called.title,
        table_label=called.table_label,
        present=entry.present,
        changed_at=entry.changed_at,
        read_at=epoch_time(entry.read_at),
        verified=entry.verified,
        waiting_since=epoch_time(entry.waiting_since),
        **shown,
    )


async def search(request: web.Request) -> web.StreamResponse:
    """Find records by their words."""
    service = request.app[SERVICE]
    asked = query(request, said.SearchQuery)
    table = table_of_source(service, asked.source, asked.table, where="query")
    with while_heard(request):
        found = await service.search.find(asked.q, source=asked.source, table=table, limit=asked.limit)
    hits = tuple([_hit(service, hit, await service.naming.of(hit.record, hit.title)) for hit in found.hits])
    answer = said.SearchAnswer(query=asked.q, hits=hits, complete=found.complete, indexing=found.indexing)
    return json_reply(answer, headers=PRIVATE)


def _hit(service: Service, hit: Hit, called: Called) -> said.HitAnswer:
    return said.HitAnswer(
        source=hit.record.source,
        table=hit.record.table,
        id=hit.record.id,
        title=called.title,
        table_label=called.table_label,
        snippet=hit.snippet,
        score=hit.score,
        data=msgspec.Raw(hit.data),
        words_cut=True if hit.words_cut else msgspec.UNSET,
        **_limits(service, hit.record.source, hit.data),
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/records",
        handler=listing,
        access="readers",
        tag="records",
        name="listRecords",
        query=said.RecordQuery,
        answers={200: Answer(description="One page", bodies=(said.RecordPageAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/records/{source}/{table}/{id}",
        place=said.RecordPath,
        handler=record,
        access="readers",
        tag="records",
        name="record",
        query=said.RecordAsked,
        answers={200: Answer(description="The record", bodies=(said.RecordAnswer,))},
        refusals=(
            NotFound,
            TooSoon,
            SourceUnavailable,
            RecordUnreadable,
            SourceRefused,
            RecordImpossible,
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/records/{source}/{table}/{id}/diff",
        place=said.RecordPath,
        handler=diff,
        tag="records",
        name="recordDiff",
        answers={200: Answer(description="Both, and what differs", bodies=(said.DiffAnswer,))},
        refusals=(
            SourceUnavailable,
            RecordUnreadable,
            SourceRefused,
            RecordImpossible,
        ),
    ),
    Route(
        method="POST",
        path="/api/v1/records/{source}/{table}/{id}/verify",
        place=said.RecordPath,
        handler=verify_now,
        tag="records",
        name="verifyRecord",
        answers={202: Answer(description="Its event is on disk", bodies=(said.VerifyAnswer,))},
        refusals=(SourceRefused, TryLater),
    ),
    Route(
        method="GET",
        path="/api/v1/search",
        handler=search,
        access="readers",
        tag="records",
        name="search",
        query=said.SearchQuery,
        answers={200: Answer(description="Hits, best first", bodies=(said.SearchAnswer,))},
    ),
)
