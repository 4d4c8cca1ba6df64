"""Claims on SQLite: which record next, and for whom.

A claim moves a dirty row's ``available_at`` to the end of the lease and gives it a ``generation`` that no claim had
before; a settlement counts only while that generation stands.  An expired lease is thus claimable like any waiting
record, and nothing has to collect it.  Generations are tickets of the process, not counted in the row: a row that was
deleted and made anew would count from the start again, and a claim of the old one would seem to hold.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, cast

import msgspec

from hookbridge.model import (
    CLAIM_BYTES_MAX,
    CLAIMED_BYTES_MAX,
    CLAIMED_EVENTS_MAX,
    Claim,
    Settled,
    Settlement,
    SourceName,
    StoredEvent,
)
from hookbridge.store.rows import stored_event
from hookbridge.store.sqlite import copies
from hookbridge.store.sqlite.engine import Job, Role, Transaction
from hookbridge.store.sqlite.events import NEWEST
from hookbridge.store.sqlite.settlements import Settle

CLAIM_CANDIDATES = """
SELECT record, version, since, head, (SELECT length(body) FROM events WHERE id = head) FROM dirty
WHERE source = ? AND available_at <= ? ORDER BY available_at LIMIT ?
"""

_TAKE = "UPDATE dirty SET generation = ?, available_at = ? WHERE record = ?"

# The open events behind each head: a walk along the linked list, newest first.
_OPEN_EVENTS = """
WITH RECURSIVE chain (head, id, depth, newer_bytes) AS (
    SELECT value, value, 1, 0 FROM json_each(?1)
    UNION ALL
    SELECT chain.head, events.previous, depth + 1, newer_bytes + length(body)
    FROM chain JOIN events ON events.id = chain.id
    WHERE events.previous IS NOT NULL AND depth < ?2
)
SELECT chain.head, events.id, record, type, format, origin, iif(newer_bytes <= ?3, body, x''), identity, occurred_at,
       received_at, outcome, reason, verification, attempts, settled_at, headers, stored_at, claimed_at, verified_at
