"""Claims on Postgres: which record next, and for whom.  ``claim.sql`` takes them; here its rows become claims.

Leases are of the server's clock, and fences of a sequence.  A claim comes in one statement with all that belongs to it
where that is small; large bodies are read by another one, so that nothing is locked while they are on their way.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import groupby
from typing import cast

import msgspec

from hookbridge.model import (
    CLAIM_BYTES_MAX,
    CLAIMED_BYTES_MAX,
    CLAIMED_EVENTS_MAX,
    COUNTED_EVENTS_MAX,
    SOURCES,
    Claim,
    Copy,
    Event,
    RecordKey,
    Settled,
    Settlement,
    SourceName,
    StoredEvent,
)
from hookbridge.store.counting import only_newest
from hookbridge.store.postgres.connections import Record
from hookbridge.store.postgres.engine import Role
from hookbridge.store.postgres.floors import Floor
from hookbridge.store.postgres.settlements import Settle, settle_behind

INLINE_BYTES_MAX = 128 * 1024
"""Larger than what lies between a server and a node that stopped reading, and its locks stay until it reads on."""

RELEASED_MAX = 1_000
"""Records that one statement frees when the server's clock was set back: all that wait may be very many."""

_CLAIM = "SELECT * FROM hookbridge.claim_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
_CLAIMED = "SELECT * FROM hookbridge.claimed_1($1, $2, $3, $4, $5, $6)"
_BOUNDS = (CLAIMED_EVENTS_MAX, CLAIMED_BYTES_MAX, COUNTED_EVENTS_MAX)
_EVERYTHING = 1 << 62

_DIRTY_RECORDS = "SELECT source, count(*) FROM hookbridge.dirty GROUP BY source"


class Claims(Role):
    """Who works on which dirty record."""

    @cached_property
    def _floors(self) -> dict[SourceName, Floor]:
        return {source: Floor() for source in SOURCES}

    @cached_property
    def _lost(self) -> set[SourceName]:
        """Of which sources there may be claims whose answer did not come."""
        return set()

    @cached_property
    def _answered(self) -> dict[SourceName, int]:
        """The generation of the last claim that did."""
        return {}

    async def claim(
        self, source: SourceName, limit: int, *, lease_seconds: float, within_seconds: float = math.inf
    ) -> tuple[Claim, ...]:
        """Take dirty records."""
        began = asyncio.get_running_loop().time()
        if within_seconds <= 0:
            return ()
        engine, floor = self._engine, self._floors[source]
        await self._release_lost(source)
        await self._release_ahead(source)
        # A clock that a test sets may go back, behind any floor.
        lowest = floor.begin(began) if engine.moment is None else 0.0
        asked = (source, engine.node, engine.moment, lowest, limit, lease_seconds, within_seconds, CLAIM_BYTES_MAX)
        try:
            rows = await engine.write(_CLAIM, *asked, *_BOUNDS, INLINE_BYTES_MAX)
            claims = [one for _, its in groupby(rows, lambda row: row["place"]) if (one := await self._whole([*its]))]
        except BaseException:
            self._lost.add(source)
            raise
        if rows:
            self._answered[source] = rows[0]["generation"]
        now = asyncio.get_running_loop().time()
        floor.end(lowest, rows[0]["reached"] if rows else None, now - began, now, short=len(claims) < limit)
        if now - began >= within_seconds:
            await self.release(claims)
            return ()
        return tuple(claims)

    async def _release_lost(self, source: SourceName) -> None:
        """Give back what was claimed where the answer did not come: nobody works on it, until its leases end."""
        if source in self._lost:
            asked = (self._engine.moment, self._engine.node, source, self._answered.get(source, 0))
            await self._engine.write("SELECT hookbridge.release_lost_1($1, $2, $3, $4)", *asked)
            self._lost.discard(source)
            self._floors[source].forget()

    async def _release_ahead(self, source: SourceName) -> None:
        """Let records be claimed that wait by a time to which the server's clock has yet to come again."""
        if source in self._engine.ahead:
            asked = (self._engine.moment, source, RELEASED_MAX)
            released = RELEASED_MAX
            while released == RELEASED_MAX:
                ((released,),) = await self._engine.write("SELECT hookbridge.release_ahead_1($1, $2, $3)", *asked)
            self._engine.ahead.discard(source)
            self._floors[source].forget()

    async def _whole(self, rows: Sequence[Record]) -> Claim | None:
        """Make the claim of its rows, of which there may be more to read; None where it was settled by others since."""
        head, loaded = rows[0], rows
        if not all(row["whole"] for row in rows):
            asked = ([head["record"]], [head["version"]])
            loaded = await self._engine.read(_CLAIMED, *asked, *_BOUNDS, _EVERYTHING)
        return _claim(head, loaded) if loaded else None

    async def settle(self, settlement: Settlement) -> Settled:
        """End a change."""
        if settlement.claim.open_events >= COUNTED_EVENTS_MAX:
            portion = await settle_behind(self._engine, settlement)
            if portion is None:
                return Settled.FENCED
            if portion:
                return Settled.MORE
            settlement = only_newest(settlement)
        return cast("Settled", await self._engine.settles.submit(Settle(settlement)))

    async def renew(self, claims: Sequence[Claim], *, lease_seconds: float) -> tuple[Claim, ...]:
        """Let leases begin anew."""
        if not claims:
            return ()
        asked = (self._engine.moment, *_names(claims), lease_seconds)
        ((holds,),) = await self._engine.write("SELECT hookbridge.renew_1($1, $2, $3, $4)", *asked)
        return tuple(claim for claim, held in zip(claims, holds, strict=True) if held)

    async def release(self, claims: Sequence[Claim], *, after_seconds: float = 0.0) -> None:
        """Give claims back."""
        if claims:
            asked = (self._engine.moment, *_names(claims), after_seconds)
            await self._engine.write("SELECT hookbridge.release_1($1, $2, $3, $4)", *asked)
            for source in {claim.record.source for claim in claims}:
                self._floors[source].forget()

    async def release_abandoned(self) -> None:
        """Free what an earlier life of this node had claimed."""
        asked = (self._engine.moment, self._engine.node)
        await self._engine.write("SELECT hookbridge.release_abandoned_1($1, $2)", *asked)
        for floor in self._floors.values():
            floor.forget()

    async def release_of_others(self, there: Collection[str]) -> int:
        """Free what nodes had claimed that are gone."""
        asked = (self._engine.moment, list(there))
        ((released,),) = await self._engine.write("SELECT hookbridge.release_of_others_1($1, $2)", *asked)
        return int(released)

    async def next_due_in(self, source: SourceName) -> float | None:
        """Give the seconds until a record can be claimed."""
        lowest = self._floors[source].lowest if self._engine.moment is None else 0.0
        asked = (self._engine.moment, source, lowest)
        ((seconds,),) = await self._engine.read("SELECT hookbridge.next_due_1($1, $2, $3)", *asked)
        return None if seconds is None else float(seconds)

    async def dirty_records(self) -> dict[SourceName, int]:
        """Count the dirty records."""
        return dict(await self._engine.browse(_DIRTY_RECORDS))

    async def oldest_open_seconds(self) -> float | None:
        """For how long the longest waiting record has been dirty."""
        ((seconds,),) = await self._engine.read("SELECT hookbridge.oldest_open_1($1)", self._engine.moment)
        return None if seconds is None else float(seconds)


