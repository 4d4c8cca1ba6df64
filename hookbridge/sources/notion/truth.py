"""Reading pages under a budget: what waits when a request may go shares that request.

Few pages of a database are retrieved one by one.  Many are looked for in one query for the pages that were edited last,
because those are what webhooks speak of; what it does not find is retrieved, for a query's miss is no absence.
Invariants: a call is only answered by a request that was sent after it; a ticket is taken before its request; one
page's failure is its own.  Unlike rows, pages are not gathered by time: at three requests a second the budget is what
they wait for, and whatever comes meanwhile joins.  It does not retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING

from hookbridge.errors import RecordImpossible, RecordUnreadable, SourceError, SourceUnavailable
from hookbridge.model import Columns, RecordKey, Truth
from hookbridge.names import dashed, is_id
from hookbridge.sources.notion.answers import truth_of, whole
from hookbridge.sources.notion.budget import Budget, Urgency
from hookbridge.sources.notion.cuts import Rest
from hookbridge.sources.notion.databases import Databases
from hookbridge.sources.notion.places import Places
from hookbridge.sources.source import Tickets

if TYPE_CHECKING:
    from hookbridge.sources.notion.client import NotionClient  # imports the SDK

WINDOW_SECONDS = 0.003
"""How long the first call waits for the others of the same moment."""

QUERY_FROM = 8
"""So many pages of one database are worth a query."""

WORTH_FOUND = 4
"""A page of results with fewer hits ends the query: the next one would have still fewer."""

LOADS_MAX = 8
"""Loads at once.  More would fix what they read long before the budget lets them read it."""


class _Wanted:
    """A record that calls wait for."""

    __slots__ = ("alone", "calls", "record")

    def __init__(self, record: RecordKey) -> None:
        self.record = record
        self.calls: list[asyncio.Future[Truth]] = []
        self.alone = not is_id(record.table)
        """Whether a query cannot find it, or has not."""

    def call(self) -> asyncio.Future[Truth]:
        self.calls.append(call := asyncio.get_running_loop().create_future())
        return call

    def is_awaited(self) -> bool:
        return any(not call.done() for call in self.calls)

    def answer(self, truth: Truth) -> None:
        for call in self.calls:
            if not call.done():
                call.set_result(truth)

    def fail(self, error: Exception) -> None:
        for call in self.calls:
            if not call.done():
                call.set_exception(error)


class Reader:
    """Answers ``read``; owns the task that hands out the loads, and the loads."""

    def __init__(
        self,
        client: NotionClient,
        budget: Budget,
        tickets: Tickets,
        *,
        asked: Callable[[int], None],
        rest: Rest,
        places: Places,
        databases: Databases,
        now: Callable[[], float],
    ) -> None:
        """``asked`` is told how many records each read asks for; ``now`` gives the time of the day."""
        self._asked = asked
        self._rest = rest
        self._places = places
        self._databases = databases
        self._now = now
        self._client = client
        self._budget = budget
        self._tickets = tickets
        self._waiting: dict[RecordKey, _Wanted] = {}
        self._slots = asyncio.Semaphore(LOADS_MAX)
        self._dispatcher: asyncio.Task[None] | None = None
        self._loads: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(self, record: RecordKey) -> Truth:
        """Read one page.  Raises SourceError."""
        self._refuse(record)
        call = self._waiting.setdefault(record, _Wanted(record)).call()
        self._wake()
        return await call

    async def refresh(self, record: RecordKey) -> Truth:
        """Read one page by itself, when nothing else wants to ask.  Raises SourceError."""
        self._refuse(record)
        wanted = _Wanted(record)
        call = wanted.call()
        load = self._guarded(self._retrieve_each([wanted], Urgency.SWEEP), [wanted])
        task = asyncio.create_task(load, name="notion-refresh")
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)
        return await call

    def _refuse(self, record: RecordKey) -> None:
        if self._closed:
            raise _stopping()
        if not is_id(record.id):
            raise RecordImpossible(f"Not an id of a Notion page: {record.id}")

    async def probe(self) -> None:
        """Ask whether Notion answers us.  Raises SourceError."""
        await self._budget.permit()
        await self._client.me()

    async def close(self) -> None:
        """End all tasks and close the connections; who still waits is told so.  Idempotent."""
        self._closed = True
        tasks = [*self._loads, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wanted in self._waiting.values():
            wanted.fail(_stopping())
        self._waiting.clear()
        await self._client.close()

    # Who goes next

    def _wake(self) -> None:
        if self._waiting and (self._dispatcher is None or self._dispatcher.done()):
            self._dispatcher = asyncio.create_task(self._dispatch(), name="notion-reader")

    async def _dispatch(self) -> None:
        await asyncio.sleep(WINDOW_SECONDS)
        while self._waiting:
            # The slot first: what is read is chosen as late as possible.
            await self._slots.acquire()
            load = self._next_load()
            if load is None:
                self._slots.release()
                continue
            task = asyncio.create_task(load, name="notion-load")
            self._loads.add(task)
            task.add_done_callback(self._load_ended)

    def _load_ended(self, task: asyncio.Task[None]) -> None:
        self._loads.discard(task)
        self._slots.release()

    def _next_load(self) -> Coroutine[None, None, None] | None:
        """Take from what waits: the oldest record, or its whole database where that is worth a query."""
        first = next(iter(self._waiting.values()))
        together = [first]
        if not first.alone:
            alike = [one for one in self._waiting.values() if not one.alone and one.record.table == first.record.table]
            together = alike if len(alike) >= QUERY_FROM else together
        for one in together:
            del self._waiting[one.record]
        together = [one for one in together if one.is_awaited()]
        if not together:
            return None
        if len(together) < QUERY_FROM:
            return self._guarded(self._retrieve_each(together), together)
        wanted = {one.record.id: one for one in together}
        return self._guarded(self._query(first.record.table, wanted), together)

    async def _guarded(self, load: Coroutine[None, None, None], together: Iterable[_Wanted]) -> None:
        """Whatever ends a load, nobody waits for it any longer."""
        try:
            await load
        except Exception as error:  # noqa: BLE001  it is for those who wait
            for wanted in together:
                wanted.fail(error)
        except asyncio.CancelledError:
            for wanted in together:
                wanted.fail(_stopping())
            raise

    # Loads

    async def _retrieve_each(self, together: list[_Wanted], urgency: Urgency = Urgency.READ) -> None:
        for wanted in together:
            try:
                await self._budget.permit(urgency)
                ticket = await self._tickets()
                self._asked(1)
                page = await self._client.page(wanted.record.id)
            except SourceError as error:
                wanted.fail(error)
            else:
                await self._answer(wanted, page, ticket, urgency)

    async def _answer(self, wanted: _Wanted, page: Columns | None, ticket: int, urgency: Urgency) -> None:
        """Answer with the whole page, after reading what an answer about many leaves out of it."""
        truth = truth_of(wanted.record, page, ticket, self._now(), self._places)
        if page is not None and truth.partial and wanted.is_awaited():
            try:
                truth = whole(truth, await self._rest.complete(page, urgency))
            except SourceError as error:
                wanted.fail(error)
                return
        wanted.answer(truth)

    async def _query(self, table: str, wanted: dict[str, _Wanted]) -> None:
        """Look for the pages in the database's newest; those that are not found wait for a load of their own."""
        self._asked(len(wanted))
        cut: list[tuple[_Wanted, Columns, int]] = []
        try:
            for source in await self._databases.data_sources(table):
                await self._query_source(source, wanted, cut)
                if len(wanted) < QUERY_FROM:
                    break
        except RecordImpossible:
            # It says nothing about the pages, only that this table cannot be queried.
            self._databases.keep(table, ())
        except RecordUnreadable:
            pass  # this query's own failure: its pages are still to be read
        for missed in wanted.values():
            later = self._waiting.setdefault(missed.record, missed)
            if later is not missed:
                later.calls += missed.calls
            later.alone = True
        self._wake()
        for one, page, ticket in cut:
            await self._answer(one, page, ticket, Urgency.READ)

    async def _query_source(
        self, source: str, wanted: dict[str, _Wanted], cut: list[tuple[_Wanted, Columns, int]]
    ) -> None:
        """Answer those that one data source has; what its answer leaves something out of goes to ``cut``."""
        cursor: str | None = None
        while wanted:
            await self._budget.permit()
            ticket = await self._tickets()
            try:
                listing = await self._client.newest(source, cursor)
            except RecordImpossible:
                if cursor is None:
                    raise
                return  # the page that the cursor names was edited or trashed: cursors end like that
            if listing is None:
                msg = f"Notion has no data source {source}"
                raise RecordImpossible(msg)
            found = 0
            for page in listing.pages:
                one = wanted.pop(dashed(page["id"]), None)
                if one is not None:
                    truth = truth_of(one.record, page, ticket, self._now(), self._places)
                    if truth.partial:
                        cut.append((one, page, ticket))
                    else:
                        one.answer(truth)
                    found += 1
            cursor = listing.next_cursor
            if cursor is None or found < WORTH_FOUND:
                return


def _stopping() -> SourceUnavailable:
    return SourceUnavailable("The service is stopping")
