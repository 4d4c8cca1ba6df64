"""The blows to a cluster: what is done to its nodes, to its Postgres and to what lies between, at which moment.

Each ends with everything at work again.  What stands then, ``trial`` looks at.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from scripts.crashes.cluster import audit
from scripts.crashes.cluster.database import Database
from scripts.crashes.cluster.nodes import Node, Nodes
from scripts.crashes.processes import Failed
from scripts.crashes.result import KILL, Result
from scripts.crashes.setup import LEASE_SECONDS
from scripts.faulting.proxy import Proxy

STOPPED_SECONDS = LEASE_SECONDS + 1.0
"""Longer than a lease of a record, and than the lead of a source."""
AWAY_SECONDS = 1.5
"""The longest that Postgres is away."""
TAKEN_OVER_SECONDS = 30.0
"""Within which somebody has to lead; what it took is told, this is for a machine that is far too busy."""
LOOK_SECONDS = 0.05


class Blows:
    """All that can happen to the cluster of one trial."""

    def __init__(self, nodes: Nodes, database: Database, moments: random.Random, result: Result) -> None:
        self._nodes = nodes
        self._database = database
        self._moments = moments
        self._result = result

    async def strike(self, name: str) -> None:
        """Do one of ``NAMES``.  Raises Failed when something does not come back."""
        await _BLOWS[name](self)

    # Nodes

    async def kill_receiver(self) -> None:
        """Kill one that takes webhooks, under load."""
        await self._kill(self._one_with("receive"))

    async def kill_worker(self) -> None:
        """Kill one that processes."""
        await self._kill(self._one_with("process"))

    async def kill_elected(self) -> None:
        """Kill the one that leads a source."""
        node, sources = await self._elected()
        await node.lives.kill()
        await self._taken_over(sources, node)
        await node.lives.start()

    async def kill_two(self) -> None:
        """Kill two at once: one is left, which may not do everything."""
        two = self._moments.sample(self._nodes.all, k=min(2, len(self._nodes.all)))
        await asyncio.gather(*(node.lives.kill() for node in two))
        await self._within(self._result.slowest_start_seconds)
        await asyncio.gather(*(node.lives.start() for node in two))

    async def kill_starting(self) -> None:
        """Kill one while it starts."""
        node = self._moments.choice(self._nodes.all)
        await node.lives.kill()
        await node.lives.begin()
        await self._within(node.lives.start_seconds)
        await self._kill(node)

    async def kill_draining(self) -> None:
        """Kill one on its way out."""
        node = self._moments.choice(self._nodes.all)
        await node.lives.kill_draining(self._moments.random() * node.lives.drain_seconds)
        await node.lives.start()

    async def roll(self) -> None:
        """End each and start it again, one after the other, under load: nobody may notice."""
        for node in self._nodes.all:
            await node.lives.terminate()
            await node.lives.start()

    async def stop(self) -> None:
        """Stop one for longer than its leases: it wakes up with claims that others have."""
        await self._stop(self._moments.choice(self._nodes.all))

    async def stop_elected(self) -> None:
        """Stop the one that leads: it wakes up as one that led."""
        node, sources = await self._elected()
        await self._stop(node, lambda: self._taken_over(sources, node))

    # Postgres, and the way to it

    async def database_crash(self) -> None:
        """Stop Postgres ``immediate``, and start it a while later."""
        await self._database.stop_at_once()
        await self._within(AWAY_SECONDS)
        await self._database.start()

    async def end_backends(self) -> None:
        """End half of the connections."""
        self._result.backends_ended += await self._database.end_backends(self._moments)

    async def kill_backend(self) -> None:
        """Kill a backend with -9, which crashes the server."""
        await self._database.kill_backend(self._moments)

    async def cut(self) -> None:
        """Cut what is under way between one node and Postgres, or between all of them and it, some times."""
        for _ in range(3):
            for proxy in self._some_proxies():
                proxy.cut()
            await self._within(0.3)

    async def refuse(self) -> None:
        """Have Postgres out of reach for one node, or for all."""
        some = self._some_proxies()
        await asyncio.gather(*(proxy.refuse() for proxy in some))
        await self._within(AWAY_SECONDS)
        await asyncio.gather(*(proxy.listen() for proxy in some))

    async def silence(self) -> None:
        """Let nothing through between one node and Postgres for longer than a lease; nobody hangs up."""
        proxy = self._moments.choice(self._database.proxies)
        proxy.passing.clear()
        await asyncio.sleep(STOPPED_SECONDS)
        proxy.passing.set()

    # What they have in common

    def _one_with(self, role: str) -> Node:
        return self._moments.choice(self._nodes.with_role(role))

    def _some_proxies(self) -> Sequence[Proxy]:
        proxies = self._database.proxies
        return proxies if self._moments.random() < 0.3 else [self._moments.choice(proxies)]  # noqa: PLR2004  a share

    async def _kill(self, node: Node) -> None:
        await node.lives.kill()
        await node.lives.start()

    async def _stop(self, node: Node, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        began = time.monotonic()
        node.lives.service.send(signal.SIGSTOP)
        try:
            if meanwhile is not None:
                await meanwhile()
            await asyncio.sleep(max(began + STOPPED_SECONDS - time.monotonic(), 0.0))
        finally:
            node.lives.service.send(signal.SIGCONT)

    async def _elected(self) -> tuple[Node, list[str]]:
        """Give a node that leads, and what it leads.  Raises Failed when nobody does."""
        deadline = time.monotonic() + TAKEN_OVER_SECONDS
        while time.monotonic() < deadline:
            leads = await audit.leads(self._database)
            elected = [node for node in self._nodes.all if node.name in leads.values()]
            if elected:
                node = self._moments.choice(elected)
                return node, [source for source, name in leads.items() if name == node.name]
            await asyncio.sleep(LOOK_SECONDS)
        raise Failed("no node leads anything")

    async def _taken_over(self, sources: Sequence[str], before: Node) -> None:
        """Wait until others lead these; tells how long it took.  Raises Failed."""
        began = time.monotonic()
        while time.monotonic() < began + TAKEN_OVER_SECONDS:
            leads = await audit.leads(self._database)
            if all(leads.get(source) not in {None, before.name} for source in sources):
                seconds = time.monotonic() - began
                self._result.slowest_takeover_seconds = max(self._result.slowest_takeover_seconds, seconds)
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise Failed(f"nobody took {', '.join(sources)} over from {before.name}")

    async def _within(self, seconds: float) -> None:
        await asyncio.sleep(self._moments.random() * seconds)


ROLLING = "rolling restart"

_BLOWS: Mapping[str, Callable[[Blows], Awaitable[None]]] = {
    f"{KILL} a receiver": Blows.kill_receiver,
    f"{KILL} a worker": Blows.kill_worker,
    f"{KILL} the elected": Blows.kill_elected,
    f"{KILL} two": Blows.kill_two,
    f"{KILL} while starting": Blows.kill_starting,
    f"{KILL} while draining": Blows.kill_draining,
    ROLLING: Blows.roll,
    "SIGSTOP": Blows.stop,
    "SIGSTOP the elected": Blows.stop_elected,
    "Postgres immediate": Blows.database_crash,
    "backends ended": Blows.end_backends,
    "backend killed": Blows.kill_backend,
    "connections cut": Blows.cut,
    "Postgres out of reach": Blows.refuse,
    "connections silent": Blows.silence,
}
NAMES = tuple(_BLOWS)
