"""What nodes that share a store tell it of themselves, and learn from it of each other."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hookbridge.model import SourceName


class Lead(msgspec.Struct, frozen=True):
    """The right to do alone what only one node may do.

    What is written with it fails once it has ended, whether or not another node has it by then.
    """

    duty: str
    epoch: int
    """Larger with each change of hands."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself with each beat."""

    version: str = ""
    roles: tuple[str, ...] = ()
    figures: str = "{}"
    """JSON that other nodes' operators shall see."""
    wants: tuple[str, ...] = ()
    """The duties that it would do, or does."""
    lease_seconds: float = 0.0
    """For how long it keeps a duty without another beat."""
    hears: tuple[str, ...] = ()
    """The names of the notes that it wants to know."""
    halts: Mapping[SourceName, float] = {}
    """For how many seconds a source wants to be left alone, as it told this node."""


class Leader(msgspec.Struct, frozen=True, kw_only=True):
    """Who does a duty."""

    node: str
    epoch: int
    left_seconds: float
    """Until another node may have it, unless a beat renews it; infinite where there is no other."""
    mine: bool
    """Whether it is the node that asked, in this life of its process."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node as its last beat has it."""

    name: str
    version: str
    roles: tuple[str, ...]
    figures: str
    seen_seconds: float
    """How long ago that was."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a node asks of the one that does a duty."""

    id: int
    duty: str
    words: str


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """What a beat is answered: all as of one moment."""

    nodes: tuple[Node, ...]
    """Those whose beat is not older than ``FORGOTTEN_SECONDS``, by name; the one that asked is one of them."""
    leaders: Mapping[str, Leader]
    """By duty; what nobody does, or whose lease has ended, is left out."""
    due: Mapping[SourceName, float]
    """The seconds until a dirty record can be claimed or its lease ends; of a source that has none, nothing."""
    notes: Mapping[str, str]
    """Of those that the report wants to hear of, the ones that there are."""
    halts: Mapping[SourceName, float]
    """For how many seconds a source wants to be left alone, as it told any node."""
    asks: tuple[Ask, ...]
    """What is asked of the duties that this node does and nobody has answered, the first one first."""


class Permit(msgspec.Struct, frozen=True):
    """Requests to a source that are reserved."""

    wait_seconds: float
    """Until they may go."""
    halted_seconds: float
    """For how long the source wants to be left alone, as it told any node."""


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """A node's connections to the store."""

    open: int
    lost: int
    """How many broke since the start."""


FORGOTTEN_SECONDS = 60.0
"""A node that was not heard of for so long is no longer told of."""

ASKED_SECONDS_MAX = 3_600.0
"""What was asked longer ago than that is forgotten: nobody waits for it any more."""
