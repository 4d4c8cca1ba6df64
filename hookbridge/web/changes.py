"""The feed of changes over HTTP: page by page, held until something comes, or as a stream of events.

Invariant: a place is given only behind what was told, and a stream begins only where its place is not gone.
"""

from __future__ import annotations

import asyncio
from itertools import product

import msgspec
from aiohttp import web

from hookbridge import feed
from hookbridge.api import changes as said
from hookbridge.errors import InvalidParameter, PlaceGone, StoreUnavailable
from hookbridge.model import SOURCES
from hookbridge.service import Service
from hookbridge.store.values import FeedFilter
from hookbridge.web.keys import LISTENING, SERVICE
from hookbridge.web.listening import Listening
from hookbridge.web.parameters import query, table_names
from hookbridge.web.protocol import protocol_of, while_heard
from hookbridge.web.replies import JSON_HEADERS, PRIVATE, json_reply
from hookbridge.web.route import Answer, Route

STREAM = "text/event-stream"

HEARTBEAT_SECONDS = 15.0
"""So often a stream without changes says that it lives: proxies close what says nothing for a minute."""

RETRY = b"retry: 1000\n\n"
"""After how many milliseconds a client comes again to a stream that has ended."""

INCLUDED = frozenset({"data", "content"})

_encode = msgspec.json.Encoder(decimal_format="number").encode


class _Reading:
    """What one request wants of the feed, and where it is."""

    def __init__(self, service: Service, asked: said.ChangesQuery) -> None:
        self.service = service
        self.limit = asked.limit
        self.included = _included(asked.include)
        tables = table_names(service, asked.source, asked.table, where="query")
        sources = SOURCES if asked.source is None else (asked.source,)
        self._which = FeedFilter(
            sources=(asked.source,) if asked.source is not None and not tables else (),
            tables=tuple(product(sources, tables)),
        )

    async def part(self, place: feed.Place) -> feed.Part:
        """Give what comes behind a place.  Raises PlaceGone."""
        contents = "content" in self.included
        return await feed.read(self.service.store, place, self._which, limit=self.limit, contents=contents)

    async def entries(self, part: feed.Part) -> list[said.Entry]:
        """Give a part as it is told."""
        data, content = "data" in self.included, "content" in self.included
        entries: list[said.Entry] = [
            await self.service.telling.entry(change, data=data, content=content) for change in part.entries
        ]
        return [*entries, said.SnapshotEnd(seq=part.next.seq)] if part.ends_snapshot else entries


async def changes(request: web.Request) -> web.StreamResponse:
    """Tell what has changed since a place, each record once, as it is by now.

    With `Accept: text/event-stream` it is a stream that goes on: each entry is the `data` of an event, whose `event` is
    its `type`, and whose `id` is the place behind it. Raises PlaceGone.
    """
    service = request.app[SERVICE]
    asked = query(request, said.ChangesQuery)
    reading = _Reading(service, asked)
    is_stream = STREAM in request.headers.get("Accept", "") and request.method == "GET"
    last = request.headers.get("Last-Event-ID", "") if is_stream else ""
    place = await _place(service, last, "Last-Event-ID", "header") if last else await _place(service, asked.since)
    with while_heard(request):
        part = await reading.part(place)
        if is_stream:
            return await _stream(request, reading, part)
        part = await _waited(request.app[LISTENING], reading, part, asked.wait)
        told = said.ChangesAnswer(changes=tuple(await reading.entries(part)), next=str(part.next))
    return json_reply(told, headers=PRIVATE)


async def _place(service: Service, text: str, name: str = "since", where: str = "query") -> feed.Place:
    """Give the place that a request names.  Raises InvalidParameter."""
    if text == "0":
        return await feed.snapshot(service.store)
    if text == "now":
        return await feed.newest(service.store)
    try:
        return feed.Place.parse(text)
    except ValueError:
        raise InvalidParameter(name, "expected 0, now, or `next` of an answer", where=where) from None


def _included(text: str) -> frozenset[str]:
    """Give what an entry is to have.  Raises InvalidParameter."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if not names <= INCLUDED:
        raise InvalidParameter("include", "expected data, content, data,content or nothing")
    return names


async def _waited(listening: Listening, reading: _Reading, part: feed.Part, seconds: float) -> feed.Part:
    """Give a part with something in it, or the last one without when it is time to answer."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not (part.entries or part.ends_snapshot) and (left := until - loop.time()) > 0:
        if not await listening.unless_over(reading.service.store.beyond(part.ends), left):
            break
        part = await reading.part(part.next)
    return part


async def _stream(request: web.Request, reading: _Reading, part: feed.Part) -> web.StreamResponse:
    """Tell one part after the other, until the client goes or the service stops."""
    listening = request.app[LISTENING]
    text = RETRY + await _events(reading, part)  # before the answer begins: behind that nothing can be refused
    response = web.StreamResponse(
        headers={**JSON_HEADERS, **PRIVATE, "Content-Type": STREAM, "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    part = part.nothing_behind()  # what was told is not held as well, however long its client takes
    while await listening.unless_over(response.write(text)):
        try:
            part = await reading.part(part.next) if not part.is_last else part
            part = await _waited(listening, reading, part, HEARTBEAT_SECONDS)
            text = await _events(reading, part) or _heartbeat(part.next)
            part = part.nothing_behind()
        except (PlaceGone, StoreUnavailable):
            return response  # it is told so when it comes again
        if listening.is_over:
            return response
    protocol_of(request).force_close()  # it reads nothing, and would not read the end either
    return response


async def _events(reading: _Reading, part: feed.Part) -> bytes:
    """Give a part as events, each with the place behind it."""
    entries = await reading.entries(part)
    return b"".join(_event(place, entry) for place, entry in zip(part.places(), entries, strict=True))


def _event(place: feed.Place, entry: said.Entry) -> bytes:
    # JSON has line breaks only between its parts, and here a line is one.
    json = _encode(entry).replace(b"\r", b" ").replace(b"\n", b" ")
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(place).encode(), _TYPES[type(entry)], json)


def _heartbeat(place: feed.Place) -> bytes:
    """Say that nothing has changed up to here; no event comes of it, but the place is kept."""
    return b":\nid: %s\n\n" % str(place).encode()


_TYPES: dict[type[said.Entry], bytes] = {
    said.UpsertEntry: b"upsert",
    said.DeleteEntry: b"delete",
    said.SnapshotEnd: b"snapshot_end",
}

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/changes",
        handler=changes,
        access="readers",
        tag="changes",
        name="changes",
        query=said.ChangesQuery,
        headers=said.ChangesHeaders,
        answers={200: Answer(description="What has changed", bodies=(said.ChangesAnswer,))},
        refusals=(PlaceGone,),
    ),
)
