"""What operators list of the inbox on Postgres: events by filters, a page at a time, and what a replay would choose.

Everything here only reads.  Pages go on behind the last event shown (keyset), so a page costs the same wherever it is.
Invariant: no page looks at more than ``LOOKED_AT`` events, whatever is asked: events have few indexes, because each
one costs every append, so most filters look at one event after the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from hookbridge.model import Outcome
from hookbridge.store.listed import (
    DEAD,
    DEAD_GROUPS,
    EVERYTHING,
    GROUPS_MAX,
    LOOKED_AT,
    TABLES_MAX,
    WORDS_MAX,
    beginnings,
    cut,
    dead_groups,
    names,
    spellings,
)
from hookbridge.store.postgres.engine import Role
from hookbridge.store.postgres.events import COLUMNS
from hookbridge.store.postgres.texts import has_form
from hookbridge.store.postgres.where import numbered
from hookbridge.store.reasons import kind
from hookbridge.store.rows import stored_event
from hookbridge.store.values import DeadGroups, EventFilter, EventIds, EventPage
from hookbridge.store.where import Where

Listed = Callable[..., Awaitable[list[Any]]]

# How far a page looks: to behind the next older event, because where events were removed there are gaps.
_LOOK = """
SELECT hookbridge.horizon_1($1), (
    SELECT id FROM hookbridge.events
    WHERE id < least($2, (SELECT max(id) + 1 FROM hookbridge.events)) - $3 ORDER BY id DESC LIMIT 1
)
"""
_LOOK_AT_DEAD = """
SELECT hookbridge.horizon_1($1), (
    SELECT event_id FROM hookbridge.ends WHERE outcome = 'dead' AND event_id < $2
    ORDER BY event_id DESC LIMIT 1 OFFSET $3
)
"""
_OPEN = "SELECT count(*) FROM (SELECT FROM hookbridge.open LIMIT $1) AS open"

_LAST_ID = 2**63 - 1

# One event after the other, and how it ended: the plan has no choice.
_PAGE = """
FROM (SELECT * FROM hookbridge.events WHERE {chosen} ORDER BY id DESC) AS e
LEFT JOIN LATERAL (SELECT * FROM hookbridge.ends AS k WHERE k.event_id = e.id OFFSET 0) AS x ON true
WHERE {meant} ORDER BY id DESC LIMIT ?
"""
_PAGE_OF_DEAD = """
FROM (SELECT * FROM hookbridge.ends WHERE outcome = 'dead' AND {chosen} ORDER BY event_id DESC) AS x
CROSS JOIN LATERAL (SELECT * FROM hookbridge.events AS k WHERE k.id = x.event_id OFFSET 0) AS e
WHERE {meant} ORDER BY event_id DESC LIMIT ?
"""

_REPLAYABLE = "outcome IN ('dead', 'applied', 'coalesced')"
_DEAD_BY_TABLE = """
    SELECT hookbridge.reason_kind_1(reason) AS kind,
           split_part(record, ':', 1) || ':' || split_part(record, ':', 2) AS of_table,
           count(*) AS number, max(id) AS newest, min(settled_at) AS first_at, max(settled_at) AS last_at
    FROM (SELECT * FROM hookbridge.ends WHERE outcome = 'dead' AND {chosen} ORDER BY event_id DESC) AS x
    CROSS JOIN LATERAL (SELECT * FROM hookbridge.events AS k WHERE k.id = x.event_id OFFSET 0) AS e
    WHERE {meant} GROUP BY kind, of_table
