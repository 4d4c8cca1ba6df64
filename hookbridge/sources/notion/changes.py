"""How the reconciler reads databases: slices of their data sources, one after the other.

Changes come in the order of ``last_edited_time``, everything in the order of ``created_time``, which edits leave alone.
Invariants: a cursor that became invalid goes on from the last minute that was seen, never from nowhere; a query that
Notion cut at its 10,000 results goes on likewise, and where it cannot (more pages than that in one minute) it raises:
such a listing never looks complete; a data source counts as gone when its database says so, not when it cannot be
queried; no page is listed for two tables.  Wire format: https://developers.notion.com/reference/query-a-data-source.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from hookbridge.clock import time_of
from hookbridge.config import NotionConfig
from hookbridge.errors import RecordImpossible, RecordUnreadable
from hookbridge.model import RecordKey
from hookbridge.names import dashed
from hookbridge.sources.carrying import CARRIED_SECONDS_MAX
from hookbridge.sources.notion.answers import truth_of
from hookbridge.sources.notion.bodies import Bodies
from hookbridge.sources.notion.budget import Urgency
from hookbridge.sources.notion.cuts import OPEN_SECONDS
from hookbridge.sources.notion.databases import Databases
from hookbridge.sources.notion.places import Places
from hookbridge.sources.source import Followed, Slice
from hookbridge.sources.times import earlier, instant_of, latest

if TYPE_CHECKING:
    from hookbridge.sources.notion.client import By, Listing, NotionClient  # imports the SDK

RESTARTS_MAX = 20
"""So often may cursors become invalid in one listing without a later minute being reached."""

OVERLAP_SECONDS_MIN = OPEN_SECONDS + CARRIED_SECONDS_MAX
"""Polls of pages with bodies look back as far as this: a body that was read before its edit minute was over is listed
again when that is over, also where what was read came to be applied later."""

NO_SOURCES = "the database has no data source of its own: it is a linked one, a view of another database"
"""Of a database that is found and names no data source (recorded of linked ones); sharing it does not help."""

NO_SOURCES_HINT = (
    "list the id of the original database, and share that one: in Notion, the view's settings lead to its source"
)


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a listing stands: its cursor."""

    sources: tuple[str, ...]
    """The data sources that are left, the current one first."""
    start: str | None
    """The least time that was asked for in the first of them."""
    since: str | None
    """The least time that is asked for now."""
    seen: str | None = None
    """The time of the last page that was seen."""
    cursor: str | None = None
    restarts: int = 0


