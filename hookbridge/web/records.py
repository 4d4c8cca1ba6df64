"""The copies and the index, for the user's own API.

Invariant: an answer is the copy as the source's last change that was settled left it, or was read from the source just
now; the record's JSON is passed on byte for byte, digits and all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from hookbridge.clock import epoch_time, time_of
from hookbridge.errors import InvalidParameter, NotFound
from hookbridge.model import RecordKey, SourceName
from hookbridge.records import Difference
from hookbridge.service import Service
from hookbridge.store.values import RecordEntry, RecordFilter, RecordState
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import path_key, query, record_ids, table_names, table_of_source
from hookbridge.web.protocol import while_heard
from hookbridge.web.replies import json_reply


class RecordAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A record as its source has it."""

    source: SourceName
    table: str
    id: str
    """The record's key, or the page's id."""
    data: msgspec.Raw
    """The row, or the page object."""
    changed_at: str | None
    """The source's own time of the last change, as the source wrote it."""
    read_at: datetime
    """When it was read from the source."""
    verified: bool
    """False when it came from a webhook because the source has no credentials."""
    links_expired_at: datetime | msgspec.UnsetType = msgspec.UNSET
    """When the first of its links to files stops or stopped to work; only where it has links that do."""
    cut_properties: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """The properties that are longer than what was read of them; only where there are some."""


class RecordAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to read it."""

    fresh: Literal[0, 1] = 0
    """1 asks the source, when nothing else wants to; at most once a minute a record."""


class DiffAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A record's copy beside the truth, read now."""

    source: SourceName
    table: str
    id: str
    """The record's key, or the page's id."""
    agrees: bool
    """Whether copy and source are the same, and were read whole."""
    differences: tuple[Difference, ...]
    """What is not the same; a path of `*` is the whole record, where one side has none."""
    cut_properties: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """The properties that are longer than what was read of them, and not known to be the same; only where there are."""
    copy: msgspec.Raw
    """Null when there is no copy of it."""
    copy_read_at: datetime | None
    """When the copy was read; null when there is none."""
    truth: msgspec.Raw
    """Null when the source has no such record."""


class RecordQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records to list."""

    source: SourceName | None = None
    table: str | None = None
    record_id: str | None = None
    state: RecordState | None = None
    q: Annotated[str, Meta(min_length=1, max_length=1000)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: str | None = None


class RecordSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A record, without its data."""

    source: SourceName
    table: str
    id: str
    """The record's key, or the page's id."""
    present: bool | None
    """False when the source has no such record; null while there is no copy of it."""
    changed_at: str | None
    """The source's own time of the last change, as the source wrote it."""
    read_at: datetime | None
    """When it was read from the source."""
    verified: bool | None
    """False when the copy came from a webhook because the source has no credentials."""
    waiting_since: datetime | None
    """Since when it has open events; null when it has none."""


class RecordPageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Records, by source, table and id."""

    records: tuple[RecordSummary, ...]
    """In the order of source, table and id."""
    next_cursor: str | None
    """Pass it as `cursor` for the next page; null on the last one."""


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for."""

    q: Annotated[str, Meta(min_length=1, max_length=1000, description="Words; the last one may be a beginning")]
    source: SourceName | None = None
    table: Annotated[str | None, Meta(description="Needs `source`")] = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class HitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One record that was found."""

    source: SourceName
    table: str
    id: str
    """The record's key, or the page's id."""
    snippet: str
    """The words around the match, each match in `[` and `]`."""
    score: float
    """Larger is better."""
    data: msgspec.Raw
    """The row, or the page object."""
    links_expired_at: datetime | msgspec.UnsetType = msgspec.UNSET
    """When the first of its links to files stops or stopped to work; only where it has links that do."""
    cut_properties: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """The properties that are longer than what was read of them; only where there are some."""


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, best first."""

    query: str
    """What was looked for."""
    hits: tuple[HitAnswer, ...]
    """The best first."""


