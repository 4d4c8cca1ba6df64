"""Copies and the index on SQLite: the records as last read, and their words.

A copy is written only over one with an earlier ticket, and its words with it or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import astuple

from hookbridge.model import CLAIM_BYTES_MAX, Copy, Document, Effects, RecordKey, SourceName
from hookbridge.store.asked import CANDIDATES_BYTES_MAX, CANDIDATES_MAX
from hookbridge.store.ordinals import ordinal
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.sqlite import notes, words
from hookbridge.store.sqlite.engine import Role, Transaction
from hookbridge.store.sqlite.readers import one_moment
from hookbridge.store.values import Candidates, CopyPage
from hookbridge.text import Query

_PUT = """
INSERT INTO copies (source, table_name, record_id, ticket, data, changed_at, fingerprint, read_at, verified,
                    occurred_at, title, content, ordinal)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source, table_name, record_id) DO UPDATE
SET data = excluded.data, changed_at = excluded.changed_at, fingerprint = excluded.fingerprint,
    ticket = excluded.ticket, read_at = excluded.read_at, verified = excluded.verified,
    occurred_at = excluded.occurred_at, title = excluded.title, content = excluded.content
WHERE excluded.ticket >= copies.ticket
"""

_ONE = f"SELECT {COPY_COLUMNS} FROM copies WHERE source = ? AND table_name = ? AND record_id = ?"

_MANY = f"""
SELECT table_name, record_id, {COPY_COLUMNS} FROM json_each(?1) AS wanted CROSS JOIN copies
ON source = ?2 AND table_name = wanted.value ->> 0 AND record_id = wanted.value ->> 1
"""

_EARLIER = """
SELECT id FROM copies WHERE source = ? AND table_name = ? AND record_id = ? AND ticket <= ? AND data IS NOT NULL
"""

_LEAVE = """
UPDATE copies SET data = NULL, changed_at = NULL, fingerprint = x'', verified = 0, occurred_at = NULL, title = NULL,
                  content = NULL, ticket = ?2, read_at = ?3
