"""The Postgres engine's machinery: a few connections, groups of appends and settlements, tickets, and what is repeated.

Invariants: each call is one statement, and with that one transaction; a call that another one was in the way of is made
again, whole; of a call whose connection ended nobody knows whether it was done, so only reads are made again.  It does
not know what the calls do: those are functions of ``schema/functions``, called by the roles.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from hookbridge.clock import FollowedClock
from hookbridge.errors import StoreError, StoreUnavailable
from hookbridge.model import SourceName
from hookbridge.store.commits import GroupCommit, Results
from hookbridge.store.nodes import Links
from hookbridge.store.postgres.connections import Conflict, Link, Lost, Record, Server

Result = TypeVar("Result")

TRIES = 8
TRYING_SECONDS = 10.0
"""So often, and for so long, a call is made again that others are in the way of."""

READ_AGAIN_SECONDS = 3.0
"""What failed after a longer time was ended by the server, or that does not answer: so it would be again."""

APPENDS_AT_ONCE = 2
"""While the server writes one group down, the next one is on its way."""

SETTLES_SPACING_SECONDS = 0.025
"""A call costs the server as much as twenty more settlements in it, so under load they are waited for."""

EVENT_BYTES = 512
"""What an event weighs beside its body: about so much is written in rows when it comes, and when it ends."""

_log = structlog.get_logger(__name__)


class Writer:
    """What a job sees: calls on a connection of its kind, and the slot in which it counts."""

    def __init__(self, engine: Engine, link: Link, place: int) -> None:
        """``place`` is among the writers that may be at work at the same moment."""
        self._link = link
        self._engine = engine
        self._place = place

    @property
    def moment(self) -> float | None:
        """A test's time; None for the server's."""
        return self._engine.moment

    @property
    def node(self) -> str:
        """The node's name."""
        return self._engine.node

    @property
    def slot(self) -> int:
        """Where this writer counts, so that it does not wait for another one's commit."""
        return self._engine.slots[self._place]

    async def call(self, sql: str, *arguments: object) -> list[Record]:
        """Run one statement.  What it raises concerns the group; it may be run again, with other jobs."""
        return await self._link.call(sql, *arguments)

    def opened(self, events: int) -> None:
        """Say by how many the open events changed, after the call that did it."""
        self._engine.open_events += events


class Job:
    """One call that is written together with others of its kind."""

    __slots__ = ()

    @property
    def weight(self) -> int:
        """How many bytes it writes at least."""
        return 0

    @staticmethod
    async def run_together(jobs: Sequence[Any], writer: Writer) -> Sequence[Any]:
        """Write them in one statement; give one result for each job.

        It is called again where another call was in the way, and with parts of them where one cannot be stored.
        """
        raise NotImplementedError  # pragma: no cover  every kind has its own


