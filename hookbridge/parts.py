"""What a service is made of, and what is made from what: here its sources and steps are named.

From top to bottom, and nothing is used before it is made.  Lanes know nobody who wants to know how a change ended;
whoever does is told as one of their observers.  It starts nothing: ``service`` does.
"""

from __future__ import annotations

import asyncio
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial

from hookbridge import __version__
from hookbridge.alerts import Alerts
from hookbridge.api.health import Readiness
from hookbridge.clock import Clock
from hookbridge.cluster import ALERTING, PULLING, UPKEEP, Duty, Membership, processing, reconciling
from hookbridge.config import Settings
from hookbridge.destinations import Destinations, Places
from hookbridge.errands import Errands
from hookbridge.errors import HookbridgeError
from hookbridge.gone import Gone
from hookbridge.handlers import Bridge
from hookbridge.handshake import Handshake, Learnt
from hookbridge.holds import Holds
from hookbridge.indexing import Indexing
from hookbridge.model import RecordKey, Settled, Settlement, SourceName
from hookbridge.naming import Naming
from hookbridge.neighbours import Neighbours
from hookbridge.observe import traces
from hookbridge.observe.lag import LoopWatch
from hookbridge.observe.metrics import Meters
from hookbridge.observe.redaction import hide
from hookbridge.observe.rejections import Rejections
from hookbridge.pipeline.append import Intake
from hookbridge.pipeline.attempts import Attempts
from hookbridge.pipeline.lanes import Lane
from hookbridge.pipeline.stale import LOOK_SECONDS, StaleKeys
from hookbridge.pipeline.traced import TracedStep, TracedWorker
from hookbridge.pipeline.worker import Observer, Worker, Working
from hookbridge.pulling import Pulling
from hookbridge.pulling.standing import Standing
from hookbridge.reconcile.findings import InboxSink
from hookbridge.reconcile.loop import Beside, Reconciler, followed
from hookbridge.settings import admin_token
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.source import Source
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.steps.cache import Cache
from hookbridge.steps.calls import handler_at
from hookbridge.steps.external import RedisKeys
from hookbridge.steps.handlers import Handlers
from hookbridge.steps.index import Index
from hookbridge.steps.step import Step
from hookbridge.steps.verify import Verify
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Cluster, Lead, Report
from hookbridge.telling import Telling
from hookbridge.upkeep import Upkeep