async def record(request: web.Request) -> web.StreamResponse:
    """Answer from the copy, or read through on a miss.  Raises NotFound when the source has no such record.

    With `fresh=1` the source is asked: links to files in a copy expire, and are never renewed by themselves.
    """
    service = request.app[SERVICE]
    key = path_key(service, request)
    asked = query(request, RecordAsked)
    copy = await (service.records.refresh(key) if asked.fresh else service.records.get(key))
    if copy is None or copy.data is None:
        raise NotFound(f"{key.source} has no record {key.id} in {key.table}")
    return json_reply(
        RecordAnswer(
            source=key.source,
            table=copy.record.table,
            id=copy.record.id,
            data=msgspec.Raw(copy.data),
            changed_at=copy.changed_at,
            read_at=time_of(copy.read_at),
            verified=copy.verified,
            **_limits(service, key.source, copy.data),
        ),
        headers={"Cache-Control": "no-store"},
    )


def _limits(service: Service, source: SourceName, data: bytes) -> dict[str, Any]:
    """Give the fields of an answer that say what the copy cannot hold; none where it holds all."""
    limits = service.sources[source].limits(data)
    said = {"links_expired_at": limits.links_expired_at, "cut_properties": limits.cut_properties}
    return {name: value for name, value in said.items() if value}


async def diff(request: web.Request) -> web.StreamResponse:
    """Read the record from its source and put the copy beside it; nothing is changed."""
    service = request.app[SERVICE]
    key = path_key(service, request)
    found = await service.records.compare(key)
    copy = found.copy
    return json_reply(
        DiffAnswer(
            source=key.source,
            table=key.table,
            id=key.id,
            agrees=found.agrees,
            differences=found.differences,
            copy=msgspec.Raw(b"null" if copy is None or copy.data is None else copy.data),
            copy_read_at=None if copy is None else time_of(copy.read_at),
            truth=msgspec.Raw(found.truth.data or b"null"),
            cut_properties=(service.sources[key.source].limits(found.truth.data or b"{}").cut_properties)
            if found.truth.cut
            else msgspec.UNSET,
        ),
        headers={"Cache-Control": "no-store"},
    )


class VerifyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The record will be read from its source."""

    event_id: int
    """Of the event that says so: when it is applied, copy and index are what the source had."""


async def verify_now(request: web.Request) -> web.StreamResponse:
    """Have the record read from its source, through its lane, whatever is known of it."""
    service = request.app[SERVICE]
    receipt = await service.verify(path_key(service, request))
    return json_reply(VerifyAnswer(event_id=receipt.event_id), 202)


async def listing(request: web.Request) -> web.StreamResponse:
    """List records by name."""
    service = request.app[SERVICE]
    asked = query(request, RecordQuery)
    which = RecordFilter(
        source=asked.source,
        tables=table_names(service, asked.source, asked.table),
        record_ids=record_ids(service, asked.source, asked.table, asked.record_id),
        state=asked.state,
        text=asked.q,
    )
    after = _after(asked.cursor)
    with while_heard(request):
        page = await service.store.records(which, after=after, limit=asked.limit)
    return json_reply(
        RecordPageAnswer(
            records=tuple(map(_summary, page.records)),
            next_cursor=None if page.next_cursor is None else str(page.next_cursor),
        ),
        headers={"Cache-Control": "no-store"},
    )


def _after(cursor: str | None) -> RecordKey | None:
    try:
        return None if cursor is None else RecordKey.parse(cursor)
    except ValueError:
        raise InvalidParameter("cursor", "expected `next_cursor` of a page") from None


def _summary(entry: RecordEntry) -> RecordSummary:
    return RecordSummary(
        source=entry.record.source,
        table=entry.record.table,
        id=entry.record.id,
        present=entry.present,
        changed_at=entry.changed_at,
        read_at=epoch_time(entry.read_at),
        verified=entry.verified,
        waiting_since=epoch_time(entry.waiting_since),
    )


async def search(request: web.Request) -> web.StreamResponse:
    """Find records by their words."""
    service = request.app[SERVICE]
    asked = query(request, SearchQuery)
    table = table_of_source(service, asked.source, asked.table)
    with while_heard(request):
        found = await service.store.search(asked.q, source=asked.source, table=table, limit=asked.limit)
    hits = tuple(
        HitAnswer(
            source=hit.record.source,
            table=hit.record.table,
            id=hit.record.id,
            snippet=hit.snippet,
            score=hit.score,
            data=msgspec.Raw(hit.data),
            **_limits(service, hit.record.source, hit.data),
        )
        for hit in found
    )
    return json_reply(SearchAnswer(query=asked.q, hits=hits), headers={"Cache-Control": "no-store"})
