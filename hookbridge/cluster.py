"""A node among those that share the store: once a second it says that it is there, and it does the duties it has.

A duty is what one node does alone.  Invariants: it is done only while its lease holds, which began before the beat that
was answered was sent, by this machine's monotonic clock; one that has ended is not begun anew before all of it is over;
and at a clean end others can have it at once, while the node is heard of until all of its work is over.  It does not
know what the duties are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

import structlog
from msgspec.structs import replace

from hookbridge.errors import LeadLost, StoreUnavailable
from hookbridge.model import SourceName
from hookbridge.store.contract import Nodes
from hookbridge.store.nodes import Cluster, Lead, Report

BEAT_SECONDS = 1.0
LEASE_SECONDS = 6.0
LEAVE_SECONDS = 2.0
"""So long a clean end waits for the store to hear of it."""

UPKEEP = "upkeep"
PULLING = "pull"
"""Taking changes from the outbox at Supabase."""
ALERTING = "alert"
"""Telling people of trouble."""

Duty = Callable[[Lead], Awaitable[None]]
"""Is called with the lead, and cancelled when that ends; one that returns has nothing left to do."""

_log = structlog.get_logger(__name__)


def reconciling(source: SourceName) -> str:
    """Name the duty of following a source's tables."""
    return f"reconcile:{source}"


def processing(source: SourceName) -> str:
    """Name the duty of working on a source's records, where only one node may."""
    return f"process:{source}"


def delivering(destination: str) -> str:
    """Name the duty of telling a destination of changes."""
    return f"deliver:{destination}"


class _Term:
    """The time in which this node does a duty."""

    def __init__(self, lead: Lead, until: float) -> None:
        """``until`` is a time of the event loop."""
        self.lead = lead
        self.until = until
        self.limit: asyncio.Timeout | None = None
        self.task: asyncio.Task[None]

    @property
    def has_ended(self) -> bool:
        return self.limit is not None and self.limit.expired()

    def renew(self, until: float) -> None:
        self.until = until
        if self.limit is not None and not self.limit.expired():
            self.limit.reschedule(until)


class Membership:
    """The beats of one node, and its duties."""

    def __init__(
        self,
        store: Nodes,
        duties: Mapping[str, Duty],
        describe: Callable[[], Report],
        heard: Callable[[Cluster], None],
        *,
        lease_seconds: float = LEASE_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``describe`` says of this node what others shall know, ``heard`` is told of what a beat was answered."""
        self._store = store
        self._duties = duties
        self._describe = describe
        self._heard = heard
        self._lease_seconds = lease_seconds
        self._sleep = sleep
        self._terms: dict[str, _Term] = {}
        self._leads: dict[str, tuple[Lead, float]] = {}
        self._over: dict[str, Lead] = {}
        self._one_at_a_time = asyncio.Lock()
        self._resigned = asyncio.Event()
        self.failure: StoreUnavailable | None = None
        """Why the last beat that failed did, if none was answered since."""
        self.cluster: Cluster | None = None
        """What the last beat was answered; None before the first."""

    def does(self, duty: str) -> bool:
        """Whether this node has a duty, as far as it knows."""
        _, until = self._leads.get(duty, (None, 0.0))
        return until > asyncio.get_running_loop().time()

    def _is_over(self, duty: str) -> bool:
        """Whether the lead that this node has as of the last beat is that of a term which ended here, or is ending."""
        term = self._terms.get(duty)
        over = term.lead if term is not None and term.has_ended else self._over.get(duty)
        return over is not None and duty in self._leads and self._leads[duty][0] == over

    async def beat(self) -> Cluster:
        """Beat now, so that what was written before is known, and apply what is answered.  Raises StoreUnavailable."""
        async with self._one_at_a_time:
            sent = asyncio.get_running_loop().time()
            # A beat that was long on its way may have renewed what is over here: it is given up, and wanted again.
            wants = tuple(duty for duty in self._duties if not (self._resigned.is_set() or self._is_over(duty)))
            report = replace(self._describe(), wants=wants, lease_seconds=self._lease_seconds)
            cluster = await self._store.beat(report)
            self._leads = {
                duty: (Lead(duty, leader.epoch), sent + leader.left_seconds)
                for duty, leader in cluster.leaders.items()
                if leader.mine
            }
            self.cluster = cluster
            self._heard(cluster)
            return cluster

    def resign(self) -> None:
        """End the duties and let others have them; the beats go on, so that nobody takes what is still at work here."""
        self._resigned.set()
        for term in self._terms.values():
            term.task.cancel()

    async def run(self) -> None:
        """Beat and do the duties until cancelled, then let others have them.  What it raises is a bug of ours."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._resigned.is_set():
                    self._elect(group)
                    await self._nap()
                    if not self._resigned.is_set():
                        await self._try_to_beat()
            while True:
                await self._try_to_beat()
                await self._sleep(BEAT_SECONDS)
        finally:
            with contextlib.suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._store.leave()

    async def _nap(self) -> None:
        """Sleep until the next beat, or until this node resigns."""
        either = {asyncio.ensure_future(self._sleep(BEAT_SECONDS)), asyncio.ensure_future(self._resigned.wait())}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in either:
                waiter.cancel()

    async def _try_to_beat(self) -> None:
        try:
            await self.beat()
        except StoreUnavailable as error:
            if self.failure is None:
                _log.warning("The store does not hear of this node", error=error.message, hint=error.hint)
            self.failure = error
        else:
            if self.failure is not None:
                _log.info("The store hears of this node again")
            self.failure = None

    def _elect(self, group: asyncio.TaskGroup) -> None:
        """Begin, renew and end terms, as the last beat has it."""
        for duty in self._duties:
            lead, until = self._leads[duty] if self.does(duty) and not self._is_over(duty) else (None, 0.0)
            term = self._terms.get(duty)
            if term is not None and term.lead == lead:
                term.renew(until)
            elif term is not None:
                term.task.cancel()
            elif lead is not None:
                term = self._terms[duty] = _Term(lead, until)
                term.task = group.create_task(self._serve(term), name=duty)

    async def _serve(self, term: _Term) -> None:
        lead = term.lead
        try:
            async with asyncio.timeout_at(term.until) as term.limit:
                _log.debug("A duty begins", duty=lead.duty, epoch=lead.epoch)
                await self._do(lead)
        except TimeoutError:
            if not term.has_ended:
                raise
            _log.warning("A duty ends: the store was not reached for a lease", duty=lead.duty)
        finally:
            del self._terms[lead.duty]
            self._over[lead.duty] = lead

    async def _do(self, lead: Lead) -> None:
        try:
            await self._duties[lead.duty](lead)
            await asyncio.get_running_loop().create_future()  # nothing is left, and nobody else has to
        except* LeadLost:
            _log.warning("A duty ends: another node may have it by now", duty=lead.duty)
