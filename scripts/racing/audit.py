"""Looks at everything in one statement, which sees one moment: what must hold at each, whatever is under way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

_MOMENT = """
SELECT
    (SELECT coalesce(json_object_agg(name, total), '{}') FROM
        (SELECT name, sum(value)::bigint AS total FROM hookbridge.counters GROUP BY name) AS c)::text AS counters,
    (SELECT count(*) FROM hookbridge.events) AS events,
    (SELECT count(*) FROM hookbridge.open) AS open,
    (SELECT coalesce(json_object_agg(outcome, number), '{}') FROM
        (SELECT outcome, count(*) AS number FROM hookbridge.ends GROUP BY outcome) AS e)::text AS ends,
    (SELECT count(*) FROM hookbridge.open AS o JOIN hookbridge.ends AS e USING (event_id)) AS both,
    (SELECT count(*) FROM hookbridge.open AS o
        WHERE NOT EXISTS (SELECT FROM hookbridge.events AS e WHERE e.id = o.event_id AND e.record = o.record)
    ) AS foreign_open,
    (SELECT count(*) FROM hookbridge.ends AS o
        WHERE NOT EXISTS (SELECT FROM hookbridge.events AS e WHERE e.id = o.event_id)) AS foreign_ends,
    (SELECT count(*) FROM hookbridge.dirty AS d FULL JOIN (
        SELECT record, max(seq) AS newest FROM hookbridge.open GROUP BY record
    ) AS o USING (record) WHERE d.version IS DISTINCT FROM o.newest) AS versions,
    (SELECT count(*) FROM hookbridge.copies AS c FULL JOIN hookbridge.feed AS f USING (record)
        WHERE c.ticket IS NULL OR f.seq IS NULL) AS unfed,
    (SELECT coalesce(json_object_agg(record, json_build_array(ticket, convert_from(data, 'UTF8'))), '{}')
        FROM hookbridge.copies)::text AS copies
"""

_WAYS = ("open", "applied", "coalesced", "ignored", "dead")


class Sql(Protocol):
    """A connection, as far as an auditor needs one."""

    async def fetch(self, query: str, /) -> Sequence[Any]:
        """Give rows."""
        ...


class Copied(msgspec.Struct, frozen=True):
    """A copy at one moment."""

    ticket: int
    text: str | None


class Auditor:
    """Compares each moment with what must hold, and with the moments before it."""

    def __init__(self, sql: Sql) -> None:
        self.sql = sql
        self._newest: dict[str, tuple[int, int]] = {}
        self.copies: dict[str, Copied] = {}
        self.audits = 0
        self.broken: list[str] = []

    async def look(self) -> Mapping[str, int]:
        """Look at one moment; gives the books."""
        (row,) = await self.sql.fetch(_MOMENT)
        self.audits += 1
        books: dict[str, int] = json.loads(row["counters"])
        ends: dict[str, int] = json.loads(row["ends"])
        for what in ("both", "foreign_open", "foreign_ends", "versions", "unfed"):
            if row[what]:
                self.broken.append(f"{what}: {row[what]} rows")
        there = row["open"] + sum(ends.values())
        if row["events"] != there:
            self.broken.append(f"{row['events']} events, of which {there} are open or ended")
        if books.get("received", 0) != sum(books.get(way, 0) for way in _WAYS):
            self.broken.append(f"the books do not balance: {books}")
        if (books.get("open", 0), books.get("dead", 0)) != (row["open"], ends.get("dead", 0)):
            self.broken.append(f"the books count others: {books}, {row['open']} open and {ends}")
        self.copies = {
            record: Copied(ticket, None if data is None else json.loads(data)["name"])
            for record, (ticket, data) in json.loads(row["copies"]).items()
        }
        self._compare()
        return books

    def _compare(self) -> None:
        """No copy goes back, neither to an earlier read nor to an earlier text."""
        for record, copy in self.copies.items():
            ticket, number = self._newest.get(record, (0, 0))
            own = number if copy.text is None else int(copy.text.removeprefix("name"))
            if copy.ticket < ticket or own < number:
                self.broken.append(f"the copy of {record} went back from {(ticket, number)} to {(copy.ticket, own)}")
            self._newest[record] = copy.ticket, own