WHERE id = ?1
"""

_FOUND = f"SELECT source, table_name, record_id, {COPY_COLUMNS} FROM copies WHERE id = ? AND data IS NOT NULL"

_PAGE = f"""
SELECT id, source, table_name, record_id, {COPY_COLUMNS} FROM copies WHERE id < ? AND data IS NOT NULL ORDER BY id DESC
"""

_PUT_TITLE = "UPDATE copies SET title = ? WHERE source = ? AND table_name = ? AND record_id = ? AND ticket = ?"

_TITLES = """
SELECT source, table_name, record_id, title FROM json_each(?1) AS wanted CROSS JOIN copies
ON source = wanted.value ->> 0 AND table_name = wanted.value ->> 1 AND record_id = wanted.value ->> 2
WHERE title IS NOT NULL
"""

_TITLES_OF_IDS = """
SELECT record_id, title FROM json_each(?1) AS wanted CROSS JOIN copies
ON record_id = wanted.value AND source = 'notion'
WHERE data IS NOT NULL AND title IS NOT NULL ORDER BY ticket
"""

# Only Notion's ids are global; the index holds no others.
ELSEWHERE = (
    "SELECT id, ticket, data IS NOT NULL FROM copies WHERE record_id = ? AND table_name <> ? AND source = 'notion'"
)


_HOME = f"""
SELECT table_name, {COPY_COLUMNS} FROM copies WHERE record_id = ?1 AND source = 'notion' AND data IS NOT NULL
ORDER BY table_name <> ?2, ticket DESC LIMIT 1
"""


def one(connection: sqlite3.Connection, record: RecordKey) -> Copy | None:
    """Find the copy of a record."""
    found = connection.execute(_ONE, (record.source, record.table, record.id)).fetchone()
    return copy_of(record, found) if found else None


def home(connection: sqlite3.Connection, record: RecordKey) -> RecordKey | None:
    """Say under which name there is a copy with data of this id: the given one, if there is one under it."""
    found = connection.execute(_HOME, (record.id, record.table)).fetchone()
    return RecordKey(record.source, found[0], record.id) if found else None


def many(connection: sqlite3.Connection, source: SourceName, records: Sequence[RecordKey]) -> dict[RecordKey, Copy]:
    """Find the copies of records of one source; behind ``CLAIM_BYTES_MAX`` of texts without the texts behind them.

    Where ids are global, the copy of a record that has none with data under its name is the one under another table's.
    """
    by_record: dict[RecordKey, Copy] = {}
    characters = 0
    names = msgspec.json.encode([(record.table, record.id) for record in records]).decode()
    for table, id_, *columns in connection.execute(_MANY, (names, source)):
        record = RecordKey(source, table, id_)
        found = copy_of(record, columns)
        characters += len(found.content or "")
        by_record[record] = found if characters <= CLAIM_BYTES_MAX else msgspec.structs.replace(found, content=None)
    if source == "notion":
        for record in records:
            if (own := by_record.get(record)) is not None and own.data is not None:
                continue
            if (row := connection.execute(_HOME, (record.id, record.table)).fetchone()) is not None:
                by_record[record] = copy_of(msgspec.structs.replace(record, table=row[0]), row[1:])
    return by_record


def _titles(connection: sqlite3.Connection, records: Collection[RecordKey]) -> dict[RecordKey, str]:
    rows = [astuple(record) for record in records if record.source != "notion"]
    ids = [record.id for record in records if record.source == "notion"]
    named = connection.execute(_TITLES, (msgspec.json.encode(rows).decode(),))
    titles = {RecordKey(*name): title for *name, title in named}
    by_id = dict(connection.execute(_TITLES_OF_IDS, (msgspec.json.encode(ids).decode(),)).fetchall())
    notions = (record for record in records if record.source == "notion")
    return titles | {record: by_id[record.id] for record in notions if record.id in by_id}


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
    puts: list[tuple[object, ...]] = []
    documents: list[tuple[words.Own, Document | None]] = []
    for copy, document in read:
        own = (copy.record.source, copy.record.table, copy.record.id, copy.ticket)
        rest = (copy.fingerprint, copy.read_at, copy.verified, copy.occurred_at, copy.title, copy.content)
        puts.append((*own, copy.data, copy.changed_at, *rest, ordinal(copy.record.id)))
        if copy.data is None or document is not None:
            documents.append((own, None if copy.data is None else document))
    connection.executemany(_PUT, puts)
    words.write(connection, documents)


def _is_latest_anywhere(connection: sqlite3.Connection, copy: Copy) -> bool:
    """Whether no later read saw the record in another table; if so, the copies that earlier reads left there go."""
    elsewhere = connection.execute(ELSEWHERE, (copy.record.id, copy.record.table)).fetchall()
    # That a later read did not find it in another table says nothing against this one.
    if any(ticket > copy.ticket and there for _, ticket, there in elsewhere):
        return False
    _leave(connection, [id_ for id_, ticket, there in elsewhere if there and ticket <= copy.ticket], copy)
    return True


def _leave(connection: sqlite3.Connection, ids: Sequence[int], copy: Copy) -> None:
    """Leave the knowledge at earlier copies that their record is not there, but where this one is.

    It is not verified, because nobody asked for that name: who does is answered by the source.
    """
    words.drop(connection, ids)
    connection.executemany(_LEAVE, [(id_, copy.ticket, copy.read_at) for id_ in ids])


def leave_names(connection: sqlite3.Connection, settled: Sequence[tuple[RecordKey, Copy | None]]) -> None:
    """Leave nothing under a name that was another spelling of its copy's record."""
    for record, copy in settled:
        if copy is None or copy.record == record:
            continue
        if copy.data is None:  # gone under either name: an earlier read must not bring it back
            _write(connection, [(msgspec.structs.replace(copy, record=record), None)])
        else:
            name = (record.source, record.table, record.id, copy.ticket)
            _leave(connection, [id_ for (id_,) in connection.execute(_EARLIER, name).fetchall()], copy)


def _put(transaction: Transaction, copy: Copy, document: Document | None, *, exclusive: bool) -> None:
    """Write one copy outside a change."""
    effects = Effects(copy=copy, document=document, exclusive=exclusive)
    write_effects(transaction.connection, [(effects, copy.read_at)])


def _candidates(
    connection: sqlite3.Connection, query: Query, source: SourceName | None, table: str | None
) -> Candidates:
    """Find the copies whose words match."""
    # Words that change go up to the newest row, and a walk that comes down would miss them.
    with one_moment(connection):
        return _walked(connection, query, source, table)


