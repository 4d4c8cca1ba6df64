"""What the reconciler asks of SQLite: how records stand, what a sweep has met, which findings were announced.

A sweep's memory is on disk, so that it is flat in the number of rows and outlives a restart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from hookbridge.model import Copy, Document, Effects, RecordKey, SourceName
from hookbridge.store.nodes import Lead
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.sqlite import copies, notes
from hookbridge.store.sqlite.engine import Role, Transaction
from hookbridge.store.values import Announcement, ContentCounts, Standing, Standings, Unmet

_STANDINGS = """
SELECT wanted.value, copies.data IS NOT NULL, copies.fingerprint, copies.ticket, copies.verified,
       dirty.record IS NOT NULL, dirty.generation <> 0 AND dirty.available_at > ?4, copies.changed_at
FROM json_each(?1) AS wanted
LEFT JOIN copies ON copies.source = ?2 AND copies.table_name = ?3 AND copies.record_id = wanted.value
LEFT JOIN dirty ON dirty.record = ?2 || ':' || ?3 || ':' || wanted.value
"""

UNMET = """
FROM copies WHERE source = ?1 AND table_name = ?2 AND record_id {behind} ?3 AND data IS NOT NULL AND ticket < ?4
AND NOT EXISTS (SELECT 1 FROM met WHERE sweep = ?4 AND met.record_id = copies.record_id)
"""

_CONTENTS = """
SELECT count(*) - count(content), count(*) FROM copies WHERE source = ? AND table_name = ? AND data IS NOT NULL
"""

_WANTING = f"""
SELECT record_id, {COPY_COLUMNS} FROM copies
WHERE source = ? AND table_name = ? AND record_id {{behind}} ? AND data IS NOT NULL AND content IS NULL
ORDER BY record_id LIMIT ?
"""

# What lies ahead was found while the clock was: its grace has no end that anybody knows.  While events of a record are
# open it waits: the settlement of one of them would count it once more.
_DUE = """
((found_at < ?1 OR found_at > ?2) AND NOT EXISTS (SELECT 1 FROM dirty WHERE dirty.record = found.record))
"""

# One walk over the events since the oldest of these findings, instead of one for each of them.
_ANNOUNCED = f"""
SELECT DISTINCT events.record FROM events
JOIN found ON found.record = events.record AND events.id > found.last_event
WHERE events.id > (SELECT min(last_event) FROM found WHERE {_DUE})
  AND events.origin IN ('webhook', 'pull') AND {_DUE}
