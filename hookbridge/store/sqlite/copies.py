"""Copies and the index on SQLite: the records as last read, and their words.

A copy is written only over one with an earlier ticket, and its words with it or not at all.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from hookbridge.model import Copy, Document, Effects, RecordKey, SourceName
from hookbridge.store.sqlite.engine import Role, Transaction
from hookbridge.store.values import Hit, Span

_PUT = """
INSERT INTO copies (source, table_name, record_id, ticket, data, changed_at, fingerprint, read_at, verified,
                    occurred_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source, table_name, record_id) DO UPDATE
SET data = excluded.data, changed_at = excluded.changed_at, fingerprint = excluded.fingerprint,
    ticket = excluded.ticket, read_at = excluded.read_at, verified = excluded.verified,
    occurred_at = excluded.occurred_at
WHERE excluded.ticket >= copies.ticket
"""

_COLUMNS = "data, changed_at, fingerprint, ticket, read_at, verified, occurred_at"

_ONE = f"SELECT {_COLUMNS} FROM copies WHERE source = ? AND table_name = ? AND record_id = ?"

_MANY = f"""
SELECT table_name, record_id, {_COLUMNS} FROM json_each(?1) AS wanted CROSS JOIN copies
ON source = ?2 AND table_name = wanted.value ->> 0 AND record_id = wanted.value ->> 1
"""

# Words belong to the copy of exactly this ticket: a copy that lost to a later one leaves the index alone.
_OWN_ROW = "SELECT id FROM copies WHERE source = ?1 AND table_name = ?2 AND record_id = ?3 AND ticket = ?4"
_EARLIER = "SELECT id FROM copies WHERE source = ? AND table_name = ? AND record_id = ? AND ticket <= ?"
_WORDS = f"SELECT own.id, text FROM ({_OWN_ROW}) AS own LEFT JOIN words ON words.rowid = own.id"

# FTS5 writes what a transaction gathered to the file whenever a statement might write several rows, or a row below the
# last one: so each of these names its one row, and they run in the order of the rows.
_PUT_WORDS = "INSERT INTO words (text, rowid) VALUES (?, ?)"
_CHANGE_WORDS = "UPDATE words SET text = ? WHERE rowid = ?"
_DROP_WORDS = "DELETE FROM words WHERE rowid = ?"

# The best first, and only of these the rows and the words around the match: a common word is in very many records.
_BEST = "SELECT rowid AS id, rank AS score FROM words WHERE words MATCH ?1 ORDER BY rank LIMIT ?4"
_BEST_NARROWED = """
SELECT words.rowid AS id, words.rank AS score FROM words JOIN copies ON copies.id = words.rowid
WHERE words MATCH ?1 AND (?2 IS NULL OR source = ?2) AND (?3 IS NULL OR table_name = ?3) ORDER BY words.rank LIMIT ?4
"""
_SHOWN = """
WITH best AS MATERIALIZED ({best})
SELECT source, table_name, record_id, snippet(words, 0, '[', ']', '…', 16), -score, data
FROM words JOIN best ON best.id = +words.rowid CROSS JOIN copies ON copies.id = best.id
WHERE words MATCH ?1 ORDER BY score
"""

# Only Notion's ids are global; the index holds no others.
ELSEWHERE = (
    "SELECT id, ticket, data IS NOT NULL FROM copies WHERE record_id = ? AND table_name <> ? AND source = 'notion'"
)


_HOME = f"""
SELECT table_name, {_COLUMNS} FROM copies WHERE record_id = ?1 AND source = 'notion' AND data IS NOT NULL
ORDER BY table_name <> ?2, ticket DESC LIMIT 1
"""


def copy_of(record: RecordKey, columns: Sequence[Any]) -> Copy:
    """Make the struct of a row of ``_COLUMNS``."""
    data, changed_at, fingerprint, ticket, read_at, verified, occurred_at = columns
    return Copy(
        record=record,
        data=data,
        changed_at=changed_at,
        fingerprint=fingerprint,
        ticket=ticket,
        read_at=read_at,
        verified=bool(verified),
        occurred_at=occurred_at,
    )


def _one(connection: sqlite3.Connection, record: RecordKey) -> Copy | None:
    """Find the copy of a record."""
    found = connection.execute(_ONE, (record.source, record.table, record.id)).fetchone()
    return copy_of(record, found) if found else None


def home(connection: sqlite3.Connection, record: RecordKey) -> RecordKey | None:
    """Say under which name there is a copy with data of this id: the given one, if there is one under it."""
    found = connection.execute(_HOME, (record.id, record.table)).fetchone()
    return RecordKey(record.source, found[0], record.id) if found else None


def many(connection: sqlite3.Connection, source: SourceName, records: Sequence[RecordKey]) -> dict[RecordKey, Copy]:
    """Find the copies of records of one source.

    Where ids are global, the copy of a record that has none with data under its name is the one under another table's.
    """
    found: dict[RecordKey, Copy] = {}
    names = msgspec.json.encode([(record.table, record.id) for record in records]).decode()
    for table, id_, *columns in connection.execute(_MANY, (names, source)):
        record = RecordKey(source, table, id_)
        found[record] = copy_of(record, columns)
    if source == "notion":
        for record in records:
            if (known := found.get(record)) is not None and known.data is not None:
                continue
            if (row := connection.execute(_HOME, (record.id, record.table)).fetchone()) is not None:
                found[record] = copy_of(msgspec.structs.replace(record, table=row[0]), row[1:])
    return found


def write_effects(connection: sqlite3.Connection, effects: Sequence[tuple[Effects, float]]) -> None:
    """Write what the changes of one group did to copies and index."""
    together: list[tuple[Copy, Document | None]] = []
    exclusive: set[str] = set()
    for effect, now in effects:
        if (copy := effect.copy) is None:
            continue
        if not copy.read_at:
            copy = msgspec.structs.replace(copy, read_at=now)
        if effect.exclusive:
            if copy.record.id in exclusive:  # the one before it may be what it has to leave alone
                _write(connection, together)
                together, exclusive = [], set()
            exclusive.add(copy.record.id)
            if not _is_latest_anywhere(connection, copy):
                continue
        together.append((copy, effect.document))
    _write(connection, together)


def _write(connection: sqlite3.Connection, read: list[tuple[Copy, Document | None]]) -> None:
    puts, texts = [], []
    for copy, document in read:
        own = (copy.record.source, copy.record.table, copy.record.id, copy.ticket)
        rest = (copy.fingerprint, copy.read_at, copy.verified, copy.occurred_at)
        puts.append((*own, copy.data, copy.changed_at, *rest))
        if copy.data is None:
            texts.append((own, ""))
        elif document is not None:
            texts.append((own, document.text))
    connection.executemany(_PUT, puts)
    _write_words(connection, texts)


def _write_words(connection: sqlite3.Connection, texts: Sequence[tuple[tuple[str, str, str, int], str]]) -> None:
    """Write the words of copies, where they are others than the index has: an entry costs more than the copy itself.

    Only here it is known what the index has: since the claim, a read outside of the change may have written another
    copy, and a copy that is the same may have been indexed by another setting.
    """
    writes: dict[int, tuple[str, tuple[object, ...]]] = {}
    for own, text in texts:
        for id_, known in connection.execute(_WORDS, own):
            if text and known is None:
                writes[id_] = (_PUT_WORDS, (text, id_))
            elif text and text != known:
                writes[id_] = (_CHANGE_WORDS, (text, id_))
            elif not text and known is not None:
                writes[id_] = (_DROP_WORDS, (id_,))
    for id_ in sorted(writes):
        connection.execute(*writes[id_])


def _is_latest_anywhere(connection: sqlite3.Connection, copy: Copy) -> bool:
    """Whether no later read saw the record in another table; if so, the copies that earlier reads left there go."""
    elsewhere = connection.execute(ELSEWHERE, (copy.record.id, copy.record.table)).fetchall()
    # That a later read did not find it in another table says nothing against this one.
    if any(ticket > copy.ticket and there for _, ticket, there in elsewhere):
        return False
    moved = [(id_,) for id_, ticket, _ in elsewhere if ticket <= copy.ticket]
    connection.executemany("DELETE FROM words WHERE rowid = ?", moved)
    connection.executemany("DELETE FROM copies WHERE id = ?", moved)
    return True


def leave_names(connection: sqlite3.Connection, settled: Sequence[tuple[RecordKey, Copy | None]]) -> None:
    """Leave nothing under a name that was another spelling of its copy's record."""
    for record, copy in settled:
        if copy is None or copy.record == record:
            continue
        if copy.data is None:  # gone under either name: an earlier read must not bring it back
            _write(connection, [(msgspec.structs.replace(copy, record=record), None)])
        else:
            name = (record.source, record.table, record.id, copy.ticket)
            connection.execute(f"DELETE FROM words WHERE rowid IN ({_EARLIER})", name)
            connection.execute(f"DELETE FROM copies WHERE id IN ({_EARLIER})", name)