def _walked(connection: sqlite3.Connection, query: Query, source: SourceName | None, table: str | None) -> Candidates:
    walk = words.Walk(connection, words.Expression(connection, query, source, table))
    listed: list[Copy] = []
    indexed: list[Document] = []
    size = 0
    complete = True
    for id_ in walk.ids():
        if len(listed) == CANDIDATES_MAX or size > CANDIDATES_BYTES_MAX:
            complete = False
            break
        row = connection.execute(_FOUND, (id_,)).fetchone()
        if row is not None:
            listed.append(copy_of(RecordKey(*row[:3]), row[3:]))
            indexed.append(words.entry(connection, id_, listed[-1].record))
            size += listed[-1].size
    return Candidates(tuple(listed), complete=complete and walk.complete, indexed=tuple(indexed))


def _copied(connection: sqlite3.Connection, cursor: str | None, limit: int, bytes_max: int) -> CopyPage:
    """List copies with data, those that were first known last first."""
    (newest,) = connection.execute("SELECT max(id) FROM copies").fetchone()
    below = (newest or 0) + 1 if cursor is None else int(cursor)
    found: list[Copy] = []
    size = 0
    for id_, *row in connection.execute(_PAGE, (below,)):
        if len(found) == limit or size > bytes_max:
            return CopyPage(tuple(found), str(below), done=1 - below / (newest + 1))
        found.append(copy_of(RecordKey(*row[:3]), row[3:]))
        size += found[-1].size
        below = id_
    return CopyPage(tuple(found), None, done=1.0)


def _index(transaction: Transaction, read: Sequence[tuple[Copy, Document]]) -> None:
    """Write titles and words of copies that are as they were read."""
    owns = [(copy.record.source, copy.record.table, copy.record.id, copy.ticket) for copy, _ in read]
    titles = [(copy.title, *own) for (copy, _), own in zip(read, owns, strict=True)]
    transaction.connection.executemany(_PUT_TITLE, titles)
    documents = [(own, document) for (_, document), own in zip(read, owns, strict=True)]
    words.write(transaction.connection, documents, anew=True)


class Copies(Role):
    """The records as last read, and their words."""

    async def ticket(self) -> int:
        """Give the next ticket."""
        return self._engine.ticket()

    async def copy(self, record: RecordKey) -> Copy | None:
        """Give the copy."""
        return await self._engine.read(lambda connection: one(connection, record))

    async def home(self, record: RecordKey) -> RecordKey | None:
        """Say under which name there is a copy of an id."""
        return await self._engine.read(lambda connection: home(connection, record))

    async def put(self, copy: Copy, document: Document | None, *, exclusive: bool) -> None:
        """Write a copy outside a change."""
        await self._engine.call(lambda transaction: _put(transaction, copy, document, exclusive=exclusive))

    async def titles(self, records: Collection[RecordKey]) -> dict[RecordKey, str]:
        """Give what people call records."""
        return await self._engine.read(lambda connection: _titles(connection, records)) if records else {}

    async def labels(self) -> dict[tuple[SourceName, str], str]:
        """Give what people call tables."""
        found = await self._engine.read(lambda connection: connection.execute("SELECT * FROM labels").fetchall())
        return {(source, table): label for source, table, label in found}

    async def put_label(self, source: SourceName, table: str, label: str) -> None:
        """Say what people call a table."""
        row = (source, table, label)
        await self._engine.call(lambda t: t.connection.execute("INSERT OR REPLACE INTO labels VALUES (?, ?, ?)", row))

    async def candidates(self, query: Query, *, source: SourceName | None, table: str | None) -> Candidates:
        """Find copies by words."""
        return await self._engine.search(lambda connection: _candidates(connection, query, source, table))

    async def copied(self, *, cursor: str | None, limit: int, bytes_max: int) -> CopyPage:
        """List copies."""
        return await self._engine.browse(lambda connection: _copied(connection, cursor, limit, bytes_max))

    async def index(self, read: Sequence[tuple[Copy, Document]], *, note: tuple[str, str]) -> None:
        """Write words anew."""

        def both(transaction: Transaction) -> None:
            _index(transaction, read)
            notes.put(transaction, *note, only_if_absent=False)

        await self._engine.call(both)
