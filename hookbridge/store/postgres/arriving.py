"""What another engine held, taken into this one: batch by batch, each in one call with the note of how far it is.

Invariants: while the note says that it is under way, no node starts on this store; a batch that is given again is there
once; ids, places and tickets go on behind those of the other engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from hookbridge.errors import StartupError, StoreError, StoreUnavailable
from hookbridge.model import Document, RecordKey
from hookbridge.store.moving import COLUMNS, KINDS, NAMES, Batch, Ends, Kind, Mark, Tally, hash_of
from hookbridge.store.postgres import words
from hookbridge.store.postgres.store import PostgresStore
from hookbridge.store.postgres.texts import shown

NODE_SECONDS = 10.0
"""A node whose last beat is younger may be alive."""

_PAGE = 5_000

START_OVER = "to begin anew, run what store-sql --uninstall prints, and then what store-sql prints"


# $1 is the note.  Each statement ends with it, so that a batch and its note are there together or not at all.
_NOTED = "UPDATE hookbridge.notes SET value = $1 WHERE name = 'migration'"

_TAKE: dict[Kind, str] = {
    "copies": """
        WITH came AS MATERIALIZED (
            SELECT source || ':' || table_name || ':' || record_id AS record, * FROM unnest(
                $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bytea[], $8::bigint[], $9::float8[],
                $10::int[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::text[], $16::text[]
            ) AS one (source, table_name, record_id, data, changed_at, fingerprint, ticket, read_at, verified,
                      occurred_at, title, content, place, tokens, lexemes)
        ), copied AS (
            INSERT INTO hookbridge.copies (record, source, table_name, record_id, ticket, data, changed_at, fingerprint,
                                           read_at, verified, occurred_at, title, content)
            SELECT record, source, table_name, record_id, ticket, data, changed_at, fingerprint, read_at, verified = 1,
                   occurred_at, title, content
            FROM came ON CONFLICT DO NOTHING
        ), worded AS (
            INSERT INTO hookbridge.words (record, place, tokens, lexemes)
            SELECT record, place, tokens,
                   array_to_tsvector(string_to_array(lexemes, ' ') || hookbridge.stretches_1(place))
            FROM came WHERE place IS NOT NULL ON CONFLICT DO NOTHING
        )
    """,
    # Each copy has a place by now, behind all that come here.
    "feed": """
        WITH came AS (
            UPDATE hookbridge.feed SET seq = one.seq, since = one.since
            FROM unnest($2::bigint[], $3::text[], $4::float8[]) AS one (seq, record, since)
            WHERE feed.record = one.record
        )
    """,
    "labels": """
        WITH came AS (
            INSERT INTO hookbridge.labels SELECT * FROM unnest($2::text[], $3::text[], $4::text[])
            ON CONFLICT DO NOTHING
        )
    """,
    "events": """
        WITH came AS MATERIALIZED (
            SELECT * FROM unnest(
                $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::float8[],
                $10::text[], $11::bytea[], $12::bytea[], $13::float8[], $14::text[], $15::text[], $16::text[],
                $17::int[], $18::float8[], $19::float8[], $20::float8[]
            ) AS one (id, source, record, type, format, origin, identity, received_at, occurred_at, body, headers,
                      stored_at, outcome, reason, verification, attempts, settled_at, claimed_at, verified_at)
        ), stored AS (
            INSERT INTO hookbridge.events (id, source, record, type, format, origin, received_at, stored_at,
                                           occurred_at, identity, body, headers)
            SELECT id, source, record, type, format, origin, received_at, coalesce(stored_at, received_at), occurred_at,
                   identity, body, headers
            FROM came ON CONFLICT DO NOTHING
        ), ended AS (
            INSERT INTO hookbridge.ends (event_id, outcome, reason, verification, attempts, settled_at, claimed_at,
                                         verified_at)
            SELECT id, outcome, reason, verification, attempts, coalesce(settled_at, received_at), claimed_at,
                   verified_at
            FROM came WHERE outcome IS NOT NULL ON CONFLICT DO NOTHING
        )
    """,
    "open": """
        WITH came AS MATERIALIZED (
            SELECT one.*, events.type, length(events.body) AS bytes
            FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::float8[])
                AS one (record, place, event_id, source, since)
            JOIN hookbridge.events ON events.id = one.event_id
        ), opened AS (
            INSERT INTO hookbridge.open (record, seq, event_id, type) SELECT record, place, event_id, type FROM came
            ON CONFLICT DO NOTHING
        ), waiting AS (
            INSERT INTO hookbridge.dirty (record, source, version, bytes, since, available_at)
            SELECT DISTINCT ON (record) record, source, place, bytes, since, since FROM came ORDER BY record, place DESC
            ON CONFLICT DO NOTHING
        )
    """,
    "failures": """
        WITH came AS (
            INSERT INTO hookbridge.failures (record, began_at, number, ended_at, error, traceback)
            SELECT * FROM unnest($2::text[], $3::float8[], $4::int[], $5::float8[], $6::text[], $7::text[])
            ON CONFLICT DO NOTHING
        )
    """,
    "stale_keys": """
        WITH came AS (
            INSERT INTO hookbridge.stale_keys (key, since)
            SELECT one, hookbridge.now_1(NULL) FROM unnest($2::bytea[]) AS one
        )
    """,
    # What was announced came later than a moment at which there was no transaction yet; what was not, has to come later
    # than now.
    "found": """
        WITH came AS (
            INSERT INTO hookbridge.found (record, found_at, moment)
            SELECT record, found_at,
                   last_event || '/' || CASE WHEN announced = 1 THEN '3:3:' ELSE pg_current_snapshot()::text END
            FROM unnest($2::text[], $3::float8[], $4::bigint[], $5::int[])
                AS one (record, found_at, last_event, announced)
            ON CONFLICT DO NOTHING
        )
    """,
    "met": """
        WITH came AS (
            INSERT INTO hookbridge.met SELECT * FROM unnest($2::bigint[], $3::text[]) ON CONFLICT DO NOTHING
        )
    """,
    "samples": """
        WITH came AS (
            INSERT INTO hookbridge.samples (minute, at, received, applied, open)
            SELECT * FROM unnest($2::bigint[], $3::float8[], $4::bigint[], $5::bigint[], $6::bigint[])
            ON CONFLICT DO NOTHING
        )
    """,
    "rejected": """
        WITH came AS (
            INSERT INTO hookbridge.rejected (destination, record, seq, reason, rejected_at)
            SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::float8[])
            ON CONFLICT DO NOTHING
        )
    """,
}

# Where there is something else, or a node, there is no note of it, and then nothing is changed.
_BEGIN = """
WITH running AS (
    SELECT name FROM hookbridge.nodes WHERE seen_at > hookbridge.now_1(NULL) - $2
), something AS (
    SELECT FROM hookbridge.events UNION ALL SELECT FROM hookbridge.copies LIMIT 1
), taken AS (
    INSERT INTO hookbridge.notes (name, value)
    SELECT 'migration', $1 WHERE NOT EXISTS (SELECT FROM something) AND NOT EXISTS (SELECT FROM running)
    ON CONFLICT (name) DO NOTHING RETURNING value
), sampled AS (
    -- By a node that had nothing to do.
    DELETE FROM hookbridge.samples WHERE EXISTS (SELECT FROM taken)
)
SELECT coalesce((SELECT value FROM taken), (SELECT value FROM hookbridge.notes WHERE name = 'migration')),
       EXISTS (SELECT FROM taken), EXISTS (SELECT FROM something), ARRAY(SELECT name FROM running)
