"""The nodes of a cluster: each with a folder, a port and a clock of its own, and lives one after the other.

One takes webhooks and processes nothing, one processes and takes none, the others do everything: so each blow can meet
a receiver, a worker or the node that was elected.  The clocks of two of them are five minutes off.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.crashes.cluster.database import Database
from scripts.crashes.layers import shifted
from scripts.crashes.lives import Lives
from scripts.crashes.result import Result
from scripts.crashes.setup import SHORT_LEASES, TABLE, TAKEN, WITH_BODIES, environment, module, prepare

ROLES: Sequence[tuple[str, ...]] = (
    ("receive", "process", "reconcile"),
    ("receive",),
    ("process", "reconcile"),
)
"""Of the first three nodes, and of the next three again."""
OFF_SECONDS: Sequence[int] = (0, 300, -300)
"""What their clocks are wrong by."""
FOLLOWED = f"""
[[supabase.tables]]
name = "{TABLE}"
changed_at = "updated_at"
{TAKEN}{WITH_BODIES}"""
RECONCILING = {
    "HOOKBRIDGE_RECONCILE__ENABLED": "true",
    "HOOKBRIDGE_RECONCILE__POLL_SECONDS": "1",
    "HOOKBRIDGE_RECONCILE__POLL_SECONDS_MAX": "3",
    "HOOKBRIDGE_RECONCILE__SWEEP_SECONDS": "5",
    "HOOKBRIDGE_RECONCILE__GRACE_SECONDS": "2",
}
"""So that the elected node has something to do, and another one would be seen to do it too."""


def receiving(ports: Sequence[int]) -> list[int]:
    """Give the ports of those that take webhooks."""
    return [port for port, roles in zip(ports, itertools.cycle(ROLES), strict=False) if "receive" in roles]


class Node:
    """One of them."""

    def __init__(self, name: str, roles: tuple[str, ...], port: int, lives: Lives) -> None:
        self.name = name
        self.roles = roles
        self.port = port
        self.lives = lives

    def does(self, role: str) -> bool:
        """Whether it has this role."""
        return role in self.roles


class Nodes:
    """All of them."""

    def __init__(
        self, folder: Path, ports: Sequence[int], urls: Mapping[str, str], database: Database, clocks: Path | None,
        result: Result, more: Mapping[str, str],
    ) -> None:  # fmt: skip
        """``urls`` are the sources', ``clocks`` is the layer that shifts them: without it they are right.

        ``more`` is what else they are told by their environment.
        """
        shared = {**environment(urls["supabase"], urls["notion"]), **SHORT_LEASES, **RECONCILING, **more}
        self.all: list[Node] = []
        plans = itertools.islice(zip(itertools.cycle(ROLES), itertools.cycle(OFF_SECONDS), strict=False), len(ports))
        for number, (roles, off) in enumerate(plans):
            home = folder / f"node-{number}"
            home.mkdir()
            prepare(home)
            (home / "config.toml").write_text(FOLLOWED)
            own = {"HOOKBRIDGE_STORE__URL": database.url(number), **_naming(number, roles)}
            clock = shifted(clocks, off) if clocks is not None and off else {}
            lives = Lives(home, ports[number], shared | own | clock, module("hookbridge"), None, result)
            self.all.append(Node(f"node-{number}", roles, ports[number], lives))

    def with_role(self, role: str) -> list[Node]:
        """Give those that have it."""
        return [node for node in self.all if node.does(role)]

    async def start(self) -> None:
        """Start all of them at once."""
        await asyncio.gather(*(node.lives.start() for node in self.all))

    async def end(self) -> None:
        """End them, however they stand."""
        await asyncio.gather(*(node.lives.end() for node in self.all))


def _naming(number: int, roles: tuple[str, ...]) -> dict[str, str]:
    return {"HOOKBRIDGE_NODE__NAME": f"node-{number}", "HOOKBRIDGE_NODE__ROLES": ",".join(roles)}