def _put(transaction: Transaction, copy: Copy, document: Document | None, *, exclusive: bool) -> None:
    """Write one copy outside a change."""
    effects = Effects(copy=copy, document=document, exclusive=exclusive)
    write_effects(transaction.connection, [(effects, copy.read_at)])


def _search(
    connection: sqlite3.Connection, text: str, source: str | None, table: str | None, limit: int
) -> tuple[Hit, ...]:
    """Find words; every word must be there, the last one may be the beginning of a longer one."""
    query = words_of(text)
    if query is None:
        return ()
    best = _BEST if source is None and table is None else _BEST_NARROWED
    found = connection.execute(_SHOWN.format(best=best), (query, source, table, limit))
    return tuple(
        Hit(record=RecordKey(source_, table_, id_), snippet=snippet, score=score, data=data)
        for source_, table_, id_, snippet, score, data in found
    )


def words_of(text: str) -> str | None:
    """Give the index's query for words, the last of which may be a beginning; None where there is no word."""
    wanted = re.findall(r"\w+", text)
    return " ".join(f'"{word}"' for word in wanted) + " *" if wanted else None


def _remove_tombstones(transaction: Transaction, when: Span, limit: int) -> int:
    """Forget old absences."""
    return transaction.connection.execute(
        "DELETE FROM copies WHERE id IN"
        " (SELECT id FROM copies WHERE data IS NULL AND read_at >= ? AND read_at < ? LIMIT ?)",
        (when.start, when.end, limit),
    ).rowcount


class Copies(Role):
    """The records as last read, and their words."""

    async def ticket(self) -> int:
        """Give the next ticket."""
        return self._engine.ticket()

    async def copy(self, record: RecordKey) -> Copy | None:
        """Give the copy."""
        return await self._engine.read(lambda connection: _one(connection, record))

    async def home(self, record: RecordKey) -> RecordKey | None:
        """Say under which name there is a copy of an id."""
        return await self._engine.read(lambda connection: home(connection, record))

    async def put(self, copy: Copy, document: Document | None, *, exclusive: bool) -> None:
        """Write a copy outside a change."""
        await self._engine.call(lambda transaction: _put(transaction, copy, document, exclusive=exclusive))

    async def search(self, text: str, *, source: SourceName | None, table: str | None, limit: int) -> tuple[Hit, ...]:
        """Find records by words."""
        return await self._engine.search(lambda connection: _search(connection, text, source, table, limit))

    async def remove_tombstones(self, when: Span, limit: int) -> int:
        """Forget old absences."""
        return await self._engine.call(lambda transaction: _remove_tombstones(transaction, when, limit))
