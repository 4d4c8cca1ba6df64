"""Nodes that are gone: others can have what they had claimed, long before its leases end.

A lease is as long as all attempts of a change may take, minutes, and a machine that dies has hundreds of records in
hand.  Invariants: nothing is taken from a node that was heard of within ``GONE_SECONDS``, as one that stops is until
what is at work has ended; a node that was only cut off for so long is fenced when it comes back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from hookbridge.errors import StoreUnavailable
from hookbridge.store.contract import Claims
from hookbridge.store.nodes import Cluster

GONE_SECONDS = 30.0
LOOK_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class Gone:
    """Which nodes are there, as this one hears of them, and what becomes of the claims of those that are not."""

    def __init__(
        self,
        store: Claims,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._sleep = sleep
        self._heard: dict[str, float] = {}

    def hear(self, cluster: Cluster) -> None:
        """Note who was there, and when."""
        now = self._monotonic()
        for node in cluster.nodes:
            self._heard[node.name] = max(now - node.seen_seconds, self._heard.get(node.name, 0.0))
        self._heard = {name: at for name, at in self._heard.items() if now - at < GONE_SECONDS}

    async def run(self) -> None:
        """Release what nodes had claimed that are gone, until cancelled: what one node does for all."""
        began, before = self._monotonic(), None
        while True:
            await self._sleep(LOOK_SECONDS)
            now = self._monotonic()
            there = frozenset(name for name, at in self._heard.items() if now - at < GONE_SECONDS)
            # Who was gone before this began has to be missed for as long; then only those that were there can go.
            if now - began < GONE_SECONDS:
                continue
            if before is not None and before <= there:
                before = there
                continue
            try:
                released = await self._store.release_of_others(there)
            except StoreUnavailable as error:
                _log.warning("What nodes had claimed that are gone waits for the store", error=error.message)
                continue
            if released:
                _log.info("Nodes are gone, and others have what they had claimed", records=released)
            before = there