class NotionChanges:
    """Implements ``Changes``."""

    def __init__(
        self,
        client: NotionClient,
        databases: Databases,
        places: Places,
        bodies: Bodies,
        config: NotionConfig,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._bodies = bodies
        self._places = places
        self._databases = databases
        self._followed = config.databases
        self._tables = [dashed(one.id) for one in config.databases]
        self._clock = clock

    def followed(self) -> tuple[Followed, ...]:
        """Give the listed databases."""
        return tuple(
            Followed(table=dashed(one.id), polled=True, poll_seconds=one.poll_seconds, content=one.content)
            for one in self._followed
        )

    async def since(self, table: str, watermark: str, overlap_seconds: float, cursor: str | None) -> Slice:
        """List what was edited.  Raises SourceError."""
        at = instant_of(watermark)
        if self._bodies.wanted(table):
            overlap_seconds = max(overlap_seconds, OVERLAP_SECONDS_MIN)
        start = watermark if at is None else _written(earlier(at, overlap_seconds))
        return await self._slice(table, "last_edited_time", start, cursor, Urgency.POLL)

    async def listing(self, table: str, cursor: str | None) -> Slice:
        """List all pages.  Raises SourceError."""
        return await self._slice(table, "created_time", None, cursor, Urgency.SWEEP)

    async def newest(self, table: str) -> str | None:
        """Give the latest edit.  Raises SourceError."""
        edits = []
        for source in await self._sources(table, Urgency.SWEEP):
            listing = await self._client.query(source, Urgency.SWEEP, descending=True, limit=1)
            if listing is None:
                await self._left(table, (source,), Urgency.SWEEP)
                continue
            edits += [str(page["last_edited_time"]) for page in listing.pages]
        # A page from the future stands before all others: those are looked at from this minute on.
        return latest(edits, self._now()) or (_written(self._now().replace(second=0, microsecond=0)) if edits else None)

    async def _slice(self, table: str, by: By, start: str | None, cursor: str | None, urgency: Urgency) -> Slice:
        known = None if cursor is None else _place_of(cursor)
        place = known or _Place(sources=await self._sources(table, urgency), start=start, since=start)
        anew = known is None and cursor is not None
        try:
            listing = await self._client.query(place.sources[0], urgency, by=by, since=place.since, cursor=place.cursor)
        except RecordImpossible:
            if place.cursor is None or place.restarts >= RESTARTS_MAX:
                raise
            # The page that the cursor names was edited away or trashed.
            return Slice(truths=(), next_cursor=_encoded(_behind(place)))
        if listing is None:
            left = await self._left(table, place.sources, urgency)
            return Slice(truths=(), next_cursor=_encoded(_beginning(place, left)) if left else None, anew=anew)
        truths = tuple(
            truth_of(
                RecordKey("notion", table, dashed(page["id"])),
                page,
                listing.ticket,
                self._clock(),
                self._places,
                # Also while they are not given: a page that has its body keeps it until it is edited.
                with_body=self._bodies.wanted,
            )
            for page in listing.pages
        )
        seen = str(listing.pages[-1][by]) if listing.pages else place.seen
        following = _following(msgspec.structs.replace(place, seen=seen), listing)
        return Slice(
            truths=tuple(truth for truth in truths if truth.data is not None and truth.record.table == table),
            next_cursor=None if following is None else _encoded(following),
            watermark=latest([str(page["last_edited_time"]) for page in listing.pages], self._now()),
            anew=anew,
        )

    async def _sources(self, table: str, urgency: Urgency) -> tuple[str, ...]:
        sources = await self._databases.data_sources(table, urgency)
        if not sources:
            raise RecordImpossible(f"{table}: {NO_SOURCES}", hint=NO_SOURCES_HINT)
        database = self._places.database_of(table)
        if database in self._tables:
            # Each would take the pages from the other, for ever.
            raise RecordImpossible(
                f"The data source {table} belongs to the database {database}, which is followed already",
                hint="list only one of the two in [[notion.databases]]",
            )
        return sources

    async def _left(self, table: str, sources: tuple[str, ...], urgency: Urgency) -> tuple[str, ...]:
        """Give the sources behind the first one, which was not found.  Raises RecordImpossible unless it is gone."""
        self._databases.forget(table)
        now = await self._sources(table, urgency)
        # A database that is not found itself says nothing about its data sources.
        if sources[0] in now or now == (table,):
            raise RecordImpossible(
                f"Notion has no data source {sources[0]}",
                hint="share the database with the integration (… > Connections)",
            )
        return tuple(one for one in sources[1:] if one in now)

    def _now(self) -> datetime:
        return time_of(self._clock())


def _following(place: _Place, listing: Listing) -> _Place | None:
    """Say where a listing goes on behind this answer; None when it is complete."""
    if listing.next_cursor is not None:
        return msgspec.structs.replace(place, cursor=listing.next_cursor)
    if listing.cut:
        if place.seen is None or place.seen == place.since:
            raise RecordUnreadable("Notion gives 10,000 pages of a query, and more than that have the same minute")
        return msgspec.structs.replace(place, since=place.seen, cursor=None)
    if len(place.sources) > 1:
        return _beginning(place, place.sources[1:])
    return None


def _beginning(place: _Place, sources: tuple[str, ...]) -> _Place:
    """Begin the next data source."""
    return _Place(sources=sources, start=place.start, since=place.start)


def _behind(place: _Place) -> _Place:
    """Begin again at the last minute that was seen."""
    moved = place.seen is not None and place.seen != place.since
    return msgspec.structs.replace(
        place, since=place.seen or place.since, cursor=None, restarts=0 if moved else place.restarts + 1
    )


def _place_of(cursor: str) -> _Place | None:
    """Give the place that a cursor names; None when it makes no sense."""
    try:
        place = msgspec.json.decode(cursor, type=_Place)
    except msgspec.DecodeError:
        return None
    return place if place.sources else None


def _encoded(place: _Place) -> str:
    return msgspec.json.encode(place).decode()


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