"""


def _standings(
    connection: sqlite3.Connection, source: SourceName, table: str, ids: Sequence[str], now: float, ticket: int
) -> Standings:
    """Say how records of one table stand, all as of one moment."""
    connection.execute("BEGIN")
    try:
        (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
        wanted = msgspec.json.encode(ids).decode()
        rows = connection.execute(_STANDINGS, (wanted, source, table, now)).fetchall()
    finally:
        connection.execute("COMMIT")
    by_id = {
        id_: Standing(
            present=bool(present),
            fingerprint=fingerprint or b"",
            ticket=read or 0,
            known=read is not None,
            verified=bool(verified),
            dirty=bool(dirty),
            claimed=bool(claimed),
            changed_at=changed_at,
        )
        for id_, present, fingerprint, read, verified, dirty, claimed, changed_at in rows
    }
    return Standings(by_id, str(newest), ticket)


def _load(transaction: Transaction, read: Iterable[tuple[Copy, Document | None]], *, exclusive: bool) -> None:
    """Write copies and their words."""
    copies.write_effects(
        transaction.connection,
        [(Effects(copy=copy, document=document, exclusive=exclusive), copy.read_at) for copy, document in read],
    )


def _met(connection: sqlite3.Connection, sweep: int, ids: Sequence[str]) -> frozenset[str]:
    """Say which of these a sweep has met before."""
    wanted = msgspec.json.encode(ids).decode()
    found = connection.execute(
        "SELECT record_id FROM json_each(?2) AS wanted CROSS JOIN met ON sweep = ?1 AND record_id = wanted.value",
        (sweep, wanted),
    )
    return frozenset(id_ for (id_,) in found)


def _meet(transaction: Transaction, sweep: int, ids: Sequence[str]) -> None:
    """Note what a sweep has met."""
    transaction.connection.executemany("INSERT OR IGNORE INTO met VALUES (?, ?)", [(sweep, id_) for id_ in ids])


def _unmet(
    connection: sqlite3.Connection, source: SourceName, table: str, sweep: int, after: str | None, limit: int
) -> Unmet:
    """Find the copies that a sweep has not met."""
    (copied,) = connection.execute(
        "SELECT count(*) FROM copies WHERE source = ? AND table_name = ? AND data IS NOT NULL", (source, table)
    ).fetchone()
    # The empty text is an id like any other: without a cursor the first one is not behind it.
    chosen = UNMET.format(behind=">=" if after is None else ">")
    parameters = (source, table, after or "", sweep)
    (count,) = connection.execute(f"SELECT count(*) {chosen}", parameters).fetchone()
    ids = connection.execute(f"SELECT record_id {chosen} ORDER BY record_id LIMIT ?5", (*parameters, limit)).fetchall()
    return Unmet(tuple(RecordKey(source, table, id_) for (id_,) in ids), count, copied)


def _wanting(
    connection: sqlite3.Connection, source: SourceName, table: str, after: str | None, limit: int
) -> tuple[Copy, ...]:
    """Find the copies without content."""
    chosen = _WANTING.format(behind=">=" if after is None else ">")
    rows = connection.execute(chosen, (source, table, after or "", limit)).fetchall()
    return tuple(copy_of(RecordKey(source, table, row[0]), row[1:]) for row in rows)


def _forget_sweeps(transaction: Transaction, chosen: str, values: tuple[int | str, ...], limit: int) -> int:
    """Remove what sweeps have met, at most ``limit`` rows; gives how many."""
    return transaction.connection.execute(
        f"DELETE FROM met WHERE (sweep, record_id) IN (SELECT sweep, record_id FROM met WHERE {chosen} LIMIT ?)",
        (*values, limit),
    ).rowcount


_NOTE = """
INSERT OR IGNORE INTO found SELECT ?1, ?2, ?3 WHERE NOT EXISTS
(SELECT 1 FROM copies WHERE source = ?4 AND table_name = ?5 AND record_id = ?6 AND ticket > ?7)
"""


def _note_findings(transaction: Transaction, records: Sequence[RecordKey], compared: Standings) -> None:
    """Remember differences until it is known whether a webhook announces them."""
    rows = [
        (str(one), transaction.now, int(compared.moment), one.source, one.table, one.id, compared.ticket)
        for one in records
    ]
    transaction.connection.executemany(_NOTE, rows)


def _settle_findings(transaction: Transaction, grace_seconds: float) -> tuple[Announcement, ...]:
    """Count the findings whose grace is over as announced or missed, by table, and forget them."""
    connection, when = transaction.connection, (transaction.now - grace_seconds, transaction.now)
    due = [record for (record,) in connection.execute(f"SELECT record FROM found WHERE {_DUE}", when)]
    if not due:
        return ()
    announced = {record for (record,) in connection.execute(_ANNOUNCED, when)}
    counted: dict[tuple[SourceName, str], list[int]] = {}
    for record in due:
        key = RecordKey.parse(record)
        counted.setdefault((key.source, key.table), [0, 0])[record not in announced] += 1
    connection.execute(f"DELETE FROM found WHERE {_DUE}", when)
    for (source, table), (told, missed) in counted.items():
        transaction.count(f"announced:{source}:{table}", told)
        transaction.count(f"missed:{source}:{table}", missed)
    return tuple(
        Announcement(source=source, table=table, announced=told, missed=missed)
        for (source, table), (told, missed) in counted.items()
    )


class Sweeps(Role):
    """What the reconciler compares and remembers."""

    async def standings(self, source: SourceName, table: str, ids: Sequence[str]) -> Standings:
        """Say how records stand."""
        ticket, now = self._engine.ticket(), self._engine.now()
        return await self._engine.read(lambda connection: _standings(connection, source, table, ids, now, ticket))

    async def load(
        self, read: Sequence[tuple[Copy, Document | None]], *, exclusive: bool, lead: Lead | None = None
    ) -> None:
        """Write many copies."""
        self._engine.duties.require(lead)
        await self._engine.call(lambda transaction: _load(transaction, read, exclusive=exclusive))

    async def met(self, sweep: int, ids: Sequence[str]) -> frozenset[str]:
        """Say what a sweep has met before."""
        return await self._engine.read(lambda connection: _met(connection, sweep, ids))

    async def meet(
        self, sweep: int, ids: Sequence[str], *, note: tuple[str, str] | None = None, lead: Lead | None = None
    ) -> None:
        """Note what a sweep has met, and where it is."""
        self._engine.duties.require(lead)

        def both(transaction: Transaction) -> None:
            _meet(transaction, sweep, ids)
            if note is not None:
                notes.put(transaction, *note, only_if_absent=False)

        await self._engine.call(both)

    async def unmet(self, source: SourceName, table: str, sweep: int, *, after: str | None = None, limit: int) -> Unmet:
        """Find what a sweep has not met."""
        return await self._engine.browse(lambda connection: _unmet(connection, source, table, sweep, after, limit))

    async def wanting(
        self, source: SourceName, table: str, *, after: str | None = None, limit: int
    ) -> tuple[Copy, ...]:
        """Find copies without content."""
        return await self._engine.browse(lambda connection: _wanting(connection, source, table, after, limit))

    async def content_counts(self, source: SourceName, table: str) -> ContentCounts:
        """Count them."""
        return await self._engine.browse(
            lambda connection: ContentCounts(*connection.execute(_CONTENTS, (source, table)).fetchone())
        )

    async def forget_sweeps(
        self, *, only: int | None = None, before: int = 0, keep: Sequence[int] = (), limit: int
    ) -> int:
        """Forget what sweeps have met."""
        chosen: tuple[str, tuple[int | str, ...]] = ("sweep = ?", (only or 0,))
        if only is None:
            kept = msgspec.json.encode(keep).decode()
            chosen = ("sweep < ? AND sweep NOT IN (SELECT value FROM json_each(?))", (before, kept))
        return await self._engine.call(lambda transaction: _forget_sweeps(transaction, *chosen, limit))

    async def note_findings(
        self, records: Sequence[RecordKey], standings: Standings, *, lead: Lead | None = None
    ) -> None:
        """Remember differences."""
        self._engine.duties.require(lead)
        await self._engine.call(lambda transaction: _note_findings(transaction, records, standings))

    async def settle_findings(self, grace_seconds: float) -> tuple[Announcement, ...]:
        """Count findings as announced or missed."""
        return await self._engine.call(lambda transaction: _settle_findings(transaction, grace_seconds))
