"""What Postgres holds, looked at in single snapshots while everything goes on: one statement sees one moment.

It reads beside the nodes, past their proxies, and writes nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from hookbridge.model import CLAIMED_EVENTS_MAX
from scripts.crashes.checks import Acknowledged, compared, text_of
from scripts.crashes.cluster.database import Database
from scripts.crashes.setup import RETAINED_SECONDS

_SNAPSHOT = """
SELECT
    (SELECT coalesce(jsonb_object_agg(name, total), '{}') FROM
        (SELECT name, sum(value)::bigint AS total FROM hookbridge.counters GROUP BY name) AS one)::text AS counters,
    (SELECT count(*) FROM hookbridge.open) AS open,
    (SELECT count(*) FROM hookbridge.ends WHERE outcome = 'dead') AS dead,
    (SELECT min(reason) FROM hookbridge.ends WHERE outcome = 'dead') AS why_dead,
    (SELECT count(*) FROM hookbridge.dirty AS dirty
        WHERE NOT EXISTS (SELECT FROM hookbridge.open WHERE open.record = dirty.record)) AS dirty_alone,
    (SELECT count(DISTINCT open.record) FROM hookbridge.open
        WHERE NOT EXISTS (SELECT FROM hookbridge.dirty WHERE dirty.record = open.record)) AS open_alone,
    (SELECT count(*) FROM hookbridge.dirty AS dirty
        WHERE version <> (SELECT max(seq) FROM hookbridge.open WHERE open.record = dirty.record)) AS other_version,
    (SELECT count(*) FROM hookbridge.events
        WHERE NOT EXISTS (SELECT FROM hookbridge.open WHERE open.event_id = events.id)
          AND NOT EXISTS (SELECT FROM hookbridge.ends WHERE ends.event_id = events.id)) AS neither,
    (SELECT count(*) FROM hookbridge.ends JOIN hookbridge.open USING (event_id)) AS both,
    (SELECT count(*) FROM hookbridge.ends
        WHERE NOT EXISTS (SELECT FROM hookbridge.events WHERE events.id = ends.event_id)) AS no_event,
    (SELECT count(*) FROM hookbridge.open
        WHERE NOT EXISTS (SELECT FROM hookbridge.events WHERE events.id = open.event_id)) AS no_open_event,
    (SELECT last_value FROM hookbridge.tickets) AS issued,
    (SELECT coalesce(array_agg(record ORDER BY record), '{}') FROM hookbridge.copies) AS records,
    (SELECT coalesce(array_agg(ticket ORDER BY record), '{}') FROM hookbridge.copies) AS tickets,
    (SELECT coalesce(array_agg(data ORDER BY record), '{}') FROM hookbridge.copies) AS data
"""
_FOUND = """
SELECT events.id, identity, settled_at FROM hookbridge.events LEFT JOIN hookbridge.ends ON event_id = events.id
WHERE events.id >= $1
"""
_DIFFERING = """
SELECT copies.record, data, content, coalesce(tokens, '') AS words
FROM hookbridge.copies LEFT JOIN hookbridge.words ON words.record = copies.record WHERE data IS NOT NULL
"""
_HANDLED = """
SELECT array_agg(event_id ORDER BY event_id) AS ids FROM hookbridge.ends JOIN hookbridge.events ON id = event_id
WHERE outcome IN ('applied', 'coalesced') AND settled_at > extract(epoch FROM clock_timestamp()) - $1::float8
GROUP BY record, claimed_at
"""
"""What was claimed together and settled in the last seconds, much of it in portions.

Of what is older retention may have removed a part.
"""
_REMOVED = """
SELECT coalesce((SELECT sum(value) FROM hookbridge.counters WHERE name = 'received'), 0)
    - (SELECT count(*) FROM hookbridge.events) AS removed
