"""How the reconciler reads tables: slices by keyset, for changes and for everything.

Keyset paging (https://use-the-index-luke.com/no-offset) begins each slice behind the last row of the one before, so
that rows which come and go shift nothing.  Invariants: a listing that the server cut at its own limit (max-rows) goes
on, however often that limit changes; ties of the change column are told apart by the key; the watermark never lies in
the future, whatever rows say; a row that cannot be read is told and hides no other one; the database never sorts or
counts a table, and never walks past more of it than a slice, where an index begins with the columns of the order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from hookbridge.clock import time_of
from hookbridge.config import SupabaseConfig, SupabaseTable
from hookbridge.errors import RecordImpossible, RecordUnreadable, SourceUnavailable
from hookbridge.model import Truth
from hookbridge.sources import ids
from hookbridge.sources.source import Followed, Slice, Tickets, Unread
from hookbridge.sources.supabase import rows
from hookbridge.sources.supabase.filters import Asked
from hookbridge.sources.supabase.payloads import table_config
from hookbridge.sources.supabase.truth import URL_CHARACTERS_MAX
from hookbridge.sources.times import earlier, instant_in, latest

if TYPE_CHECKING:
    from hookbridge.sources.supabase.client import SupabaseClient  # imports the SDK

SLICE_ROWS = 1_000
"""What Supabase gives at most, unless the project's max-rows says otherwise."""

SLICE_BYTES = 8 * 1024 * 1024
"""After a larger slice the next one asks for half as many rows: memory follows the bytes, not the rows."""

