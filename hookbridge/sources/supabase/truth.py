"""Reading rows in batches: many records, one request, each with its own answer.

Invariants: a ticket is taken before its request; a row that the server left out of a cut answer is asked for again
before it counts as absent; a row that was not asked for is nobody's truth; what is wrong with one record (a malformed
id, a row that cannot be processed) is no other one's failure.  A truth has the name that its row has, which may be
another spelling than was asked for.  It does not retry.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from hookbridge.config import SupabaseConfig, SupabaseTable
from hookbridge.errors import RecordImpossible, RecordUnreadable, SourceError, SourceUnavailable, TableUnreadable
from hookbridge.model import RecordKey, Truth
from hookbridge.names import split
from hookbridge.sources import ids
from hookbridge.sources.batching import Batcher
from hookbridge.sources.large import aside
from hookbridge.sources.source import Tickets
from hookbridge.sources.supabase import filters, rows
from hookbridge.sources.supabase.payloads import KEY_HINT, table_config

if TYPE_CHECKING:
    from hookbridge.sources.supabase.client import SupabaseClient  # imports the SDK

URL_CHARACTERS_MAX = 6_000
"""Of the filter; proxies take about 8 KB of URL."""

NO_TABLE = "public.hookbridge"
"""Asked for when no table is known yet: that it does not exist is an answer, too."""

ALONE_FAILED_MAX = 3
"""Once so many records have failed alone, it is no longer the size of a request that fails, and none is cut further."""

Wanted = dict[RecordKey, list[str]]
"""Records with the texts of their key columns."""

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
        self._probed = config.tables[0].full_name if config.tables else NO_TABLE

    async def read(self, record: RecordKey) -> Truth:
        """Read one row.  Raises SourceError."""
        return await self._batcher.ask(record)

    refresh = read  # requests are not counted here

    async def probe(self) -> None:
        """Ask whether Supabase answers us, by the table that was read last.  Raises SourceError."""
        await self._client.probe(*split(self._probed))

    async def close(self) -> None:
        """End the loads and close the connections.  Idempotent."""
        await self._batcher.close()
        await self._client.close()

    async def _load(self, records: tuple[RecordKey, ...]) -> AsyncIterator[tuple[RecordKey, Truth | Exception]]:
        tables: dict[str, Wanted] = defaultdict(dict)
        for record in records:
            try:
                values = ids.values(record.id, len(table_config(self._config, record.table).key))
            except ValueError as error:
                yield record, RecordImpossible(f"Not a key of {record.table}: {error}")
            else:
                tables[record.table][record] = values
        for found in await asyncio.gather(*(self._read_table(table, wanted) for table, wanted in tables.items())):
            for outcome in found.items():
                yield outcome

    async def _read_table(self, table: str, wanted: Wanted) -> Outcomes:
        outcomes = await self._read_chunks(table, wanted)
        # What is gone has no row to say how its column writes a uuid or a time, but the copy here has that name.
        written = {
            record: spelling
            for record, values in wanted.items()
            if _is_absent(outcomes[record]) and (spelling := _as_written(record, values)) != record
        }
        if written:
            others = {spelling: ids.values(spelling.id, len(wanted[record])) for record, spelling in written.items()}
            read = await self._read_chunks(table, others)
            for record, spelling in written.items():
                absent, outcome = outcomes[record], read[spelling]
                if isinstance(outcome, Exception):  # then nobody knows what became of the copy
                    outcomes[record] = outcome
                elif isinstance(absent, Truth) and _is_absent(outcome):
                    outcomes[record] = Truth(record=record, data=None, ticket=absent.ticket, also_gone=spelling)
        return outcomes

    async def _read_chunks(self, table: str, wanted: Wanted) -> Outcomes:
        outcomes: Outcomes = {}
        chunks = _chunks(table_config(self._config, table).key, wanted)
        for part in await asyncio.gather(*(self._read(table, chunk, set()) for chunk in chunks)):
            outcomes |= part
        return outcomes

    async def _read(self, table: str, wanted: Wanted, failed: set[RecordKey]) -> Outcomes:
        """Read one chunk; where one record or a cut answer stands in the way, in parts.

        ``failed`` collects the records that could not even be read in a request of their own.
        """
        listed = table_config(self._config, table)
        schema, name = split(table)
        ticket = await self._tickets()
        self._asked(len(wanted))
        try:
            answer = await self._client.rows(schema, name, filters.named(listed.key, list(wanted.values())))
        except SourceError as error:
            if len(wanted) > 1 and _is_worth_parting(error, failed):
                return await self._read_parts(table, wanted, 2, failed)
            if isinstance(error, RecordUnreadable):
                failed.update(wanted)
            return dict.fromkeys(wanted, error)
        self._probed = table
        truths, odd = await aside(sum(map(len, answer.rows)), _taken, table, answer.rows, listed, ticket)
        if len(wanted) == 1:  # there are no smaller parts: whatever came is the answer
            ((record, asked),) = wanted.items()
            only = _only(record, asked, truths, odd, ticket)
            return {record: only or await self._stranger(record, asked, truths[0], listed)}
        outcomes = _by_name(truths, wanted)
        missing = {record: values for record, values in wanted.items() if record not in outcomes}
        if any(truth.record not in wanted for truth in truths):
            again, parts = missing, len(missing)
        elif odd or answer.total > len(answer.rows):
            again, parts = missing, 2
        else:
            again = _look_alikes(wanted, outcomes) if missing else {}
            parts = len(again)
            outcomes |= {
                absent: Truth(record=absent, data=None, ticket=ticket) for absent in missing if absent not in again
            }
        return outcomes | await self._read_parts(table, again, parts, failed) if again else outcomes

    async def _stranger(
        self, record: RecordKey, wanted: Sequence[str], came: Truth, listed: SupabaseTable
    ) -> Truth | Exception:
        """Judge a row whose key looks like another one's: a type's own spelling, or an answer to another question.

        A source that means what it says has no row that is the one and not the other.  A cache or a proxy that forgets
        the query gives the stranger again.
        """
        other = ids.values(came.record.id, len(listed.key))
        self._asked(1)
        try:
            answer = await self._client.rows(*split(record.table), filters.named_but(listed.key, wanted, other))
        except SourceError as error:
            return error
        if not answer.rows:
            return came
        return SourceUnavailable(
            f"Supabase answered with row {came.record.id} where {record.id} was asked for",
            hint="is there a cache or a proxy before it that forgets the query?",
        )

    async def _read_parts(self, table: str, wanted: Wanted, parts: int, failed: set[RecordKey]) -> Outcomes:
        items = list(wanted.items())
        size = -(-len(items) // parts)
        found: Outcomes = {}
        for start in range(0, len(items), size):
            found |= await self._read(table, dict(items[start : start + size]), failed)
        return found


def _is_worth_parting(error: SourceError, failed: set[RecordKey]) -> bool:
    """Whether smaller requests may succeed: each malformed id alone is refused, but a slow table stays slow."""
    if isinstance(error, RecordUnreadable):
        return len(failed) < ALONE_FAILED_MAX
    return isinstance(error, RecordImpossible) and not isinstance(error, TableUnreadable)


def _taken(
    table: str, texts: Sequence[bytes], listed: SupabaseTable, ticket: int
) -> tuple[list[Truth], RecordImpossible | None]:
    """Make truths of the rows; the error of one that cannot be processed, which does not say whose it is."""
    truths, odd = [], None
    for text in texts:
        try:
            truths.append(rows.truth(table, text, listed, ticket))
        except RecordImpossible as error:
            odd = error
    return truths, odd


def _by_name(truths: Sequence[Truth], wanted: Wanted) -> Outcomes:
    alike: dict[RecordKey, list[Truth]] = defaultdict(list)
    for truth in truths:
        if truth.record in wanted:
            alike[truth.record].append(truth)
    return {record: _the_one(rows_of_it) for record, rows_of_it in alike.items()}


def _look_alikes(wanted: Wanted, found: Outcomes) -> Wanted:
    """Give those that may be another spelling of one that came: 042 and 42 are two texts and one integer.

    Asked for alone, the source says which.
    """
    met = {rows.spelling(wanted[record]) for record in found}
    return {one: values for one, values in wanted.items() if one not in found and rows.spelling(values) in met}


def _the_one(alike: Sequence[Truth]) -> Truth | RecordImpossible:
    """Insist that rows of one name are the same row (a view may give one twice)."""
    if len({truth.fingerprint for truth in alike}) == 1:
        return alike[0]
    record = alike[0].record
    return RecordImpossible(f"Several rows of {record.table} have the key {record.id}", hint=KEY_HINT)


def _only(
    record: RecordKey, asked: Sequence[str], truths: Sequence[Truth], odd: RecordImpossible | None, ticket: int
) -> Truth | Exception | None:
    """Find the truth of the one row that was asked for, as types compare (1.50 is 1.5); None among strangers alone."""
    named = [truth for truth in truths if truth.record == record] or [
        truth for truth in truths if rows.is_named(truth, asked)
    ]
    if named:
        return _the_one(named)
    if odd is not None:
        return odd
    return None if truths else Truth(record=record, data=None, ticket=ticket)


def _is_absent(outcome: Truth | Exception) -> bool:
    return isinstance(outcome, Truth) and outcome.data is None


def _as_written(record: RecordKey, values: Sequence[str]) -> RecordKey:
    """Give the record's name with each uuid and time as a column of that type writes it."""
    return RecordKey(record.source, record.table, ids.record_id(list(map(rows.as_written, values))))


def _chunks(key: Sequence[str], wanted: Wanted) -> list[Wanted]:
    """Cut by the length of the URL."""
    chunks: list[Wanted] = []
    room = 0
    for record, values in wanted.items():
        needed = filters.url_characters(key, values)
        if needed > room:
            chunks.append({})
            room = URL_CHARACTERS_MAX
        chunks[-1][record] = values
        room -= needed
    return chunks