FROM chain JOIN events ON events.id = chain.id ORDER BY chain.head, depth DESC
"""

_TYPES = NEWEST + "SELECT type, count(*) FROM chain JOIN events USING (id) GROUP BY type"


class ClaimSome(Job):
    """A lane asks for records."""

    __slots__ = ("before", "generation", "lease_seconds", "limit", "source")

    rank = 9

    def __init__(self, source: SourceName, limit: int, *, lease_seconds: float, before: float, generation: int) -> None:
        self.generation = generation
        self.before = before
        self.source = source
        self.limit = limit
        self.lease_seconds = lease_seconds

    @staticmethod
    def run_together(jobs: Sequence[ClaimSome], transaction: Transaction) -> Sequence[tuple[Claim, ...]]:
        """Claim for each job in turn."""
        return [_claim(transaction, job) for job in jobs]


def _claim(transaction: Transaction, job: ClaimSome) -> tuple[Claim, ...]:
    connection = transaction.connection
    taken = _candidates(transaction, job)
    if not taken:
        return ()
    until = transaction.now + job.lease_seconds
    connection.executemany(_TAKE, [(job.generation, until, record) for record, *_ in taken])
    waiting = _open_events(transaction, job.source, [(record, head, version) for record, version, _, head in taken])
    records = [waiting[head][-1].event.record for *_, head in taken]
    previous = copies.many(connection, job.source, records)
    return tuple(
        Claim(
            record=record,
            version=version,
            generation=job.generation,
            head=head,
            claimed_at=transaction.now,
            since=since,
            types=_types(connection, head, waiting[head]),
            events=tuple(waiting[head]),
            previous=previous.get(record),
        )
        for record, (_, version, since, head) in zip(records, taken, strict=True)
    )


def _candidates(transaction: Transaction, job: ClaimSome) -> list[tuple[str, int, float, int]]:
    taken: list[tuple[str, int, float, int]] = []
    size = 0
    if transaction.now >= job.before:
        return taken  # the clock was set forward, or the disk took long
    candidates = transaction.connection.execute(CLAIM_CANDIDATES, (job.source, transaction.now, job.limit))
    for record, version, since, head, body_bytes in candidates:
        if size >= CLAIM_BYTES_MAX:
            break
        taken.append((record, version, since, head))
        size += body_bytes
    return taken


def _open_events(
    transaction: Transaction, source: SourceName, heads: list[tuple[str, int, int]]
) -> dict[int, list[StoredEvent]]:
    """Find the events behind each head, which comes with its record and the record's version.

    Of version 1 the head is the only one, and if it came a moment ago it is still at hand.
    """
    waiting: dict[int, list[StoredEvent]] = defaultdict(list)
    wanted: list[int] = []
    for record, head, version in heads:
        fresh = transaction.fresh.take(source, record)
        if fresh is not None and fresh.id == head and version == 1:
            waiting[head].append(fresh)
        else:
            wanted.append(head)
    if wanted:
        asked = (msgspec.json.encode(wanted).decode(), CLAIMED_EVENTS_MAX, CLAIMED_BYTES_MAX)
        for head, *columns in transaction.connection.execute(_OPEN_EVENTS, asked):
            waiting[head].append(stored_event(tuple(columns)))
    return waiting


def _types(connection: sqlite3.Connection, head: int, loaded: list[StoredEvent]) -> dict[str, int]:
    if len(loaded) == CLAIMED_EVENTS_MAX:  # there may be more than were loaded
        return dict(connection.execute(_TYPES, (head,)).fetchall())
    types: dict[str, int] = {}
    for one in loaded:
        types[one.event.type] = types.get(one.event.type, 0) + 1
    return types


_RENEW = "UPDATE dirty SET available_at = ? WHERE record = ? AND generation = ?"


def _renew(transaction: Transaction, claims: Sequence[Claim], lease_seconds: float) -> tuple[Claim, ...]:
    """Let the leases begin anew, where the claims still hold; gives these."""
    renew, until = transaction.connection.execute, transaction.now + lease_seconds
    return tuple(claim for claim in claims if renew(_RENEW, (until, str(claim.record), claim.generation)).rowcount > 0)


def _release(transaction: Transaction, claims: Sequence[Claim], after_seconds: float) -> None:
    """Give claims back.  A record that is due at once keeps its place in the line, which is ``since``."""
    available_at = transaction.now + after_seconds if after_seconds > 0 else 0.0
    transaction.connection.executemany(
        "UPDATE dirty SET available_at = max(since, ?) WHERE record = ? AND generation = ?",
        [(available_at, str(claim.record), claim.generation) for claim in claims],
    )


def _release_abandoned(transaction: Transaction) -> None:
    """Free every leased row: whoever held it is gone, since one process has the file.

    Where the clock was ahead when a record became dirty, nobody knows how long it waits; it does from now on.
    """
    for source in ("supabase", "notion"):
        transaction.connection.execute(
            "UPDATE dirty SET available_at = min(since, ?1), since = min(since, ?1)"
            " WHERE source = ?2 AND available_at > ?1",
            (transaction.now, source),
        )


def next_due_at(connection: sqlite3.Connection, source: str) -> float | None:
    """Give the time at which the next record can be claimed."""
    (when,) = connection.execute("SELECT min(available_at) FROM dirty WHERE source = ?", (source,)).fetchone()
    return None if when is None else float(when)


def _dirty_records(connection: sqlite3.Connection) -> dict[SourceName, int]:
    """Count the rows of each source, in the index alone."""
    return dict(connection.execute("SELECT source, count(*) FROM dirty GROUP BY source"))


def _oldest_open(connection: sqlite3.Connection, now: float) -> float | None:
    """Since when the longest waiting record is dirty: the first of the line, or one of the few that are leased."""
    times: list[Any] = []
    for source in ("supabase", "notion"):
        times += (
            connection.execute(
                "SELECT since FROM dirty WHERE source = ? AND available_at <= ? ORDER BY available_at LIMIT 1",
                (source, now),
            ).fetchone()
            or ()
        )
        times += connection.execute(
            "SELECT min(since) FROM dirty WHERE source = ? AND available_at > ?", (source, now)
        ).fetchone()
    return min((float(time) for time in times if time is not None), default=None)


class Claims(Role):
    """Who works on which dirty record."""

    async def claim(
        self, source: SourceName, limit: int, *, lease_seconds: float, within_seconds: float = math.inf
    ) -> tuple[Claim, ...]:
        """Take dirty records."""
        before, generation = self._engine.now() + within_seconds, self._engine.ticket()
        job = ClaimSome(source, limit, lease_seconds=lease_seconds, before=before, generation=generation)
        return cast("tuple[Claim, ...]", await self._engine.write(job))

    async def settle(self, settlement: Settlement) -> Settled:
        """End a change."""
        return cast("Settled", await self._engine.write(Settle(settlement)))

    async def renew(self, held: Sequence[Claim], *, lease_seconds: float) -> tuple[Claim, ...]:
        """Let leases begin anew."""
        return await self._engine.call(lambda transaction: _renew(transaction, held, lease_seconds)) if held else ()

    async def release(self, given_back: Sequence[Claim], *, after_seconds: float = 0.0) -> None:
        """Give claims back."""
        await self._engine.call(lambda transaction: _release(transaction, given_back, after_seconds))

    async def release_abandoned(self) -> None:
        """Free what a process that is gone had claimed."""
        await self._engine.call(_release_abandoned)

    async def release_of_others(self, there: Collection[str]) -> int:  # noqa: ARG002  the contract's
        """Nobody else has the file."""
        return 0

    async def next_due_in(self, source: SourceName) -> float | None:
        """Give the seconds until a record can be claimed."""
        when = await self._engine.read(lambda connection: next_due_at(connection, source))
        return None if when is None else max(when - self._engine.now(), 0.0)

    async def dirty_records(self) -> dict[SourceName, int]:
        """Count the dirty records."""
        return await self._engine.browse(_dirty_records)

    async def oldest_open_seconds(self) -> float | None:
        """For how long the longest waiting record has been dirty."""
        now = self._engine.now()
        oldest = await self._engine.read(lambda connection: _oldest_open(connection, now))
        return None if oldest is None else now - oldest
