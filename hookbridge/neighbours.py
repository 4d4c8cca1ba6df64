"""What a node tells the others of itself, and what operators are shown of all of them.

Where the store is this process's own there are no others: nothing is told, and nothing is shown.  A node of another
version may say more, or less: what is not understood is left out, and nothing else rests on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from hookbridge.api.cluster import ClusterState, Lease, NodeLane, NodeState
from hookbridge.api.health import BudgetState
from hookbridge.api.pull import PullState
from hookbridge.api.reconcile import TableStatus
from hookbridge.clock import epoch_time
from hookbridge.cluster import LEASE_SECONDS, PULLING, Membership, processing, reconciling
from hookbridge.model import ROLES, Fault, SourceName
from hookbridge.pipeline.lanes import Lane
from hookbridge.pulling import Pulling
from hookbridge.readiness import problem_of
from hookbridge.reconcile.loop import Reconciler
from hookbridge.settings import admin_token
from hookbridge.sources.notion.budget import Budget
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Cluster, Node

AWAY_SECONDS = LEASE_SECONDS
"""A node that was not heard of for so long has lost what it led."""

HEARD_SECONDS = 3.0
"""A store that has not answered a beat for so long is not reached: beats come once a second."""


class Lag(msgspec.Struct, frozen=True):
    """Of the change of a table that a node applied last."""

    seconds: float
    at: float
    """When that was."""


class Figures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node says of itself."""

    started_at: float | None = None
    lanes: tuple[NodeLane, ...] = ()
    tables: tuple[TableStatus, ...] = ()
    """Of the sources whose reconciling is its duty."""
    lags: dict[str, Lag] = {}
    """By ``source:table``."""
    budget: BudgetState | None = None
    """Where it alone works on what Notion has."""
    pull: PullState | None = None
    """Where it alone takes from the outbox at Supabase."""
    admin_token: str = ""
    """Its fingerprint."""
    clock_seconds: float | None = None
    """By how much the machine's clock is ahead of the store's."""
    links_lost: int | None = None


_decode = msgspec.json.Decoder(Figures).decode
_encode = msgspec.json.Encoder().encode