"""
_LAST_REASON = "SELECT coalesce(reason, '') FROM hookbridge.ends WHERE event_id = last_one"


class Listings(Role):
    """The inbox as operators see it."""

    async def events(self, which: EventFilter, *, before: int | None, limit: int) -> EventPage:
        """List events, newest first."""
        listed = self._engine.browse if which.text is None else self._engine.search
        # Without a filter, and from the index of dead letters, each row that is looked at is one of the page.
        whole = which in (EVERYTHING, DEAD)
        page = _Page(listed, self._engine.moment, which, before)
        found, cursor = await page.read(COLUMNS, _where(which), limit, bounded=not whole)
        return EventPage(tuple(stored_event(tuple(row)) for row in found), cursor, page.horizon)

    async def replayable(self, which: EventFilter, *, before: int | None, limit: int) -> EventIds:
        """Choose what can be processed again."""
        where = _where(which)
        where.add(_REPLAYABLE)
        page = _Page(self._engine.search, self._engine.moment, which, before)
        found, cursor = await page.read("id", where, limit, bounded=which != DEAD)
        return EventIds(tuple(id_ for (id_,) in found), cursor)

    async def dead_letters(self, which: EventFilter) -> DeadGroups:
        """Gather dead letters by reason."""
        which = msgspec.structs.replace(which, outcome=Outcome.DEAD)
        return await _Page(self._engine.search, self._engine.moment, which, None).groups(_where(which))


class _Page:
    """One page of a list."""

    def __init__(self, listed: Listed, moment: float | None, which: EventFilter, before: int | None) -> None:
        self._listed = listed
        self._moment = moment
        self._which = which
        self._before = _LAST_ID if before is None else before
        self._of_dead = which.outcome is Outcome.DEAD
        self.horizon = 0

    async def read(self, columns: str, meant: Where, limit: int, *, bounded: bool) -> tuple[list[Any], int | None]:
        """Give rows that begin with the event's id, and the cursor of the next page (None on the last one)."""
        id_ = "event_id" if self._of_dead else "id"
        chosen = Where()
        chosen.add(f"{id_} < ?", self._before)
        end = await self._look()  # before the page, which so has everything up to its horizon
        if self._which.ids is not None:
            chosen.add(f"{id_} = ANY (?::bigint[])", list(self._which.ids))
            end = None
        elif self._which.open and await self._opened() <= LOOKED_AT:
            of_records = _of_records(self._which)
            opened = f"SELECT event_id FROM hookbridge.open WHERE {of_records}"
            chosen.add(f"{id_} = ANY (ARRAY({opened}))", *of_records.parameters)
            end = None
        elif bounded:
            chosen.add(f"{id_} >= ?", end or 0)
        else:
            end = None
        page = (_PAGE_OF_DEAD if self._of_dead else _PAGE).format(chosen=chosen, meant=meant)
        found = await self._listed(
            numbered(f"SELECT {columns} {page}"), *chosen.parameters, *meant.parameters, limit + 1
        )
        return cut(found, limit, end)

    async def groups(self, meant: Where) -> DeadGroups:
        """Gather the dead letters that a page may look at by the kinds of their reasons."""
        end = None if self._which.ids is not None else await self._look()
        chosen = Where()
        chosen.add("event_id >= ?", end or 0)
        if self._which.ids is not None:
            chosen.add("event_id = ANY (?::bigint[])", list(self._which.ids))
        by_table = _DEAD_BY_TABLE.format(chosen=chosen, meant=meant)
        query = numbered(DEAD_GROUPS.format(by_table=by_table, reason=_LAST_REASON))
        found = await self._listed(query, *chosen.parameters, *meant.parameters, GROUPS_MAX + 1, TABLES_MAX)
        return dead_groups(found, whole=end is None)

    async def _look(self) -> int | None:
        """Give the last event that a page may look at; None when that is the oldest one there is."""
        look = _LOOK_AT_DEAD if self._of_dead else _LOOK
        ((self.horizon, older),) = await self._listed(look, self._moment, self._before, LOOKED_AT)
        return None if older is None else older + 1

    async def _opened(self) -> int:
        ((number,),) = await self._listed(_OPEN, LOOKED_AT + 1)
        return int(number)


def _where(which: EventFilter) -> Where:
    where = _of_records(which)
    for column, value in (
        ("type", which.type),
        ("origin", which.origin),
        ("hookbridge.reason_kind_1(reason)", None if which.reason is None else kind(which.reason)),
    ):
        if value is not None:
            _add_equal(where, column, value)
    if which.outcome is not None:
        where.add("outcome = ?", which.outcome.value)
    if which.open is not None:
        where.add("outcome IS NULL" if which.open else "outcome IS NOT NULL")
    if which.since is not None:
        where.add("received_at >= ?::double precision", which.since)
    if which.until is not None:
        where.add("received_at < ?::double precision", which.until)
    for word in (which.text or "").split()[:WORDS_MAX]:
        _add_mentions(where, word)
    return where


def _add_equal(where: Where, column: str, text: str) -> None:
    if has_form(text):
        where.add(f"{column} = ?", text)
    else:
        where.add("false")


def _of_records(which: EventFilter) -> Where:
    """Narrow to the records that are meant; good for every table with the column ``record``."""
    where = Where()
    if which.tables and which.record_ids:
        where.add("record = ANY (?::text[])", [name for name in names(which) if has_form(name)])
    elif which.tables:
        begin = [f"{':'.join(table)}:" for table in beginnings(which)]
        where.add(
            "EXISTS (SELECT FROM unnest(?::text[]) AS one (name) WHERE starts_with(record, one.name))",
            [name for name in begin if has_form(name)],
        )
    else:
        if which.source is not None:
            where.add("starts_with(record, ?)", f"{which.source}:")
        if which.record_ids:
            where.add(
                "hookbridge.id_of_1(record) = ANY (?::text[])", [id_ for id_ in which.record_ids if has_form(id_)]
            )
    return where


# A body is bytes, mostly of UTF-8: each is a character here, as those of the word are, and only ASCII letters are the
# same in either case, as on every engine.  A text of Postgres has no zero; what has one is no UTF-8 of words.
_BODY = """
lower(convert_from(CASE WHEN position('\\x00'::bytea IN body) > 0 THEN '' ELSE body END, 'LATIN1') COLLATE "C")
"""


def _add_mentions(where: Where, word: str) -> None:
    """Narrow to events that mention a word."""
    if not has_form(word):
        where.add("false")
        return
    names_ = " OR ".join(f'strpos(lower({column} COLLATE "C"), ?) > 0' for column in ("record", "type", "reason"))
    bodies = " OR ".join(f"strpos({_BODY}, ?) > 0" for _ in spellings(word))
    where.add(f"({names_} OR {bodies})", *[_lower(word)] * 3, *map(_bytes, spellings(word)))


def _lower(word: str) -> str:
    return "".join(one.lower() if one.isascii() else one for one in word)


def _bytes(word: str) -> str:
    """Give a word as it is looked for in bodies."""
    return _lower(word.encode().decode("latin-1"))
