"""The reconciler's tasks: for each followed table its polls and its sweeps, as often as configured.

It decides when; ``poll`` and ``sweep`` decide what.  Invariants: whatever a source does and whatever a pass meets, the
other tables go on and the process stays, which would only meet it again after a restart; gaps grow while nothing
changes and while passes fail, up to their bound, and shrink with the first change; polls of a table begin when its
first sweep (the backfill) is complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog
from aiolimiter import AsyncLimiter

from hookbridge.api.reconcile import Line, PassResult, TableStatus
from hookbridge.config import ReconcileConfig
from hookbridge.errors import LeadLost, NotFound, SourceError, StoreUnavailable
from hookbridge.model import SOURCES, Copy, SourceName, Truth
from hookbridge.naming import Naming
from hookbridge.reconcile.findings import Findings, Sink
from hookbridge.reconcile.leftovers import forget_leftovers
from hookbridge.reconcile.passes import Subject
from hookbridge.reconcile.proof import PATIENCE_SECONDS, Proof
from hookbridge.reconcile.status import NOTHING_FOLLOWED, NOTHING_HINT
from hookbridge.reconcile.table import FollowedTable, Pass
from hookbridge.reconcile.term import Term
from hookbridge.sources.source import Source
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Lead

STORE_RETRY_SECONDS = 1.0

_NAMES: Mapping[Pass, str] = {"poll": "The poll", "sweep": "The sweep", "content": "The reading of texts"}

_log = structlog.get_logger(__name__)


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What a reconciler has beside it in its process: nothing, unless it is said."""

    loads: Callable[[SourceName, str], bool] = lambda source, table: False
    """Whether a table's first load may be written directly, because nobody listens."""
    settles: bool = False
    """Whether somebody processes open events meanwhile, so that a proof may wait for them."""
    takes: Callable[[], bool] = lambda: False
    """Whether changes of pulled tables come from their outbox just now."""
    answered: Callable[[SourceName, float], None] = lambda source, asked_at: None
    """Is told when a source answered all of a pass, and when that began, in seconds since 1970."""


def followed(sources: Mapping[SourceName, Source], config: ReconcileConfig) -> frozenset[tuple[SourceName, str]]:
    """Name the tables that a service follows."""
    reading = [(name, source.changes) for name, source in sources.items() if source.changes is not None]
    return frozenset((name, one.table) for name, changes in reading if config.enabled for one in changes.followed())


