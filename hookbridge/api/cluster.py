"""The nodes that share a store, as operators see them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hookbridge.api.fields import Time, means
from hookbridge.api.lanes import LaneSummary
from hookbridge.model import Role


class NodeLane(LaneSummary, frozen=True, kw_only=True):
    """How a node's own lane of a source stands."""

    reason: Annotated[str | None, means("Why it is in this state; null while it runs.", None)] = None
    queued: Annotated[int, means("Records that wait for one of its workers.", 0)] = 0
    busy: Annotated[int, means("Workers of it that have a record.", 1)] = 0


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """One node."""

    name: Annotated[str, means("What it is called.", "worker-1:8080")]
    version: Annotated[str, means("Of hookbridge.", "0.1.0")]
    roles: Annotated[tuple[Role, ...], means("What it does: `receive`, `process`, `reconcile`.")]
    leads: Annotated[
        tuple[str, ...], means("What it alone does, as long as its lease is renewed.", ["reconcile:notion", "upkeep"])
    ]
    seen_seconds: Annotated[float, means("How long ago it was heard of; once a second is the rule.", 0.4)]
    started_at: Annotated[Time | None, means("When its process began.")]
    away: Annotated[bool, means("Whether it was not heard of for so long that others do what it did.", False)]
    same_admin_token: Annotated[
        bool | None, means("Whether it has the admin token of the node that answers; null where it did not say.", True)
    ]
    lanes: Annotated[tuple[NodeLane, ...], means("Its own lanes, where it processes.")]
    clock_seconds: Annotated[
        float | None,
        means(
            "By how much its machine's clock is ahead of the database's; negative: behind. Nothing rests on it.", 0.01
        ),
    ]
    links_lost: Annotated[int | None, means("How many of its connections to the database broke, since its start.", 0)]


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """What one node alone does."""

    duty: Annotated[str, means("`upkeep`, `reconcile:supabase`, …", "reconcile:notion")]
    node: Annotated[str, means("Who does it.", "worker-1:8080")]
    epoch: Annotated[int, means("Larger with each change of hands.", 3)]
    left_seconds: Annotated[float, means("Until another node may have it, unless it is renewed.", 5.2)]


class ClusterState(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes that share the store."""

    store: Annotated[
        str, means("Where that is, without a password.", "postgresql://hookbridge@db.example.com:5432/postgres")
    ]
    node: Annotated[str, means("The node that answers.", "worker-1:8080")]
    nodes: Annotated[tuple[NodeState, ...], means("Those that were heard of lately, by name.")]
    leases: Annotated[tuple[Lease, ...], means("Who does what alone.")]
