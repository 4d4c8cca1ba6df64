"""How the reconciler reads tables: slices by keyset, for changes and for everything.

Keyset paging (https://use-the-index-luke.com/no-offset) begins each slice behind the last row of the one before, so
that rows which come and go shift nothing.  Invariants: a listing that the server cut at its own limit (max-rows) goes
on; ties of the change column are told apart by the key; the watermark never lies in the future, whatever rows say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from hookbridge.config import SupabaseConfig, SupabaseTable
from hookbridge.errors import RecordImpossible, SourceUnavailable
from hookbridge.model import Truth
from hookbridge.sources import keys
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.source import Followed, Slice, Tickets
from hookbridge.sources.supabase import rows
from hookbridge.sources.supabase.payloads import table_config

if TYPE_CHECKING:
    from hookbridge.sources.supabase.client import Rows, SupabaseClient  # imports the SDK

SLICE_ROWS = 1_000
"""What Supabase gives at most, unless the project's max-rows says otherwise."""

SLICE_BYTES = 8 * 1024 * 1024
"""After a larger slice the next one asks for half as many rows: memory follows the bytes, not the rows."""


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a listing stands: its cursor."""

    after: tuple[str, ...]
    rows: int
    """How many rows a slice asks for."""
    cut: int
    """How many rows the server gives at most, as far as is known."""


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
            Followed(table=f"{one.schema}.{one.name}", polled=one.changed_at is not None) for one in self._config.tables
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
        answer, truths = await self._read(table, listed, order=(listed.changed_at,), descending=True, limit=1)
        return self._watermark(truths) if answer.rows else None

    async def _slice(
        self,
        table: str,
        listed: SupabaseTable,
        order: tuple[str, ...],
        since: tuple[str, str] | None,
        cursor: str | None,
    ) -> Slice:
        place = None if cursor is None else msgspec.json.decode(cursor, type=_Place)
        wanted = place.rows if place else SLICE_ROWS
        answer, truths = await self._read(
            table,
            listed,
            order=order,
            since=since,
            after=place.after if place else (),
            limit=wanted,
            counted=place is None,
        )
        given = len(answer.rows)
        # The first slice is counted, which shows the server's own limit; the later ones are measured by it.
        complete = answer.total <= given if place is None else given < min(wanted, place.cut)
        if not complete and not given:
            raise SourceUnavailable(f"Supabase counted {answer.total} rows of {table} and gave none")
        following = None
        if not complete:
            last = decode_columns(answer.rows[-1])
            smaller = sum(map(len, answer.rows)) > SLICE_BYTES and given > 1
            following = _Place(
                after=tuple(keys.text(last[column]) for column in order),
                rows=given // 2 if smaller else wanted,
                cut=min(given, wanted) if place is None else place.cut,
            )
        return Slice(
            truths=truths,
            next_cursor=None if following is None else msgspec.json.encode(following).decode(),
            watermark=self._watermark(truths),
            total=answer.total if place is None else None,
        )

    async def _read(
        self,
        table: str,
        listed: SupabaseTable,
        *,
        order: tuple[str, ...],
        limit: int,
        descending: bool = False,
        since: tuple[str, str] | None = None,
        after: tuple[str, ...] = (),
        counted: bool = False,
    ) -> tuple[Rows, tuple[Truth, ...]]:
        from hookbridge.sources.supabase.client import Asked  # noqa: PLC0415  imports the SDK

        asked = Asked(order=order, descending=descending, since=since, after=after, limit=limit, counted=counted)
        ticket = self._tickets()
        answer = await self._client.slice(listed.schema, listed.name, asked)
        return answer, tuple(rows.truth(table, row, listed, ticket) for row in answer.rows)

    def _watermark(self, truths: Sequence[Truth]) -> str | None:
        """Give the latest time of change, but at most now: a row from the future must not hide those after it."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        latest = max(((at, text) for at, text in _times(truths) if at <= now), default=None)
        return None if latest is None else latest[1]


def _times(truths: Sequence[Truth]) -> list[tuple[datetime, str]]:
    found = ((rows.instant_of(truth.changed_at or ""), truth.changed_at) for truth in truths)
    return [(at, text) for at, text in found if at is not None and text is not None]


def _earlier(watermark: str, seconds: float) -> str:
    at = rows.instant_of(watermark)
    return watermark if at is None else (at - timedelta(seconds=seconds)).isoformat()
