"""One race: senders, workers and readers of three nodes, janitors and a killer of backends; then all is settled.

Leases are shorter than much of the work, so that many claims are taken over while they are worked on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

import asyncpg
import msgspec

from hookbridge.errors import StoreUnavailable
from hookbridge.model import SOURCES, Claim, Effects, Event, Outcome, Settled, Settlement, SourceName, Verification
from hookbridge.pipeline.settle import settle
from hookbridge.store.postgres import PostgresStore
from hookbridge.store.values import EventFilter, Span
from scripts.racing.audit import Auditor
from scripts.racing.world import World

Given = TypeVar("Given")

NODES = 3
SENDERS = 2
"""Of each node."""
LEASE_SECONDS = 0.05
WORK_SECONDS = 0.2
DUPLICATES = 0.25
DEAD = 0.05
END_SECONDS = 60.0

_OTHERS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid
"""

_LEFT = "SELECT (SELECT count(*) FROM hookbridge.open) + count(*) AS n FROM hookbridge.ends WHERE outcome = 'dead'"


class Result(msgspec.Struct, kw_only=True):
    """What was done, and what did not hold."""

    seed: int
    acknowledged: int = 0
    unknown: int = 0
    """Appends whose connection ended; each was sent again."""
    settled: int = 0
    fenced: int = 0
    removed: int = 0
    killed: int = 0
    audits: int = 0
    broken: list[str] = []