def _names(claims: Sequence[Claim]) -> tuple[list[str], list[int]]:
    return [str(claim.record) for claim in claims], [claim.generation for claim in claims]


def _claim(head: Record, loaded: Sequence[Record]) -> Claim:
    """Make a claim of its rows, the newest event first."""
    events = tuple(map(_event, reversed(loaded)))
    return Claim(
        record=events[-1].event.record,
        version=head["version"],
        generation=head["generation"],
        head=head["id"],
        claimed_at=head["claimed_at"],
        since=head["since"],
        types=_types(loaded[0]["types"], events),
        events=events,
        previous=_copy(loaded[0]),
    )


def _types(counted: str | None, events: Sequence[StoredEvent]) -> dict[str, int]:
    if counted is not None:  # there may be more than were loaded
        return msgspec.json.decode(counted, type=dict[str, int])
    types: dict[str, int] = {}
    for one in events:
        types[one.event.type] = types.get(one.event.type, 0) + 1
    return types


def _event(row: Record) -> StoredEvent:
    event = Event(
        record=RecordKey.parse(row["record"]),
        type=row["type"],
        format=row["format"],
        origin=row["origin"],
        body=row["body"],
        identity=row["identity"],
        occurred_at=row["occurred_at"],
    )
    return StoredEvent(
        id=row["id"],
        event=event,
        received_at=row["received_at"],
        headers=row["headers"],
        stored_at=row["stored_at"],
    )


def _copy(row: Record) -> Copy | None:
    if row["copied_as"] is None:
        return None
    return Copy(
        record=RecordKey.parse(row["copied_as"]),
        data=row["data"],
        changed_at=row["changed_at"],
        fingerprint=row["fingerprint"],
        ticket=row["ticket"],
        read_at=row["read_at"],
        verified=row["verified"],
        occurred_at=row["copy_occurred_at"],
        title=row["title"],
        content=row["content"],
    )