class Parts(ABC):
    """Everything that works together in one process, made and not yet at work."""

    def __init__(
        self, settings: Settings, store: Store, learnt: Learnt | None, bridge: Bridge | None, clock: Clock
    ) -> None:
        """``learnt`` is the token that Notion's handshake brought earlier, ``bridge`` where the user's handlers are."""
        config, secrets = settings.config, settings.secrets
        self.settings, self.store, self._clock = settings, store, clock
        self.admin_token, self.admin_token_file = admin_token.make(settings)
        hide(self.admin_token)

        self.naming = Naming(store)

        # Who watches
        self.meters = Meters()
        store.watch_commits(self.meters.committed)
        self.traces = traces.from_environment(os.environ)
        self.rejections = Rejections(clock)
        self._loop_watch = LoopWatch(self.meters.loop_lag.observe, handler_at)

        # What is not ours: the sources, the user's cache, the user's code
        self.notion = NotionSource(
            config.notion,
            config.signatures,
            secrets,
            store.ticket,
            learnt.token if learnt else None,
            clock=clock,
            asked=self.meters.of["notion"].batch.observe,
            reserve=partial(store.permit, "notion", per_second=config.notion.requests_per_second),
            labels=partial(self.naming.learn, "notion"),
        )
        supabase = SupabaseSource(
            config.supabase,
            config.signatures,
            secrets,
            store.ticket,
            clock=clock,
            asked=self.meters.of["supabase"].batch.observe,
        )
        self.sources: Mapping[SourceName, Source] = {"supabase": supabase, "notion": self.notion}
        self.handshake = Handshake(store, self.notion, learnt, secrets.notion_webhook_secrets, clock)
        self._cache = RedisKeys(config.cache, secrets.redis_url) if secrets.redis_url else None
        wait = config.processing.probe_max_seconds
        look = None if store.links is None else LOOK_SECONDS
        self._stale = (
            None if self._cache is None else StaleKeys(store, self._cache, wait_seconds_max=wait, look_seconds=look)
        )
        self._bridge = bridge
        self._handlers = None if bridge is None else Handlers(bridge, config.handlers, clock=clock)

        # The way of an event: lanes, and the door that wakes them
        self._followed = followed(self.sources, config.reconcile)
        self._observers: list[Observer] = []
        self.lanes: Mapping[SourceName, Lane] = {name: self._lane(source) for name, source in self.sources.items()}
        self.intake = Intake(store, config.server, config.store, self._wake, clock)
        believed = config.signatures.verify and not self.notion.has_credentials
        self.holds = Holds(store, self.lanes, self.handshake, signed_is_believed=believed)

        # What else brings events, or finds what became of them
        beside = Beside(loads=self._nobody_listens, settles=True, takes=self._takes, answered=self._answered)
        self.reconciler = Reconciler(
            self.sources,
            store,
            InboxSink(self.intake.accept),
            config.reconcile,
            clock,
            self.naming,
            beside=beside,
        )
        self.indexing = Indexing(store, self.sources, config)
        self.places = Places(store, [one.name for one in secrets.destinations], clock)
        self.upkeep = Upkeep(store, self.intake, config.retention, config.store, self.places, clock)
        self._observers.append(self._settled)

        self._gone = Gone(store)

        # Who is told of changes
        self.telling = Telling(self.naming, self.sources)
        self.destinations = Destinations(secrets.destinations, store, self.telling, self.sources, clock, self._leads)

        # What a source keeps for us until it is taken
        self.pulling = self._pulling(supabase)

        # Who is told when it is not healthy
        self.alerts = Alerts(settings, store, self.readiness, self._leads, self._told_last, clock)

        # What only one node does, and how this one and the others hear of each other
        self.membership = Membership(store, dict(self._duties()), self._describe, self._heard)
        self.errands = Errands(store, self.reconciler, self.membership.does)
        self.neighbours = Neighbours(
            store,
            self.lanes,
            self.reconciler,
            self.notion.budget,
            self.membership,
            token=self.admin_token,
            pulling=self.pulling,
        )

    def _leads(self, duty: str) -> bool:
        """Whether this node has a duty, as far as it knows."""
        return self.membership.does(duty)

    def _duties(self) -> Iterator[tuple[str, Duty]]:
        """Name what this node would do alone: what its roles allow, and upkeep, which is no role."""
        roles = self.settings.config.node.roles
        for name, source in self.sources.items():
            if "reconcile" in roles:
                yield reconciling(name), partial(self.reconciler.follow, name)
            if "process" in roles and source.one_budget and source.has_credentials:
                yield processing(name), self.lanes[name].serve
        if "process" in roles:
            yield from self.destinations.duties()
        if "reconcile" in roles and self.pulling is not None:
            yield PULLING, self.pulling.run
        if self.alerts.is_wanted:
            yield ALERTING, self.alerts.lead
        yield UPKEEP, self._keep_up

    async def _keep_up(self, lead: Lead) -> None:
        """Do what one node does for the whole store."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.upkeep.keep_small(lead), name="upkeep-retention")
            group.create_task(self.reconciler.keep_books(), name="reconcile-findings")
            group.create_task(self.indexing.run(), name="indexing")
            group.create_task(self._gone.run(), name="nodes-gone")

    def _pulling(self, supabase: SupabaseSource) -> Pulling | None:
        config = self.settings.config
        if supabase.outbox is None:
            return None
        gaps = config.supabase.pull_seconds, config.supabase.pull_seconds_max
        wait = config.processing.probe_max_seconds
        return Pulling(
            supabase,
            supabase.outbox,
            Standing(supabase.pulled, supabase.outbox.way, gaps, wait, self._clock),
            self.intake,
            self.store,
            self.rejections,
            is_followed=lambda table: ("supabase", table) in self._followed,
        )

    def _takes(self) -> bool:
        """Whether changes come from the outbox at Supabase, as far as this node knows."""
        pull = self.neighbours.pull()
        return pull is not None and pull.state not in ("down", "refused")

    def _lane(self, source: Source) -> Lane:
        config = self.settings.config
        steps: list[Step] = [
            Verify(source, clock=self._clock),
            Cache(source, self.store.ticket, self._cache, clock=self._clock),
            Index(source),
        ]
        if self._handlers is not None:
            steps.append(self._handlers)
        if self.traces is not None:
            steps = [TracedStep(step, self.traces) for step in steps]
        worker: Working = Worker(
            self.store,
            steps,
            Attempts(config.processing),
            follows=self._follows,
            observers=self._observers,
            clock=self._clock,
        )
        if self.traces is not None:
            worker = TracedWorker(worker, self.traces)

        async def probe() -> None:
            if source.has_credentials:
                await source.probe()
            if self._cache is not None and self._stale is not None and self._cache.serves(source.name):
                await self._cache.probe()
                await self._stale.delete_all()

        return Lane(
            source.name,
            self.store,
            worker,
            probe,
            config.processing,
            has_credentials=source.has_credentials,
            follows=self._follows,
            stands_by=(source.one_budget and source.has_credentials)
            or "process" not in self.settings.config.node.roles,
            clock=self._clock,
        )

    # What the parts say to each other

    @abstractmethod
    async def readiness(self) -> Readiness:
        """Say how everything is, with a verdict."""

    def _told_last(self) -> bool:
        """Whether no node hears of the store any more, and this one is whose duty it was to tell people of trouble."""
        cluster = self.membership.cluster
        leader = None if cluster is None else cluster.leaders.get(ALERTING)
        return self.neighbours.problem is not None and leader is not None and leader.mine

    def _follows(self, record: RecordKey) -> bool:
        return (record.source, record.table) in self._followed

    def _nobody_listens(self, source: SourceName, table: str) -> bool:
        """Whether a record can be written to the copy without an event, because no code of the user's waits for it."""
        keys = self._cache is not None and self._cache.listens(source, table)
        return not keys and not (self._bridge is not None and self._bridge.listens(source, table))

    def _wake(self, source: SourceName) -> None:
        self.lanes[source].wake()

    def _describe(self) -> Report:
        """Say of this node what others shall know."""
        halted = self.notion.budget.told_seconds
        return Report(
            version=__version__,
            roles=self.settings.config.node.roles,
            figures=self.neighbours.figures(processes="process" in self.settings.config.node.roles),
            hears=(note_names.INDEX, *self.holds.notes, *self.destinations.notes, *self.reconciler.notes),
            halts={"notion": halted} if halted else {},
        )

    def _heard(self, cluster: Cluster) -> None:
        for name, lane in self.lanes.items():
            lane.others = len(cluster.nodes) > 1
            if cluster.due.get(name, math.inf) <= 0.0:
                lane.look()
        self.notion.budget.hear(cluster.halts.get("notion", 0.0))
        self.holds.hear(cluster.notes)
        self.destinations.hear(cluster.notes)
        self.reconciler.hear(cluster.notes)
        self.errands.hear(cluster)
        self.neighbours.hear(cluster)
        self._gone.hear(cluster)
        if not self.membership.does(UPKEEP):
            self.indexing.hear(cluster.notes.get(note_names.INDEX))

    def _answered(self, source: SourceName, asked_at: float) -> None:
        self.lanes[source].answered(asked_at)

    async def _stop_lanes(self, error: HookbridgeError) -> None:
        """Stop the lanes whose changes have keys in the user's cache."""
        for name, lane in self.lanes.items():
            if self._cache is not None and self._cache.serves(name):
                await lane.stop_for(error)

    def _settled(self, settlement: Settlement, met: Settled) -> None:
        if self.traces is not None:
            self.traces.settled(settlement, met)
        if met is Settled.FENCED:
            return
        if self._stale is not None and settlement.effects.stale_keys:
            self._stale.wake()
        self.meters.settled(settlement)
        truth = settlement.effects.truth
        if truth is not None:
            self.lanes[truth.record.source].was_read(truth.record.table)
            self.naming.met(truth.record)
            self.reconciler.applied(truth, settlement.claim.previous)