class Trial:
    """One race."""

    def __init__(self, stores: Sequence[PostgresStore], sql: asyncpg.Connection, seed: int) -> None:
        self.result = Result(seed=seed)
        self._rng = random.Random(seed)  # noqa: S311  the same seed draws the same
        self._stores = stores
        self._sql = sql
        self._world = World(self._rng)
        self._turn = asyncio.Lock()  # of the connection beside the nodes
        self._auditor = Auditor(sql)
        self._removes = self._may(0.5)
        self._over = self._done = False
        self._stale: set[str] = set()
        self._deleted: set[str] = set()

    async def run(self, seconds: float) -> Result:
        """Race for so long, then settle what is left, and compare."""
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(self._send(store)) for store in self._stores for _ in range(SENDERS)]
            for store in self._stores:
                for source in SOURCES:
                    group.create_task(self._work(store, source))
                group.create_task(self._read_through(store))
                group.create_task(self._clean(store))
            group.create_task(self._strike())
            audits = group.create_task(self._audit())
            await asyncio.sleep(seconds)
            self._over = True
            await asyncio.wait(senders)
            await self._settle_all()
            self._done = True
            await audits
        await self._compare()
        self.result.audits = self._auditor.audits
        self.result.broken += self._auditor.broken
        self.result.acknowledged = len(self._world.acknowledged)
        return self.result

    def _may(self, chance: float) -> bool:
        return self._rng.random() < chance

    # While it races

    async def _send(self, store: PostgresStore) -> None:
        while not self._over:
            known = self._world.recent
            events = [
                self._rng.choice(known) if known and self._may(DUPLICATES) else self._world.change()
                for _ in range(self._rng.randint(1, 4))
            ]
            receipts = await self._until_done(partial(store.append, events, time.time()))
            for event, receipt in zip(events, receipts, strict=True):
                self._acknowledge(event, receipt.event_id)
            await asyncio.sleep(self._rng.random() * 0.01)

    def _acknowledge(self, event: Event, event_id: int) -> None:
        assert event.identity is not None
        known = self._world.acknowledged.setdefault(event.identity, event_id)
        if known != event_id:
            if not self._removes:
                self.result.broken.append(f"one event was stored as {known} and as {event_id}")
            self._world.acknowledged[event.identity] = event_id
        self._world.recent = [*self._world.recent[-40:], event]

    async def _work(self, store: PostgresStore, source: SourceName) -> None:
        while not self._done:
            claims: tuple[Claim, ...] = ()
            with suppress(StoreUnavailable):
                claims = await store.claim(source, self._rng.randint(1, 8), lease_seconds=LEASE_SECONDS)
            await asyncio.gather(*[self._process(store, claim) for claim in claims])
            await asyncio.sleep(0.01)

    async def _process(self, store: PostgresStore, claim: Claim) -> None:
        if [one.id for one in claim.events][-1] != claim.head:
            self.result.broken.append(f"a claim of {claim.record} ends with another event than its newest")
        await asyncio.sleep(self._rng.random() * (WORK_SECONDS if self._may(0.3) else 0.02))
        if self._may(0.05):
            with suppress(StoreUnavailable):
                await (store.release([claim]) if self._may(0.5) else store.renew([claim], lease_seconds=1.0))
        copy, document = await self._until_done(lambda: self._world.read(claim.record, store.ticket))
        dies = not self._over and self._may(DEAD)
        key = f"{claim.record}/{claim.generation}"
        effects = Effects(
            verification=Verification.VERIFIED,
            copy=copy,
            document=document,
            exclusive=claim.record.source == "notion",
            stale_keys=(key,),
        )
        end = Settlement(
            claim=claim, outcome=Outcome.DEAD if dies else Outcome.APPLIED, effects=Effects() if dies else effects
        )
        met = await settle(store, end)
        if met is Settled.FENCED:
            self.result.fenced += 1
            return
        self.result.settled += 1
        if not dies:
            self._stale.add(key)

    async def _read_through(self, store: PostgresStore) -> None:
        while not self._over:
            with suppress(StoreUnavailable):
                record = self._world.some()
                copy, document = await self._world.read(record, store.ticket)
                await asyncio.sleep(self._rng.random() * 0.05)
                await store.put(copy, document, exclusive=record.source == "notion")
            await asyncio.sleep(self._rng.random() * 0.05)

    async def _clean(self, store: PostgresStore) -> None:
        """Open dead letters again, delete stale keys, remove what is old."""
        while not self._done:
            with suppress(StoreUnavailable):
                page = await store.replayable(EventFilter(outcome=Outcome.DEAD), before=None, limit=20)
                if page.ids:
                    await store.open_again(sorted(page.ids))
                read = await store.stale_keys(50)
                self._deleted.update(read.keys)
                await store.remove_stale_keys(read.rows)
                if self._removes and not self._over:
                    old = Span(0.0, time.time() - 1.0)
                    self.result.removed += await store.remove_settled(old, 20) + await store.remove_dead(old, 1)
            await asyncio.sleep(0.05 + self._rng.random() * 0.1)

    async def _strike(self) -> None:
        """Kill backends."""
        while not self._over:
            await asyncio.sleep(0.1 + self._rng.random() * 0.3)
            victims = await self._fetch(_OTHERS)
            if victims:
                await self._fetch("SELECT pg_terminate_backend($1)", self._rng.choice(victims)["pid"])
                self.result.killed += 1

    async def _audit(self) -> None:
        while not self._done:
            async with self._turn:
                await self._auditor.look()
            await asyncio.sleep(0.05)

    async def _fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with self._turn:
            return list(await self._sql.fetch(query, *arguments))

    # Afterwards

    async def _settle_all(self) -> None:
        """Wait until nothing is open and nothing dead: all of it is worked on and opened again by what goes on."""
        until = time.monotonic() + END_SECONDS
        while (await self._fetch(_LEFT))[0]["n"]:
            if time.monotonic() > until:
                self.result.broken.append("it does not come to an end: events stay open")
                return
            await asyncio.sleep(0.05)

    async def _compare(self) -> None:
        await self._auditor.look()
        # A read-through that was under way when the last change came has left what it read; nobody reads anew here.
        state, copies = self._world.state(), self._auditor.copies
        for record, text in state.items():
            if (copy := copies.get(record)) is None or copy.text != text:
                self.result.broken.append(f"the copy of {record} is {copy}, and not {text}")
        for record in copies.keys() - state.keys():
            if copies[record].text is not None and copies[record].text != "name0":
                self.result.broken.append(f"a copy of {record} is left: {copies[record]}")
        while (read := await self._stores[0].stale_keys(1_000)).keys:
            self._deleted.update(read.keys)
            await self._stores[0].remove_stale_keys(read.rows)
        if missing := self._stale - self._deleted:
            self.result.broken.append(f"{len(missing)} stale keys were never given")
        if not self._removes:
            rows = await self._sql.fetch("SELECT identity, id FROM hookbridge.events WHERE identity IS NOT NULL")
            there = {row["identity"]: row["id"] for row in rows}
            lost = [identity for identity, id_ in self._world.acknowledged.items() if there.get(identity) != id_]
            if lost:
                self.result.broken.append(f"{len(lost)} acknowledged events are not there")

    async def _until_done(self, work: Callable[[], Awaitable[Given]]) -> Given:
        """Do it, as a sender does: again until there is an answer."""
        while True:
            try:
                return await work()
            except StoreUnavailable:
                self.result.unknown += 1
                await asyncio.sleep(0.02)