class Reconciler:
    """All followed tables of all sources that have credentials."""

    def __init__(
        self,
        sources: Mapping[SourceName, Source],
        store: Store,
        sink: Sink,
        config: ReconcileConfig,
        clock: Callable[[], float],
        naming: Naming,
        *,
        beside: Beside,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sources = sources
        self._store = store
        self._sink = sink
        self._config = config
        self._clock = clock
        self._beside = beside
        self._sleep = sleep
        patience = PATIENCE_SECONDS if beside.settles else 0.0
        self._proof = Proof(store, sink, clock, naming, patience_seconds=patience, sleep=sleep)
        self._pace = {name: AsyncLimiter(1, 1 / config.sweep_requests_per_second) for name in SOURCES}
        self.tables: dict[tuple[SourceName, str], FollowedTable] = {}
        self._terms: dict[SourceName, Term] = {}
        for name in sources:
            self._make_tables(name)

    def _make_tables(self, name: SourceName) -> None:
        source, term = self._sources[name], Term()
        self._terms[name] = term
        if source.changes is None:
            return
        findings = Findings(source, self._store, self._sink, self._clock, loads=self._beside.loads, term=term)
        for followed in source.changes.followed():
            subject = Subject(
                of=source,
                followed=followed,
                changes=source.changes,
                findings=findings,
                store=self._store,
                config=self._config,
                clock=self._clock,
                term=term,
            )
            self.tables[name, followed.table] = FollowedTable(subject, self._beside.takes)

    async def open(self) -> None:
        """Read where everything stands."""
        for table in self.tables.values():
            await table.open()

    async def run(self) -> None:
        """Follow everything until cancelled, where nobody else can.  Whatever it raises is a bug of ours."""
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self.follow(source, None), name=f"reconcile-{source}")
            group.create_task(self.keep_books(), name="reconcile-findings")

    async def follow(self, source: SourceName, lead: Lead | None) -> None:
        """Follow the tables of one source until cancelled; None where nobody else can.

        Raises LeadLost as soon as another node may do so.
        """
        if self._terms[source].begun.is_set():
            # A pass of before may go on for an operator: with tables of its own, whose lead has ended.
            self._make_tables(source)
        tables = [table for (of, _), table in self.tables.items() if of == source]
        await self._read_where_they_stand(tables)
        self._terms[source].begin(lead)
        if not self._config.enabled:
            return
        async with asyncio.TaskGroup() as group:
            for table in tables:
                group.create_task(self._follow(table), name=f"reconcile-{source}-{table.name}")

    async def _read_where_they_stand(self, tables: Sequence[FollowedTable]) -> None:
        while True:
            try:
                for table in tables:
                    await table.open()
                return
            except StoreUnavailable as error:
                _log.warning("The reconciler waits for the store", error=error.message)
                await self._sleep(STORE_RETRY_SECONDS)

    async def _follow(self, table: FollowedTable) -> None:
        while not table.sweep.state.loaded:
            await self._attempt(table, "sweep")
            if not table.sweep.state.loaded:
                await self._sleep(table.gap("sweep"))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(table, "sweep"), name=f"sweep-{table.name}")
            if table.polled:
                group.create_task(self._repeat(table, "poll"), name=f"poll-{table.name}")
            if table.content is not None and self._beside.settles:  # else nobody has the copies that wait
                group.create_task(self._repeat(table, "content"), name=f"content-{table.name}")

    async def _repeat(self, table: FollowedTable, kind: Pass) -> None:
        if kind == "sweep":
            await self._until_sweep(table, table.until_sweep())
        while True:
            await self._attempt(table, kind)
            if kind == "sweep":
                await self._until_sweep(table, table.gap(kind))
            elif kind == "content" and table.content is not None and not table.fails(kind):
                await table.content.until_woken(table.gap(kind))
            else:
                await self._sleep(table.gap(kind))

    async def _until_sweep(self, table: FollowedTable, seconds: float) -> None:
        """Sleep so long, or until a sweep is asked for."""
        either = {asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(table.sweep.woken.wait())}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in either:
                waiter.cancel()

    async def _attempt(self, table: FollowedTable, kind: Pass) -> None:
        """Run one pass, and take what goes wrong."""
        try:
            await self._run(table, kind)
        except LeadLost:
            raise
        except (SourceError, StoreUnavailable) as error:
            table.failed(kind, error)
            _log.warning(
                f"{_NAMES[kind]} failed", source=table.source, table=table.name, error=error.message, hint=error.hint
            )
        except Exception as error:  # noqa: BLE001  it is logged as what it is, and shown as the table's state
            # Elsewhere a bug ends the process; a pass would meet the same row again after every restart.
            table.failed(kind, error)
            _log.error(f"{_NAMES[kind]} failed unexpectedly", source=table.source, table=table.name, exc_info=error)

    async def _run(
        self,
        table: FollowedTable,
        kind: Pass,
        *,
        since: str | None = None,
        confirm: bool = False,
        whole: bool = False,
    ) -> PassResult:
        began = self._clock()
        if kind == "poll":
            result = await table.poll.run(since)
        elif kind == "content" and table.content is not None:
            result = await table.content.run()
        else:
            result = await table.sweep.run(self._pace[table.source].acquire, confirmed=confirm, whole=whole)
        if kind == "sweep":
            await table.poll.begin_at(table.sweep.state.newest)
        table.succeeded(kind, result)
        if kind != "content" or result.listed:
            self._beside.answered(table.source, began)
        about = {"source": table.source, "table": table.name, "listed": result.listed, "found": result.found}
        tell = _log.info if result.found else _log.debug
        tell(f"{_NAMES[kind]} is complete", **about, duration=round(self._clock() - began, 3))
        return result

    async def keep_books(self) -> None:
        """Until cancelled, count what was found as announced or missed when a webhook had its time to come."""
        while self._config.enabled:
            await self._sleep(min(self._config.grace_seconds / 2, 30.0))
            try:
                await forget_leftovers(self._store, self.tables, self._clock)
                counted = await self._store.settle_findings(self._config.grace_seconds)
            except StoreUnavailable as error:
                _log.warning("Findings wait for the store", error=error.message)
                continue
            for loss in counted:
                if loss.missed:
                    _log.warning(
                        "Changes that no webhook announced",
                        source=loss.source,
                        table=loss.table,
                        missed=loss.missed,
                        announced=loss.announced,
                    )

    def applied(self, truth: Truth, previous: Copy | None) -> None:
        """Take note that what a source has of a record was applied just now, in place of the copy before."""
        table = self.tables.get((truth.record.source, truth.record.table))
        if table is None:
            return
        if table.content is not None:
            table.content.applied(truth, previous)
        if truth.changed_at is not None:
            table.applied(truth.changed_at, None if previous is None else previous.changed_at)

    # What a source asks

    @property
    def notes(self) -> tuple[str, ...]:
        """The names of the notes that other nodes may write."""
        return tuple(note_names.asked_sweep(source, name) for source, name in self.tables)

    def hear(self, notes: Mapping[str, str]) -> None:
        """Take note of what is noted, as of a moment ago."""
        for (source, name), table in self.tables.items():
            table.sweep.hear(notes.get(note_names.asked_sweep(source, name)))

    # What operators ask and do

    def status(self) -> tuple[TableStatus, ...]:
        """Give the state of each followed table."""
        return tuple(table.status() for table in self.tables.values())

    def table(self, source: SourceName, name: str) -> FollowedTable:
        """Find a followed table.  Raises NotFound."""
        table = self.tables.get((source, name))
        if table is None:
            raise NotFound(
                f"{source} has no followed table {name}",
                hint="list it in [[supabase.tables]] or [[notion.databases]], with the source's credentials",
            )
        return table

    def chosen(self, source: SourceName | None, name: str | None) -> tuple[FollowedTable, ...]:
        """Give the followed tables that are meant, None for all.  Raises NotFound when there is none."""
        if source is not None and name is not None:
            return (self.table(source, name),)
        tables = tuple(table for table in self.tables.values() if source in (None, table.source))
        if not tables:
            raise NotFound(NOTHING_FOLLOWED, hint=NOTHING_HINT)
        return tables

    def verify(
        self, source: SourceName | None, name: str | None, *, heal: bool, content: bool = False
    ) -> AsyncGenerator[Line]:
        """Compare the chosen tables completely, line by line; ``content``: with all texts, read one by one.

        Raises NotFound; the lines raise StoreUnavailable.
        """
        return self._proof.tables(self.chosen(source, name), heal=heal, content=content)

    async def reconcile(
        self, source: SourceName, name: str, kind: Pass, *, since: str | None = None, confirm: bool = False
    ) -> PassResult:
        """Run a pass now.  Raises NotFound, SourceError or StoreUnavailable.

        A table that cannot be polled, or whose first sweep is not complete, is swept.  A sweep finds whatever was
        changed before it was asked for, also where an earlier one was interrupted.
        """
        self.table(source, name)
        await self._terms[source].begun.wait()
        table = self.table(source, name)  # those of the term, which may have begun just now
        if kind == "poll" and (not table.polled or (since is None and not table.sweep.state.loaded)):
            kind = "sweep"
        try:
            return await self._run(table, kind, since=since, confirm=confirm, whole=True)
        except Exception as error:
            table.failed_for_operator(error)
            raise