class Engine:
    """The connections, and what is done together on them."""

    def __init__(self, url: str, *, node: str, moment: Callable[[], float | None]) -> None:
        self.server = Server(url)
        self.node = node
        self.slots = list(range(1, 1 + APPENDS_AT_ONCE))
        self.open_events = 0
        """Of all nodes, as of the last look, and what this one did since."""
        self.clock = FollowedClock()
        self.ahead: set[SourceName] = set()
        """Of which sources records may wait by a clock that was ahead: the server's was set back since."""
        self._moment = moment
        self._tasks: set[asyncio.Task[Any]] = set()
        self._links: list[Link] = []
        self._writes, self._reads, self._lists, self._searches = (self._link() for _ in range(4))
        self.appends: GroupCommit[Any] = self._groups(at_once=APPENDS_AT_ONCE)
        self.settles: GroupCommit[Any] = self._groups(spacing_seconds=SETTLES_SPACING_SECONDS)
        self._wanted: list[asyncio.Future[int]] = []
        self._fetching = False

    @property
    def first(self) -> Link:
        """The connection on which a store is begun."""
        return self._writes

    @property
    def slot(self) -> int:
        """Where this node counts what it writes alone."""
        return self.slots[0]

    @property
    def moment(self) -> float | None:
        """What a test says the time is; None for the server's own clock."""
        return self._moment()

    async def read(self, sql: str, *arguments: object) -> list[Record]:
        """Read little: what is found by its name.  Raises StoreUnavailable, StoreError."""
        return await _read(self._reads, sql, arguments)

    async def browse(self, sql: str, *arguments: object) -> list[Record]:
        """Read a list.  No other kind of read waits for it."""
        return await _read(self._lists, sql, arguments)

    async def search(self, sql: str, *arguments: object) -> list[Record]:
        """Read what may take long."""
        return await _read(self._searches, sql, arguments)

    async def count(self, sql: str) -> list[Record]:
        """Read what has to look at everything there is, however long that takes."""
        return await self._searches.at_length(sql)

    async def write(self, sql: str, *arguments: object) -> list[Record]:
        """Run one statement that writes.  It goes on when the caller is cancelled.

        Raises StoreUnavailable, after which it may have been done or not, and StoreError.
        """
        return await self._to_its_end(_again(lambda: self._writes.call(sql, *arguments)))

    async def at_once(self, sql: str, *arguments: object) -> list[Record]:
        """Write as ``write`` does, and not behind what it writes: a lease may hang on this."""
        return await self._to_its_end(_again(lambda: self._reads.call(sql, *arguments)))

    def ticket(self) -> Awaitable[int]:
        """Give a number that is larger than every one that was given, on any node, before this call."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._wanted.append(future)
        if not self._fetching:
            self._fetching = True
            _ = self._spawn(self._give_tickets())
        return future

    @property
    def links(self) -> Links:
        """How the connections stand."""
        return Links(open=sum(one.is_open for one in self._links), lost=sum(one.lost for one in self._links))

    async def close(self) -> None:
        """Finish what was submitted, then close the connections."""
        await self.appends.close()
        await self.settles.close()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._links))

    def _link(self) -> Link:
        link = Link(self.server)
        self._links.append(link)
        return link

    def _groups(self, *, at_once: int = 1, spacing_seconds: float = 0.0) -> GroupCommit[Any]:
        free = [Writer(self, self._link(), place) for place in reversed(range(at_once))]

        def commit(jobs: list[Any], done: Callable[[Results], None]) -> None:
            _ = self._spawn(finish(jobs, done))

        async def finish(jobs: list[Any], done: Callable[[Results], None]) -> None:
            writer = free.pop()
            results = await _together(jobs, writer)
            free.append(writer)
            done(results)

        return GroupCommit(commit, lambda job: job.weight, at_once=at_once, spacing_seconds=spacing_seconds)

    async def _to_its_end(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do this, also when the caller is cancelled meanwhile."""
        task = self._spawn(work)
        task.add_done_callback(_heard)
        return await asyncio.shield(task)

    def _spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _give_tickets(self) -> None:
        """Serve all that wait with one statement, which begins after all of them have asked."""
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted, []
                _give(wanted, await self._tickets(len(wanted)))
        finally:
            self._fetching = False

    async def _tickets(self, number: int) -> list[int] | StoreError:
        try:
            rows = await self.read("SELECT nextval('hookbridge.tickets') FROM generate_series(1, $1)", number)
        except StoreError as error:
            return error
        return [ticket for (ticket,) in rows]


def _heard(task: asyncio.Task[Any]) -> None:
    """Take what a call raised as heard: whoever waited may be gone, and asyncio would log it as nobody's."""
    if not task.cancelled():
        task.exception()


def _give(waiting: Sequence[asyncio.Future[int]], tickets: list[int] | StoreError) -> None:
    for place, future in enumerate(waiting):
        if future.done():  # its waiter was cancelled
            continue
        if isinstance(tickets, StoreError):
            future.set_exception(_copy(tickets))
        else:
            future.set_result(tickets[place])


class Role:
    """What the contract's roles have in common: the engine that does their calls."""

    _engine: Engine


async def _read(link: Link, sql: str, arguments: tuple[object, ...]) -> list[Record]:
    """Read; once more where the connection was lost, because nothing was changed, unless that took long."""
    until = time.monotonic() + READ_AGAIN_SECONDS
    try:
        return await _again(lambda: link.call(sql, *arguments))
    except Lost:
        if time.monotonic() > until:
            raise
    return await _again(lambda: link.call(sql, *arguments))


async def _again(call: Callable[[], Awaitable[Result]]) -> Result:
    """Make a call, and make it again when others were in the way."""
    until = time.monotonic() + TRYING_SECONDS
    for number in itertools.count(1):
        try:
            return await call()
        except Conflict as error:
            if number == TRIES or time.monotonic() > until:
                raise
            _log.debug("A call of the store is made again", error=error.message)
        # Not at the same time as the other one.
        await asyncio.sleep(random.uniform(0, 0.01 * 2**number))  # noqa: S311  no secret
    raise AssertionError  # pragma: no cover  there are always more numbers


async def _together(jobs: Sequence[Any], writer: Writer) -> list[Any]:
    """Write a group; when something in it cannot be stored, its halves, so that it fails alone."""
    kind = type(jobs[0])
    try:
        return list(await _again(lambda: kind.run_together(jobs, writer)))
    except Exception as error:  # noqa: BLE001  whatever it is, it belongs to the jobs' futures
        own = isinstance(error, StoreError) and not isinstance(error, StoreUnavailable)
        if len(jobs) == 1 or not own:
            return [_copy(error) for _ in jobs]
    half = len(jobs) // 2
    return await _together(jobs[:half], writer) + await _together(jobs[half:], writer)


def _copy(error: Exception) -> Exception:
    """Give each waiter an exception of its own: what raises one writes into it."""
    one = type(error).__new__(type(error), *error.args)  # not its __init__, which may want other words
    vars(one).update(vars(error))
    return one
