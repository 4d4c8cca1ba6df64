"""Reading pages under a budget: what waits when a request may go shares that request.

Few pages of a database are retrieved one by one.  Many are looked for in one query for the pages that were edited last,
because those are what webhooks speak of; what it does not find is retrieved, for a query's miss is no absence.
Invariants: a call is only answered by a request that was sent after it; a ticket is taken before its request; one
page's failure is its own.  At three requests a second the budget is what pages wait for, and whatever comes meanwhile
joins those that wait.  It does not retry.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from hookbridge.errors import RecordImpossible, RecordUnreadable, SourceError
from hookbridge.model import Columns, RecordKey, Truth
from hookbridge.names import dashed, is_id
from hookbridge.sources.batching import Batcher
from hookbridge.sources.notion.answers import truth_of, whole
from hookbridge.sources.notion.bodies import Bodies
from hookbridge.sources.notion.budget import Urgency
from hookbridge.sources.notion.cuts import Rest
from hookbridge.sources.notion.databases import Databases
from hookbridge.sources.notion.places import Places

if TYPE_CHECKING:
    from hookbridge.sources.notion.client import NotionClient  # imports the SDK

QUERY_FROM = 8
"""So many pages of one database are worth a query."""

TOGETHER_MAX = 1_000
"""So many pages go with one query: ten pages of its results, if it finds them all."""

WORTH_FOUND = 4
"""A page of results with fewer hits ends the query: the next one would have still fewer."""

LOADS_MAX = 8
"""Loads at once.  More would fix what they read long before the budget lets them read it."""


class Reader:
    """Answers ``read``."""

    def __init__(
        self,
        client: NotionClient,
        *,
        asked: Callable[[int], None],
        rest: Rest,
        bodies: Bodies,
        places: Places,
        databases: Databases,
        now: Callable[[], float],
    ) -> None:
        """``asked`` is told how many records each read asks for; ``now`` gives the time of the day."""
        self._asked = asked
        self._rest = rest
        self._bodies = bodies
        self._places = places
        self._databases = databases
        self._now = now
        self._client = client
        self._together: Batcher[RecordKey, Truth | None] = Batcher(
            self._load, choose=_of_one_database, keys_max=TOGETHER_MAX, loads_max=LOADS_MAX
        )
        self._alone, self._patiently = (
            Batcher[RecordKey, Truth](
                partial(self._retrieved, urgency=urgency), keys_max=1, window_seconds=0.0, loads_max=LOADS_MAX
            )
            for urgency in (Urgency.READ, Urgency.SWEEP)
        )

    async def read(self, record: RecordKey) -> Truth:
        """Read one page.  Raises SourceError."""
        _refuse_impossible(record)
        truth = await self._together.ask(record) if is_id(record.table) else None
        return truth or await self._alone.ask(record)

    async def refresh(self, record: RecordKey) -> Truth:
        """Read one page by itself, when nothing else wants to ask.  Raises SourceError."""
        _refuse_impossible(record)
        return await self._patiently.ask(record)

    async def probe(self) -> None:
        """Ask whether Notion answers us.  Raises SourceError."""
        await self._client.me()

    async def close(self) -> None:
        """End the loads and close the connections.  Idempotent."""
        for batcher in (self._together, self._alone, self._patiently):
            await batcher.close()
        await self._client.close()

    # Loads

    def _load(self, records: tuple[RecordKey, ...]) -> AsyncIterator[tuple[RecordKey, Truth | Exception | None]]:
        return self._retrieved(records) if len(records) < QUERY_FROM else self._found(records)

    async def _retrieved(
        self, records: tuple[RecordKey, ...], urgency: Urgency = Urgency.READ
    ) -> AsyncIterator[tuple[RecordKey, Truth | Exception]]:
        for record in records:
            try:
                self._asked(1)
                page, ticket = await self._client.page(record.id, urgency)
            except SourceError as error:
                yield record, error
            else:
                yield record, await self._completed(record, page, ticket, urgency)

    async def _completed(
        self, record: RecordKey, page: Columns | None, ticket: int, urgency: Urgency
    ) -> Truth | SourceError:
        """Give the truth of the whole page, after reading what an answer about it leaves out: the body as the last."""
        try:
            truth = self._truth(record, page, ticket)
            if page is None or not truth.partial:
                return truth
            completed = await self._rest.complete(page, urgency)
            return whole(truth, completed, await self._bodies.read(truth, urgency))
        except SourceError as error:
            return error

    def _truth(self, record: RecordKey, page: Columns | None, ticket: int) -> Truth:
        return truth_of(record, page, ticket, self._now(), self._places, with_body=self._bodies.wanted)

    async def _found(self, records: tuple[RecordKey, ...]) -> AsyncIterator[tuple[RecordKey, Truth | Exception | None]]:
        """Look for the pages in their database's newest; None for those that are not found."""
        table = records[0].table
        wanted = {record.id: record for record in records}
        cut: list[tuple[RecordKey, Columns, int]] = []
        self._asked(len(wanted))
        try:
            for source in await self._databases.data_sources(table):
                async for record, page, ticket in self._newest(source, wanted):
                    truth = self._truth(record, page, ticket)
                    if truth.partial:
                        cut.append((record, page, ticket))
                    else:
                        yield record, truth
                if len(wanted) < QUERY_FROM:
                    break
        except RecordImpossible:
            # It says nothing about the pages, only that this table cannot be queried.
            self._databases.keep(table, ())
        except RecordUnreadable:
            pass  # this query's own failure: its pages are still to be read
        for missed in wanted.values():
            yield missed, None
        for record, page, ticket in cut:
            yield record, await self._completed(record, page, ticket, Urgency.READ)

    async def _newest(self, source: str, wanted: dict[str, RecordKey]) -> AsyncIterator[tuple[RecordKey, Columns, int]]:
        """Take from what is wanted the pages that one data source has, each with its ticket."""
        cursor: str | None = None
        while wanted:
            try:
                listing = await self._client.query(source, Urgency.READ, descending=True, cursor=cursor)
            except RecordImpossible:
                if cursor is None:
                    raise
                return  # the page that the cursor names was edited or trashed: cursors end like that
            if listing is None:
                msg = f"Notion has no data source {source}"
                raise RecordImpossible(msg)
            found = [(record, page) for page in listing.pages if (record := wanted.pop(dashed(page["id"]), None))]
            for record, page in found:
                yield record, page, listing.ticket
            cursor = listing.next_cursor
            if cursor is None or len(found) < WORTH_FOUND:
                return


def _of_one_database(waiting: Mapping[RecordKey, object]) -> list[RecordKey]:
    """Choose the oldest record, or its whole database where that is worth a query."""
    first = next(iter(waiting))
    alike = [record for record in waiting if record.table == first.table]
    return alike if len(alike) >= QUERY_FROM else [first]


def _refuse_impossible(record: RecordKey) -> None:
    if not is_id(record.id):
        raise RecordImpossible(f"Not an id of a Notion page: {record.id}")