"""

# Which nodes there are by now.  With ``$1`` the note of a move that has not begun goes where there is one.
_MEANWHILE = """
WITH running AS (
    SELECT name FROM hookbridge.nodes WHERE seen_at > hookbridge.now_1(NULL) - $2
), withdrawn AS (
    DELETE FROM hookbridge.notes WHERE name = 'migration' AND value = $1 AND EXISTS (SELECT FROM running)
)
SELECT name FROM running
"""

_PLACES = "SELECT setval('hookbridge.feed_places', greatest($1::bigint, nextval('hookbridge.feed_places')))"

_FINISH = """
WITH noted AS (
    INSERT INTO hookbridge.notes (name, value) SELECT * FROM unnest($2::text[], $3::text[])
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed = excluded.changed
), counted AS (
    INSERT INTO hookbridge.counters (slot, name, value) SELECT 0, * FROM unnest($4::text[], $5::float8[])
    ON CONFLICT (slot, name) DO UPDATE SET value = excluded.value
), numbered AS MATERIALIZED (
    SELECT setval('hookbridge.event_ids', greatest($6::bigint, 1), $6 > 0),
           setval('hookbridge.tickets', greatest($7::bigint, 1)),
           setval('hookbridge.words_oldest', least(greatest($8::bigint, 1), 4294967295), $8 BETWEEN 1 AND 4294967295),
           setval('hookbridge.words_newest', greatest($9::bigint, 4294967296), $9 >= 4294967296),
           setval('hookbridge.feed_places', greatest($10::bigint, 1), $10 > 0)
), fed AS (
    UPDATE hookbridge.feed_mark SET id = $11, made_in = hookbridge.history_1(), oldest = $12
)
UPDATE hookbridge.notes SET value = $1 FROM numbered WHERE name = 'migration'
"""

_COUNT = f"""
SELECT {", ".join(f"(SELECT count(*) FROM hookbridge.{kind})" for kind in KINDS)},
       (SELECT coalesce(max(id), 0) FROM hookbridge.events), (SELECT coalesce(max(ticket), 0) FROM hookbridge.copies),
       (SELECT coalesce(min(place), 0) FROM hookbridge.words), (SELECT coalesce(max(place), 0) FROM hookbridge.words)