"""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was there at one moment."""

    counters: dict[str, int]
    wrong: dict[str, int]
    """What there may be nothing of, by what it is."""
    open: int
    dead: int
    why_dead: str | None = None
    """Of one of them."""
    issued: int
    """The newest ticket."""
    copies: dict[str, tuple[int, int | None]]
    """By record: the ticket, and the number of the text; None for the knowledge that it is not there."""

    def broken(self) -> list[str]:
        """Say what is half-stored or does not add up."""
        found = [f"{count} {what}" for what, count in self.wrong.items() if count]
        books = self.counters
        if self.dead:
            found.append(f"{self.dead} events are dead letters: {self.why_dead}")
        if (books.get("open", 0), books.get("dead", 0)) != (self.open, self.dead):
            counted = f"{books.get('open', 0)} open and {books.get('dead', 0)} dead"
            found.append(f"the books say {counted}, and there are {self.open} and {self.dead}")
        ways = sum(books.get(name, 0) for name in ("open", "applied", "coalesced", "ignored", "dead"))
        if books.get("received", 0) != ways:
            found.append(f"the books do not balance: {books}")
        return found

    def uncounted(self, acknowledged: int) -> list[str]:
        """Say that the books know of fewer events than were ever acknowledged (duplicates aside)."""
        received = self.counters.get("received", 0)
        if received >= acknowledged:
            return []
        return [f"{acknowledged} events were acknowledged and the books have received {received}"]


