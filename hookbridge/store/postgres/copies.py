"""Copies and the index on Postgres: the records as last read, and their words.

What is written goes through ``copies_1`` of copies.sql, whoever writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from hookbridge.model import Copy, Document, Effects, RecordKey, SourceName
from hookbridge.store.asked import CANDIDATES_BYTES_MAX, CANDIDATES_MAX
from hookbridge.store.postgres import words
from hookbridge.store.postgres.engine import Role
from hookbridge.store.postgres.texts import shown
from hookbridge.store.rows import COPY_COLUMNS, copy_of
from hookbridge.store.values import Candidates, CopyPage
from hookbridge.text import Query

_ONE = f"SELECT {COPY_COLUMNS} FROM hookbridge.copies WHERE record = $1"

# Only Notion's ids are global.
_HOME = """
SELECT table_name FROM hookbridge.copies WHERE record_id = $1 AND source = 'notion' AND data IS NOT NULL
ORDER BY table_name <> $2, ticket DESC LIMIT 1
"""

_PUT = f"SELECT hookbridge.copies_1({', '.join(f'${place}' for place in range(1, 16))})"

_FOUND = f"""
SELECT found.complete, c.* FROM hookbridge.candidates_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS found
LEFT JOIN LATERAL unnest(found.records) WITH ORDINALITY AS one (record, n) ON true
LEFT JOIN LATERAL (
    SELECT c.record, (SELECT w.tokens FROM hookbridge.words AS w WHERE w.record = c.record) AS tokens, {COPY_COLUMNS}
    FROM hookbridge.copies AS c WHERE c.record = one.record OFFSET 0
) AS c ON true
ORDER BY one.n
"""

_COPIED = f"""
SELECT number, record, {COPY_COLUMNS} FROM (
    SELECT *, count(*) OVER () AS number,
           sum(octet_length(data) + coalesce(octet_length(content), 0))
                 OVER (ORDER BY record ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
        SELECT * FROM hookbridge.copies WHERE record > $1 AND data IS NOT NULL ORDER BY record LIMIT $2::bigint + 1
    ) AS page
) AS page
WHERE coalesce(before, 0) <= $3 ORDER BY record LIMIT $2
"""

# One record after the other by its index: the plan has no choice.
_TITLES = """
SELECT one.record, c.title FROM unnest($1::text[]) AS one (record) CROSS JOIN LATERAL (
    SELECT title FROM hookbridge.copies AS k WHERE k.record = one.record AND title IS NOT NULL OFFSET 0
) AS c
"""

_TITLES_OF_IDS = """
SELECT one.id, c.title FROM unnest($1::text[]) AS one (id) CROSS JOIN LATERAL (
    SELECT title FROM hookbridge.copies AS k
    WHERE k.record_id = one.id AND source = 'notion' AND data IS NOT NULL AND title IS NOT NULL
    ORDER BY ticket DESC LIMIT 1
) AS c
"""

_LABEL = """
INSERT INTO hookbridge.labels VALUES ($1, $2, $3)
ON CONFLICT (source, table_name) DO UPDATE SET label = excluded.label
"""


def columns(effects: Iterable[tuple[RecordKey, Effects]]) -> tuple[list[Any], ...]:
    """Give the first parameters of ``copies_1`` for what changes of these records did to copies and index.

    What they read without a time was read now.
    """
    rows = [_row(record, effect, effect.copy) for record, effect in effects if effect.copy is not None]
    return tuple(map(list, zip(*rows, strict=True))) if rows else ([],) * 14


def _row(record: RecordKey, effect: Effects, copy: Copy) -> tuple[Any, ...]:
    """Give the parameters of one copy, for a change of this record."""
    return (
        str(copy.record),
        copy.ticket,
        copy.data,
        copy.changed_at,
        copy.fingerprint,
        copy.read_at or None,
        copy.verified,
        copy.occurred_at,
        shown(copy.title),
        shown(copy.content),
        effect.exclusive,
        None if record == copy.record else str(record),
        *_words(copy, effect.document),
    )


def _words(copy: Copy, document: Document | None) -> tuple[str | None, str | None]:
    """Give the last two of these parameters."""
    if document is None or copy.data is None:
        return None, None
    return words.tokens(document), words.lexemes(document, copy.record)


def outside(read: Sequence[tuple[Copy, Document | None]], *, exclusive: bool) -> tuple[list[Any], ...]:
    """Give these parameters for copies that are written outside a change."""
    parameters = columns(
        (copy.record, Effects(copy=copy, document=document, exclusive=exclusive)) for copy, document in read
    )
    return *parameters[:5], [copy.read_at for copy, _ in read], *parameters[6:]


class Copies(Role):
    """The records as last read, and their words."""

    async def ticket(self) -> int:
        """Give the next ticket."""
        return await self._engine.ticket()

    async def copy(self, record: RecordKey) -> Copy | None:
        """Give the copy."""
        found = await self._engine.read(_ONE, str(record))
        return copy_of(record, tuple(found[0])) if found else None

    async def home(self, record: RecordKey) -> RecordKey | None:
        """Say under which name there is a copy of an id."""
        found = await self._engine.read(_HOME, record.id, record.table)
        return RecordKey(record.source, found[0][0], record.id) if found else None

    async def put(self, copy: Copy, document: Document | None, *, exclusive: bool) -> None:
        """Write a copy outside a change."""
        await self._engine.write(_PUT, *outside([(copy, document)], exclusive=exclusive), self._engine.moment)

    async def titles(self, records: Collection[RecordKey]) -> dict[RecordKey, str]:
        """Give what people call records."""
        names = {str(record): record for record in records if record.source != "notion"}
        ids = [record.id for record in records if record.source == "notion"]
        titles = {names[name]: title for name, title in await self._engine.read(_TITLES, [*names])} if names else {}
        by_id = dict(map(tuple, await self._engine.read(_TITLES_OF_IDS, ids))) if ids else {}
        notions = (record for record in records if record.source == "notion")
        return titles | {record: by_id[record.id] for record in notions if record.id in by_id}

    async def labels(self) -> dict[tuple[SourceName, str], str]:
        """Give what people call tables."""
        found = await self._engine.read("SELECT source, table_name, label FROM hookbridge.labels")
        return {(source, table): label for source, table, label in found}

    async def put_label(self, source: SourceName, table: str, label: str) -> None:
        """Say what people call a table."""
        await self._engine.write(_LABEL, source, table, label)

    async def candidates(self, query: Query, *, source: SourceName | None, table: str | None) -> Candidates:
        """Find copies by words."""
        asked = words.asked(query, source, table)
        if asked is None:
            return Candidates((), complete=True)
        bounds = (CANDIDATES_MAX, CANDIDATES_BYTES_MAX, words.SEARCH_SECONDS)
        found = await self._engine.search(_FOUND, *asked.parameters, *bounds)
        rows = [tuple(row) for row in found if row[1] is not None]
        copies = tuple(copy_of(RecordKey.parse(row[1]), row[3:]) for row in rows)
        indexed = tuple(words.document(copy.record, row[2]) for copy, row in zip(copies, rows, strict=True))
        return Candidates(copies, complete=found[0][0], indexed=indexed)

    async def copied(self, *, cursor: str | None, limit: int, bytes_max: int) -> CopyPage:
        """List copies with data by name; the cursor says how many came before it, and of how many about, too."""
        if cursor is None:
            counted = await self._engine.browse("SELECT count(*) FROM hookbridge.copies WHERE data IS NOT NULL")
            cursor = f"0/{counted[0][0]}/"
        before, whole, behind = cursor.split("/", 2)
        found = await self._engine.browse(_COPIED, behind, limit, bytes_max)
        copies = tuple(copy_of(RecordKey.parse(row[1]), tuple(row)[2:]) for row in found)
        if not found or found[0][0] == len(found):
            return CopyPage(copies, None, done=1.0)
        done = int(before) + len(copies)
        return CopyPage(copies, f"{done}/{whole}/{found[-1][1]}", done=done / max(int(whole), done + 1))

    async def index(self, read: Sequence[tuple[Copy, Document]], *, note: tuple[str, str]) -> None:
        """Write words anew."""
        rows = [
            (
                str(copy.record),
                copy.ticket,
                shown(copy.title),
                words.tokens(document),
                words.lexemes(document, copy.record),
            )
            for copy, document in read
        ]
        parameters = map(list, zip(*rows, strict=True)) if rows else ([],) * 5
        await self._engine.write("SELECT hookbridge.index_1($1, $2, $3, $4, $5, $6, $7)", *parameters, *note)