"""

_COUNTERS = "SELECT name, sum(value) FROM hookbridge.counters GROUP BY name HAVING sum(value) <> 0"

_COPIES = """
SELECT record, source, table_name, record_id, ticket, fingerprint FROM hookbridge.copies
WHERE record > $1 ORDER BY record LIMIT $2
"""


class Arrival(PostgresStore):
    """A store that is being filled; it has the contract of any other, so that both sides can be asked the same."""

    is_filled = True

    async def begin(self, mark: Mark, last_place: int) -> Mark:
        """Say that something is carried in, or find how far it is.

        ``last_place`` is the newest one of the feed that comes.  Raises StartupError when the store has something else
        in it, or a node runs; then nothing is changed.
        """
        ((value, is_new, is_filled, nodes),) = await self._engine.write(_BEGIN, _written(mark), NODE_SECONDS)
        if value is None and is_filled:
            raise StartupError("The database has a store with something in it already", hint=START_OVER)
        found = mark if value is None else msgspec.json.decode(value, type=Mark)
        if found.origin != mark.origin:
            message = "Something else was carried into this database, or the data file has changed since it was begun"
            raise StartupError(message, hint=START_OVER)
        if found.done:
            return found
        # A node looks for the note after its first beat: one of the two sees the other, whoever was first.
        asked = (_written(mark) if is_new else None, NODE_SECONDS)
        if nodes or (nodes := [name for (name,) in await self._engine.write(_MEANWHILE, *asked)]):
            raise StartupError(f"Nodes run on this database: {', '.join(nodes)}", hint="stop them, and call it again")
        await self._engine.write(_PLACES, last_place + 1)
        return found

    @staticmethod
    def shown(text: str | None) -> str | None:
        """Give a text for people as it is held here."""
        return shown(text)

    @staticmethod
    def fitted(batch: Batch) -> Batch:
        """Give a batch whose texts can be held here; what names something is left as it is."""
        replaced, columns = 0, []
        for name, values in zip(COLUMNS[batch.kind], batch.columns, strict=True):
            strange = 0 if name in NAMES else sum(isinstance(value, str) and "\0" in value for value in values)
            columns.append(
                [shown(value) if isinstance(value, str) else value for value in values] if strange else values
            )
            replaced += strange
        return msgspec.structs.replace(batch, columns=tuple(columns), replaced=replaced)

    async def take(self, batch: Batch, mark: Mark) -> None:
        """Write a batch, and that it is there."""
        columns = _OWN[batch.kind](batch) if batch.kind in _OWN else batch.columns
        try:
            await self._engine.write(_TAKE[batch.kind] + _NOTED, _written(mark), *map(list, columns))
        except StoreUnavailable:
            raise
        except StoreError as error:
            message = f"{error.message}; it is among {batch.rows} {batch.kind}, the longest name of which is"
            raise StoreError(f"{message} {_longest(batch)}", hint="Postgres takes no name like it") from error

    async def finish(self, mark: Mark, notes: Mapping[str, str], counters: Mapping[str, float], ends: Ends) -> None:
        """Write what says how far everything else is, and that all is there."""
        names, values = list(notes), list(notes.values())
        counted = (list(counters), list(counters.values()))
        feed = (ends.feed.newest, ends.feed.id, ends.feed.oldest)
        numbers = (ends.event, ends.ticket, ends.words_first, ends.words_last)
        await self._engine.write(_FINISH, _written(mark), names, values, *counted, *numbers, *feed)

    async def let_start(self, mark: Mark) -> None:
        """Let nodes start."""
        await self._engine.write(_NOTED, _written(msgspec.structs.replace(mark, done=True)))

    async def tally(self) -> Tally:
        """Count what is there."""
        (row,) = await self._engine.count(_COUNT)
        numbers = list(row)
        event, ticket, first, last = numbers[len(KINDS) :]
        total, behind = 0, ""
        while rows := await self._engine.search(_COPIES, behind, _PAGE):
            total += sum(hash_of(*one) for _, *one in rows)
            behind = rows[-1][0]
        return Tally(
            rows=dict(zip(KINDS, numbers, strict=False)),
            copies=total,
            counters=dict(map(tuple, await self._engine.search(_COUNTERS))),
            ends=Ends(event=event, ticket=ticket, feed=await self.feed_ends(), words_first=first, words_last=last),
        )


def _written(mark: Mark) -> str:
    return msgspec.json.encode(mark).decode()


def _longest(batch: Batch) -> str:
    """Give the beginning of the longest name in a batch, or of one with a U+0000: no name of Postgres has either."""
    named = [values for name, values in zip(COLUMNS[batch.kind], batch.columns, strict=True) if name in NAMES]
    names = [value for values in named for value in values]
    return repr(max(names, key=lambda name: ("\0" in name, len(name.encode())), default=""))[:200]


def _encoded(batch: Batch) -> tuple[Sequence[Any], ...]:
    """Write keys of a user's cache as they are kept here."""
    (keys,) = batch.columns
    return ([key.encode() for key in keys],)


def _worded(batch: Batch) -> tuple[Sequence[Any], ...]:
    """Write the tokens of copies as the index here has them."""
    *rest, title, properties, body = batch.columns
    sources, tables, ids = rest[:3]
    documents = [
        Document(RecordKey(source, table, id_), one or "", other or "", third or "")
        for source, table, id_, one, other, third in zip(sources, tables, ids, title, properties, body, strict=True)
    ]
    written = [words.tokens(document) for document in documents]
    lexemes = [words.lexemes(document, document.record) for document in documents]
    return (*rest, written, lexemes)


_OWN: dict[Kind, Callable[[Batch], tuple[Sequence[Any], ...]]] = {"copies": _worded, "stale_keys": _encoded}
"""What is written otherwise here."""