ALIKE_MIN = 10
"""Fewer rows than these with one value are walked past, which saves the request that would find no more of them."""


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a listing stands: its cursor."""

    order: tuple[str, ...]
    """The columns that ``after`` has values of: those of another configuration are no place in this listing."""
    after: tuple[str, ...]
    """Values of the first columns of ``order``; of all, unless what was like the last row is exhausted."""
    rows: int
    """How many rows a slice asks for."""
    within: int = 0
    """In how many columns the rows that are asked for are like the last one."""


class SupabaseChanges:
    """Implements ``Changes``."""

    def __init__(
        self, client: SupabaseClient, config: SupabaseConfig, tickets: Tickets, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._config = config
        self._tickets = tickets
        self._clock = clock

    def followed(self) -> tuple[Followed, ...]:
        """Give the listed tables."""
        return tuple(
            Followed(table=one.full_name, polled=one.changed_at is not None, pulled=one.pull)
            for one in self._config.tables
        )

    async def since(self, table: str, watermark: str, overlap_seconds: float, cursor: str | None) -> Slice:
        """List what changed.  Raises SourceError."""
        listed = table_config(self._config, table)
        if listed.changed_at is None:
            raise RecordImpossible(f"{table} has no changed_at: it is swept, not polled")
        least = (listed.changed_at, _earlier(watermark, overlap_seconds))
        return await self._slice(table, listed, (listed.changed_at, *listed.key), least, cursor)

    async def listing(self, table: str, cursor: str | None) -> Slice:
        """List all rows by their key.  Raises SourceError."""
        listed = table_config(self._config, table)
        return await self._slice(table, listed, listed.key, None, cursor)

    async def newest(self, table: str) -> str | None:
        """Give the latest change.  Raises SourceError."""
        listed = table_config(self._config, table)
        if listed.changed_at is None:
            return None
        asked = Asked(order=(listed.changed_at,), descending=True, limit=1)
        answer = await self._client.slice(listed.schema, listed.name, asked)
        values = _values(answer.rows[0]) if answer.rows else {}
        if values is not None and values.get(listed.changed_at) is None:
            return None
        # A row from the future, or one that says nothing, stands before all others: those are looked at from now on.
        at = ids.text(values[listed.changed_at]) if values else ""
        return latest([at], self._now()) or self._now().isoformat()

    async def _slice(
        self,
        table: str,
        listed: SupabaseTable,
        order: tuple[str, ...],
        since: tuple[str, str] | None,
        cursor: str | None,
    ) -> Slice:
        place = None if cursor is None else _place_of(cursor, order)
        limit = place.rows if place else SLICE_ROWS
        ticket = await self._tickets()
        request = Asked(
            order=order,
            since=since,
            after=place.after if place else (),
            within=place.within if place else 0,
            limit=limit,
            count="planned" if place is None and since is None else None,
        )
        answer = await self._client.slice(listed.schema, listed.name, request)
        truths, unread = _read(table, listed, answer.rows, ticket)
        following = _following(order, answer.rows, limit, place) if answer.rows else _outside(place)
        if following is None and answer.rows:
            await self._refuse_cut(listed, request, len(answer.rows))
        if following is not None and following == place:
            raise SourceUnavailable(
                f"Supabase answered with the same rows of {table} where those behind them were asked for",
                hint="is there a cache or a proxy before it that forgets the query?",
            )
        return Slice(
            truths=truths,
            unread=unread,
            next_cursor=None if following is None else msgspec.json.encode(following).decode(),
            # A row from the future must not hide those after it.
            watermark=latest((truth.changed_at for truth in truths), self._now()),
            total=answer.total if answer.total >= len(answer.rows) > 0 else None,
            anew=place is None and cursor is not None,
        )

    async def _refuse_cut(self, listed: SupabaseTable, asked: Asked, came: int) -> None:
        """Raise RecordUnreadable where more rows follow those that came: none of these can be asked behind."""
        counted = msgspec.structs.replace(asked, limit=1, count="exact")
        if (await self._client.slice(listed.schema, listed.name, counted)).total > came:
            raise RecordUnreadable(
                f"A listing cannot go on: each of {came} rows has a key that is too long for an address",
                hint="leave the table out of [[supabase.tables]], or give it another key",
            )

    def _now(self) -> datetime:
        return time_of(self._clock())


def _read(
    table: str, listed: SupabaseTable, answer: Sequence[bytes], ticket: int
) -> tuple[tuple[Truth, ...], tuple[Unread, ...]]:
    """Make the truths of rows; one that cannot be read stands for itself, and ends nothing."""
    truths, unread = [], []
    for row in answer:
        try:
            truths.append(rows.truth(table, row, listed, ticket))
        except RecordImpossible as error:
            key = _texts(row, listed.key)
            unread.append(Unread(None if key is None else ids.record_id(key), error.message))
    return tuple(truths), tuple(unread)


def _place_of(cursor: str, order: tuple[str, ...]) -> _Place | None:
    """Give the place that a cursor names; None when it is none of this listing."""
    try:
        place = msgspec.json.decode(cursor, type=_Place)
    except msgspec.DecodeError:
        return None
    return place if place.order == order and 0 <= place.within < len(place.after) <= len(order) else None


def _following(order: tuple[str, ...], answer: Sequence[bytes], limit: int, place: _Place | None) -> _Place | None:
    """Say where a listing goes on: behind the last row that can be asked behind; None when there is none.

    Where a whole slice has one value, very many rows may have it: the next slice is asked for among these alone, for
    there an index begins right behind the place.  Otherwise it may walk past those of this slice, and no others.
    """
    smaller = sum(map(len, answer)) > SLICE_BYTES and len(answer) > 1
    named = [texts for row in answer if (texts := _texts(row, order)) is not None]
    after = next((texts for texts in reversed(named) if _fits(texts)), None)
    if after is None:
        return None
    first = named[0]
    like = next((depth for depth, pair in enumerate(zip(first, after, strict=True)) if pair[0] != pair[1]), len(order))
    within = min(like, len(order) - 1) if len(answer) >= ALIKE_MIN else 0
    within = max(within, place.within if place else 0)
    return _Place(order=order, after=after, rows=len(answer) // 2 if smaller else limit, within=within)


def _fits(texts: Sequence[str]) -> bool:
    """Whether rows can be asked for behind these values: a filter has each twice at most."""
    return 2 * sum(len(quote(text, safe="")) for text in texts) <= URL_CHARACTERS_MAX


def _outside(place: _Place | None) -> _Place | None:
    """Say where a listing goes on when nothing is left at a place: with rows less like it; None when there are none."""
    if place is None or not place.within:
        return None
    return msgspec.structs.replace(place, after=place.after[: place.within], within=place.within - 1)


def _texts(row: bytes, columns: Sequence[str]) -> tuple[str, ...] | None:
    """Give the texts of some columns, also of a row that cannot be read as a whole; None where one has none."""
    values = _values(row) or {}
    known = (values.get(column) for column in columns)
    texts = tuple(ids.text(value) for value in known if isinstance(value, str | int | Decimal))
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return None
    return texts if len(texts) == len(columns) else None


def _values(row: bytes) -> dict[str, Any] | None:
    """Decode a row more forgivingly than what is stored: half characters and numbers of any size are taken."""
    try:
        values: dict[str, Any] = json.loads(row, parse_int=str, parse_float=_number)
    except (ValueError, RecursionError):
        return None
    return values


def _number(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except ArithmeticError:
        return text


def _earlier(watermark: str, seconds: float) -> str:
    at = instant_in(watermark)
    return watermark if at is None else earlier(at, seconds).isoformat()
