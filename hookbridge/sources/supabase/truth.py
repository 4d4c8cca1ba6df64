"""Reading rows in batches: many records, one request, each with its own answer.

Invariants: a ticket is taken before its request; a row that the server left out of a cut answer is asked for again
before it counts as absent; a row that was not asked for is nobody's truth; one malformed id fails alone.  It does not
retry.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from hookbridge.config import SupabaseConfig
from hookbridge.errors import RecordImpossible, SourceError, SourceUnavailable
from hookbridge.model import RecordKey, Truth
from hookbridge.sources import keys
from hookbridge.sources.batching import Batcher
from hookbridge.sources.source import Tickets
from hookbridge.sources.supabase import rows
from hookbridge.sources.supabase.payloads import split, table_config

if TYPE_CHECKING:
    from hookbridge.sources.supabase.client import SupabaseClient  # imports the SDK

URL_CHARACTERS_MAX = 6_000
"""Of the filter; proxies take about 8 KB of URL."""

NO_TABLE = "public.hookbridge"
"""Asked for when no table is known yet: that it does not exist is an answer, too."""

Outcomes = dict[RecordKey, Truth | Exception]


class Reader:
    """Answers ``read``."""

    def __init__(
        self, client: SupabaseClient, config: SupabaseConfig, tickets: Tickets, asked: Callable[[int], None]
    ) -> None:
        """``asked`` is told how many records each request asks for."""
        self._asked = asked
        self._client = client
        self._config = config
        self._tickets = tickets
        self._batcher: Batcher[RecordKey, Truth] = Batcher(self._load, keys_max=config.batch_rows)
        self._probed = f"{config.tables[0].schema}.{config.tables[0].name}" if config.tables else NO_TABLE

    async def read(self, record: RecordKey) -> Truth:
        """Read one row.  Raises SourceError."""
        return await self._batcher(record)

    async def probe(self) -> None:
        """Ask whether Supabase answers us, by the table that was read last.  Raises SourceError."""
        await self._client.probe(*split(self._probed))

    async def close(self) -> None:
        """End the loads and close the connections.  Idempotent."""
        await self._batcher.close()
        await self._client.close()

    async def _load(self, records: tuple[RecordKey, ...]) -> Mapping[RecordKey, Truth | Exception]:
        tables: dict[str, dict[RecordKey, list[str]]] = defaultdict(dict)
        outcomes: Outcomes = {}
        for record in records:
            try:
                values = keys.values(record.id, len(table_config(self._config, record.table).key))
            except ValueError as error:
                outcomes[record] = RecordImpossible(f"Not a key of {record.table}: {error}")
            else:
                tables[record.table][record] = values
        chunks = [(table, chunk) for table, wanted in tables.items() for chunk in _chunks(wanted)]
        for found in await asyncio.gather(*(self._read(table, chunk) for table, chunk in chunks)):
            outcomes |= found
        return outcomes

    async def _read(self, table: str, wanted: dict[RecordKey, list[str]]) -> Outcomes:
        """Read one chunk; where one value or a cut answer stands in the way, in parts."""
        from hookbridge.sources.supabase.client import ValueImpossible  # noqa: PLC0415  imports the SDK

        listed = table_config(self._config, table)
        schema, name = split(table)
        self._probed = table
        ticket = self._tickets()
        self._asked(len(wanted))
        try:
            answer = await self._client.rows(schema, name, listed.key, list(wanted.values()))
        except ValueImpossible as error:
            if len(wanted) == 1:
                return dict.fromkeys(wanted, error)
            return await self._read_parts(table, wanted, 2)
        except SourceError as error:
            return dict.fromkeys(wanted, error)
        truths = [rows.truth(table, row, listed, ticket) for row in answer.rows]
        if len(wanted) == 1:  # there are no smaller parts: whatever came is the answer
            return {record: _only(record, asked, truths, ticket) for record, asked in wanted.items()}
        found: Outcomes = {truth.record: truth for truth in truths if truth.record in wanted}
        missing = {record: values for record, values in wanted.items() if record not in found}
        if missing and (answer.total > len(answer.rows) or len(found) < len(truths)):
            found |= await self._read_parts(table, missing, len(missing) if len(found) < len(truths) else 2)
        else:
            found |= {record: Truth(record=record, data=None, ticket=ticket) for record in missing}
        return found

    async def _read_parts(self, table: str, wanted: dict[RecordKey, list[str]], parts: int) -> Outcomes:
        items = list(wanted.items())
        size = -(-len(items) // parts)
        found: Outcomes = {}
        for start in range(0, len(items), size):
            found |= await self._read(table, dict(items[start : start + size]))
        return found


def _only(record: RecordKey, asked: list[str], truths: list[Truth], ticket: int) -> Truth | SourceUnavailable:
    """Find the truth of the one row that was asked for: the source compares as its type does (1.50 is 1.5)."""
    for truth in truths:
        if rows.is_named(truth, asked):
            return rows.named(truth, record)
    if not truths:
        return Truth(record=record, data=None, ticket=ticket)
    return SourceUnavailable(
        f"Supabase answered with row {truths[0].record.id} where {record.id} was asked for",
        hint="is there a cache or a proxy before it? If both name one row, let senders write the key as Supabase does",
    )


def _chunks(wanted: Mapping[RecordKey, Sequence[str]]) -> list[dict[RecordKey, list[str]]]:
    """Cut by the length of the URL."""
    chunks: list[dict[RecordKey, list[str]]] = []
    room = 0
    for record, values in wanted.items():
        needed = sum(len(quote(value)) + 20 for value in values)
        if needed > room:
            chunks.append({})
            room = URL_CHARACTERS_MAX
        chunks[-1][record] = list(values)
        room -= needed
    return chunks