class Neighbours:
    """The nodes of one store, as one of them knows them."""

    def __init__(
        self,
        store: Store,
        lanes: Mapping[SourceName, Lane],
        reconciler: Reconciler,
        budget: Budget,
        membership: Membership,
        *,
        token: str,
        pulling: Pulling | None,
    ) -> None:
        """``token`` is the admin token of this node; ``pulling`` is None where no table is pulled."""
        self._store = store
        self._lanes = lanes
        self._reconciler = reconciler
        self._budget = budget
        self._does, self._membership = membership.does, membership
        self._pulling = pulling
        self._token = "" if store.links is None else admin_token.fingerprint(token)
        self._started_at = time.time()
        self._known: Cluster | None = None
        self._known_at = 0.0
        """When the store answered last, by the event loop."""

    # What this node tells

    def figures(self, *, processes: bool) -> str:
        """Say of this node what operators shall see at any other; ``processes`` where its lanes are at work."""
        links = self._store.links
        if links is None:
            return "{}"
        tables = self._reconciler.tables.values()
        told = Figures(
            started_at=self._started_at,
            lanes=self._lane_figures() if processes else (),
            tables=tuple(one.status() for one in tables if self._does(reconciling(one.source))),
            lags=self._lags(),
            pull=self._pulling.state() if self._pulling is not None and self._does(PULLING) else None,
            budget=self._budget.state() if self._does(processing("notion")) else None,
            admin_token=self._token,
            clock_seconds=round(time.time() - self._store.now(), 3),
            links_lost=links.lost,
        )
        return _encode(told).decode()

    def _lane_figures(self) -> tuple[NodeLane, ...]:
        states = (lane.state() for lane in self._lanes.values())
        return tuple(
            NodeLane(source=one.source, state=one.state, reason=one.reason, queued=one.queued, busy=one.busy)
            for one in states
        )

    def _lags(self) -> dict[str, Lag]:
        return {
            f"{one.source}:{one.name}": Lag(one.lag_seconds, one.applied_at)
            for one in self._reconciler.tables.values()
            if one.lag_seconds is not None and one.applied_at is not None
        }

    # What is known of the others

    def hear(self, cluster: Cluster) -> None:
        """Take note of what the store says of all nodes."""
        self._known, self._known_at = cluster, asyncio.get_running_loop().time()

    @property
    def problem(self) -> Fault | None:
        """Why the store that is shared is not reached; None while it answers."""
        silent = self._silent_seconds
        if silent < HEARD_SECONDS:
            return None
        if (error := self._membership.failure) is not None:
            return problem_of(error)
        return Fault(reason=f"The store has not answered for {silent:.0f} s", remedy="look whether it can be reached")

    @property
    def _silent_seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._known_at

    @property
    def _others(self) -> tuple[Node, ...]:
        known = () if self._known is None else self._known.nodes
        return tuple(node for node in known if node.name != self._store.node and not self._is_away(node))

    def _is_away(self, node: Node) -> bool:
        """Whether others do by now what it did."""
        return node.seen_seconds >= AWAY_SECONDS

    def state(self) -> ClusterState | None:
        """Give the nodes as operators are shown them; None where there can be no others."""
        known, silent = self._known, self._silent_seconds
        if self._store.links is None or known is None:
            return None
        leases = (
            Lease(duty=duty, node=one.node, epoch=one.epoch, left_seconds=round(one.left_seconds - silent, 1))
            for duty, one in sorted(known.leaders.items())
            if one.left_seconds > silent
        )
        nodes = tuple(self._node(node, silent) for node in known.nodes)
        return ClusterState(store=self._store.describe(), node=self._store.node, nodes=nodes, leases=tuple(leases))

    def _node(self, node: Node, silent_seconds: float) -> NodeState:
        figures, leaders = said(node), {} if self._known is None else self._known.leaders
        return NodeState(
            name=node.name,
            version=node.version,
            roles=tuple(role for role in ROLES if role in node.roles),
            leads=tuple(
                sorted(d for d, one in leaders.items() if one.node == node.name and one.left_seconds > silent_seconds)
            ),
            seen_seconds=round(node.seen_seconds + silent_seconds, 1),
            away=self._is_away(node),
            started_at=epoch_time(figures.started_at),
            same_admin_token=figures.admin_token == self._token if figures.admin_token else None,
            lanes=figures.lanes,
            clock_seconds=figures.clock_seconds,
            links_lost=figures.links_lost,
        )

    def tables(self) -> tuple[TableStatus, ...]:
        """Give how the followed tables stand: as the node says that follows them, with the lag of whoever was last."""
        told = {(one.source, one.table): one for one in self._reconciler.status()}
        if self._store.links is None:
            return tuple(told.values())
        lags = self._lags()
        for figures in map(said, self._others):
            for name, lag in figures.lags.items():
                lags[name] = max(lag, lags.get(name, lag), key=lambda one: one.at)
            for table in figures.tables:
                if not self._does(reconciling(table.source)) and (table.source, table.table) in told:
                    told[table.source, table.table] = table
        return tuple(
            replace(one, lag_seconds=lags[name].seconds) if (name := f"{one.source}:{one.table}") in lags else one
            for one in told.values()
        )

    def budget(self) -> BudgetState:
        """Give what is left of the requests to Notion, as the node knows that works on it."""
        if not self._does(processing("notion")):
            for figures in map(said, self._others):
                if figures.budget is not None:
                    return figures.budget
        return self._budget.state()

    def pull(self) -> PullState | None:
        """Give how taking from the outbox goes, as the node knows that does it; None where no table is pulled."""
        if self._pulling is None:
            return None
        if not self._does(PULLING):
            for figures in map(said, self._others):
                if figures.pull is not None:
                    return figures.pull
        return self._pulling.state()

    def queue_depth(self) -> dict[str, int]:
        """Count the claimed records that wait for a worker, on all nodes."""
        waiting: dict[str, int] = {name: lane.state().queued for name, lane in self._lanes.items()}
        for figures in map(said, self._others):
            for lane in figures.lanes:
                waiting[lane.source] = waiting.get(lane.source, 0) + lane.queued
        return waiting


def said(node: Node) -> Figures:
    """Give what a node says of itself; nothing where that is not understood."""
    try:
        return _decode(node.figures)
    except (msgspec.DecodeError, UnicodeError):
        return Figures()