class History:
    """What was seen of each copy before: none may become older again.

    A read that began earlier may have seen more than one that began later, where both were under way at once: what the
    later one left out is told by an event that is still open.  So a text goes back only where it was seen before the
    read that wrote the older one began.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float, int]] = {}
        """By record: its ticket, its newest text, and the newest ticket of all when that was seen first."""

    def broken(self, seen: Snapshot) -> list[str]:
        """Say which copies went back, and remember how they are now."""
        found = []
        for record, (ticket, number) in seen.copies.items():
            # Who is gone stays gone: no id is given twice.
            text = math.inf if number is None else float(number)
            before, newest, issued = self._seen.get(record, (0, 0.0, 0))
            if ticket < before or (text < newest and ticket > issued):
                found.append(f"the copy of {record} went back from {before, newest} to {ticket, text} (ticket, text)")
            self._seen[record] = (ticket, text, seen.issued) if text > newest else (ticket, newest, issued)
        return found


async def snapshot(database: Database) -> Snapshot:
    """Look at everything at one moment."""
    (row,) = await database.fetch(_SNAPSHOT)
    wrong = {
        "dirty records have no open event": row["dirty_alone"],
        "records with open events are not dirty": row["open_alone"],
        "dirty records have another version than their newest event": row["other_version"],
        "events are neither open nor ended": row["neither"],
        "events are open and ended": row["both"],
        "ends have no event": row["no_event"],
        "open entries have no event": row["no_open_event"],
    }
    copies = {
        record: (ticket, None if data is None else int(text_of(record.partition(":")[0], data).removeprefix("name")))
        for record, ticket, data in zip(row["records"], row["tickets"], row["data"], strict=True)
    }
    counters = json.loads(row["counters"])
    return Snapshot(
        counters=counters,
        wrong=wrong,
        open=row["open"],
        dead=row["dead"],
        why_dead=row["why_dead"],
        issued=row["issued"],
        copies=copies,
    )


class Found(msgspec.Struct, frozen=True):
    """What became of an event."""

    identity: bytes | None
    settled_at: float | None


async def found(database: Database, since: int) -> dict[int, Found]:
    """Give the events from this id on."""
    rows = await database.fetch(_FOUND, since)
    return {row["id"]: Found(row["identity"], row["settled_at"]) for row in rows}


def lost(events: Mapping[int, Found], acknowledged: Iterable[Acknowledged], kept_since: float) -> tuple[list[int], int]:
    """Give the acknowledged events that are not there, or are not what was sent, as ``checks.lost`` does."""
    missing = [one for one in acknowledged if one.id not in events or events[one.id].identity != one.identity]
    lost_ = [one.id for one in missing if one.sent_at >= kept_since or one.id in events]
    return lost_, len(missing) - len(lost_)


def out_of_order(events: Mapping[int, Found], acknowledged: Iterable[Acknowledged]) -> list[str]:
    """Name the events of a record that were sent after another one's acknowledgement and came before it all the same.

    Of those that were under way at once no order is promised.
    """
    said = []
    by_record: dict[str, list[Acknowledged]] = {}
    for one in acknowledged:
        by_record.setdefault(one.record, []).append(one)
    for record, ones in by_record.items():
        answered = sorted(ones, key=lambda one: one.acknowledged_at)
        place, newest, latest = 0, 0, 0.0
        for one in sorted(ones, key=lambda one: one.sent_at):
            # It was sent before it was acknowledged itself, so this ends.
            while answered[place].acknowledged_at < one.sent_at:
                newest = max(newest, answered[place].id)
                before = events.get(answered[place].id)
                if before is not None:  # else retention has removed it
                    latest = max(latest, math.inf if before.settled_at is None else before.settled_at)
                place += 1
            own = events.get(one.id)
            if own is not None and (one.id < newest or (own.settled_at is not None and own.settled_at < latest)):
                said.append(f"event {one.id} of {record} came, or was settled, before an earlier one")
    return said


async def open_events(database: Database) -> list[str]:
    """Give the names of some records that wait."""
    return [row["record"] for row in await database.fetch("SELECT record FROM hookbridge.open LIMIT 100")]


async def waiting(database: Database) -> list[str]:
    """Say how some of them stand."""
    query = """
        SELECT record, generation, owner, version, available_at - extract(epoch FROM clock_timestamp()) AS due
        FROM hookbridge.dirty ORDER BY available_at LIMIT 5
    """
    return [
        f"{row['record']}: generation {row['generation']} of {row['owner']}, version {row['version']},"
        f" can be claimed in {row['due']:.1f} s"
        for row in await database.fetch(query)
    ]


async def leads(database: Database) -> dict[str, str]:
    """Give who leads what now, by duty."""
    query = "SELECT duty, node FROM hookbridge.leads WHERE until > extract(epoch FROM clock_timestamp())"
    return {row["duty"]: row["node"] for row in await database.fetch(query)}


async def differing(database: Database, state: dict[str, dict[str, str]]) -> list[str]:
    """Name the records whose copy or words are not what their source says, as ``checks.differing`` does."""
    copies = {}
    for row in await database.fetch(_DIFFERING):
        source, _, id_ = row["record"].split(":", 2)
        copies[source, id_] = text_of(source, row["data"], row["content"]), row["words"]
    return compared(copies, state)


async def copies(database: Database) -> list[tuple[str, bytes, str | None]]:
    """Give what the copies are, as ``checks.copies`` does."""
    rows = await database.fetch("SELECT record, data, content FROM hookbridge.copies WHERE data IS NOT NULL")
    return [tuple(row) for row in rows]


async def handled(database: Database) -> list[list[int]]:
    """Give the events that were settled and that retention leaves alone, those of one change together."""
    return [row["ids"] for row in await database.fetch(_HANDLED, RETAINED_SECONDS)]


def without_effect(changes: Iterable[Sequence[int]], known: AbstractSet[int]) -> list[str]:
    """Name changes for whose events no handler was called: it is to be at least once, and before they are settled.

    Of a longer burst a handler gets the newest events alone; which those are, only the order says that it had then.
    """
    said = []
    for ids in changes:
        had = sum(id_ in known for id_ in ids)
        if had < min(len(ids), CLAIMED_EVENTS_MAX):
            said.append(f"{len(ids)} events up to {ids[-1]} were applied, and {had} had their effect")
    return said


async def removed(database: Database) -> int:
    """Give how many events retention has removed: those that were counted and are there no more."""
    (row,) = await database.fetch(_REMOVED)
    return int(row["removed"])
