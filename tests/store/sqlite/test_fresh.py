"""A claim has the events as they are in the file, whether they were at hand or were read back."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hookbridge.errors import StoreError, StoreUnavailable
from hookbridge.model import Claim, Event, Outcome, Settled, SourceName
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.sqlite.fresh import EVENTS_MAX
from hookbridge.store.values import Span
from tests.support.engines import at, open_lines
from tests.support.events import event
from tests.support.files import opened, refuse_writes
from tests.support.stores import add, finish, take, take_one
from tests.support.taps import Tap

SOURCES: tuple[SourceName, ...] = ("supabase", "notion")
PAGES = [f"00000000-0000-4000-8000-{number:012}" for number in range(4)]


class Life:
    """A store, and whatever may happen to its events, by chance."""

    def __init__(self, store: SqliteStore, chance: random.Random) -> None:
        self.store = store
        self.chance = chance
        self.held: list[Claim] = []
        self.now = 1_000.0
        self.claimed = 0

    def hint(self) -> Event:
        chance = self.chance
        source = chance.choice(SOURCES)
        identity = chance.choice([None, b"%d" % chance.randrange(30)])
        changes: dict[str, Any] = {
            "identity": identity,
            "body": b"%d" % chance.randrange(10**6),
            "occurred_at": chance.choice([None, "2026-11-28T10:00:00Z"]),
            "origin": chance.choice(["webhook", "poll"]),
            "ignored": "told to" if chance.random() < 0.1 else None,
        }
        if source == "notion":
            table, by_id = chance.choice(["a", "b"]), chance.random() < 0.3
            return event(chance.choice(PAGES), table=table, source="notion", by_id=by_id, **changes)
        return event(chance.choice(["1", "2", "é:3", '"4']), **changes)

    async def append(self) -> None:
        requests = [[self.hint() for _ in range(self.chance.randint(1, 3))] for _ in range(self.chance.randint(1, 3))]
        if self.chance.random() < 0.2:  # one that the file cannot hold: the group is committed one by one
            requests.append([event("\ud800")])
        headers = self.chance.choice([None, b"{}"])
        answers = [self.store.append(hints, self.now, headers) for hints in requests]
        claims = [self.store.claim(source, 2, lease_seconds=60) for source in SOURCES if self.chance.random() < 0.3]
        met = await asyncio.gather(*answers, *claims, return_exceptions=True)
        assert all(isinstance(one, tuple | StoreError) for one in met), met
        await self.look(
            [one for claimed in met if isinstance(claimed, tuple) for one in claimed if isinstance(one, Claim)]
        )

    async def refuse(self) -> None:
        refuse_writes(self.store, refuse=True)
        with pytest.raises(StoreUnavailable):
            await self.store.append([self.hint()], self.now)
        refuse_writes(self.store, refuse=False)

    async def claim(self) -> None:
        await self.look(
            await self.store.claim(self.chance.choice(SOURCES), self.chance.randint(1, 5), lease_seconds=60)
        )

    async def look(self, claims: Sequence[Claim]) -> None:
        lines = await open_lines(self.store)
        for claim in claims:
            assert [one.id for one in claim.events] == lines[str(claim.events[-1].event.record)]
            for one in claim.events:
                assert one == await self.store.event(one.id)
                self.claimed += 1
        self.held += claims

    async def settle(self) -> None:
        if self.held:
            claim = self.held.pop(self.chance.randrange(len(self.held)))
            outcome = self.chance.choice([Outcome.APPLIED, Outcome.DEAD, Outcome.DEAD])
            assert await finish(self.store, claim, outcome=outcome, now=self.now) in (
                [Settled.DONE],
                [Settled.STILL_DIRTY],
                [Settled.FENCED],
            )

    async def release(self) -> None:
        if self.held:
            claim = self.held.pop(self.chance.randrange(len(self.held)))
            await self.store.release([claim], after_seconds=self.chance.choice([0.0, 5.0]))

    async def replay(self) -> None:
        await self.store.open_again([self.chance.randint(1, 400) for _ in range(5)])

    async def retain(self) -> None:
        span = Span(0.0, self.now - 20)
        await self.store.remove_settled(span, 5)
        await self.store.remove_dead(span, 5)

    async def live(self, moments: int) -> None:
        deeds = (self.append, self.append, self.claim, self.claim, self.settle, self.settle, self.release)
        rare = (self.replay, self.retain, self.refuse)
        for _ in range(moments):
            self.now += self.chance.choice([0.0, 1.0, 10.0])
            at(self.store, self.now)
            await self.chance.choice(rare if self.chance.random() < 0.15 else deeds)()


@pytest.mark.parametrize("seed", range(3))
async def test_a_claim_has_the_events_as_they_are_in_the_file_whatever_happened_before(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    claimed = 0
    for _ in range(3):  # and after a restart
        async with opened(tmp_path) as store:
            await store.release_abandoned()
            life = Life(store, chance)
            await life.live(120)
            claimed += life.claimed
    assert claimed > 50


async def read_back(store: SqliteStore, tap: Tap, hint: Event) -> bool:
    """Whether an event that is appended and claimed at once is read back from the file."""
    await add(store, hint)
    with tap.listening() as heard:
        await take_one(store, source=hint.record.source)
    return any("chain" in statement for statement in heard)


async def test_a_long_burst_does_not_keep_the_room_of_what_comes_after_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        tap = Tap(store._engine._writer)
        await add(store, *[event("burst") for _ in range(EVENTS_MAX + 1_000)])
        await finish(store, await take_one(store))
        assert not await read_back(store, tap, event("later"))


async def test_a_lane_that_takes_nothing_leaves_the_other_its_room(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        tap = Tap(store._engine._writer)
        await add(store, *[event(number, source="notion", table="t") for number in range(EVENTS_MAX + 10)])
        assert not await read_back(store, tap, event())


async def test_what_there_is_no_room_for_is_read_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        tap = Tap(store._engine._writer)
        given = [event(number, body=b"%d" % number) for number in range(EVENTS_MAX)]
        await add(store, *given)
        await add(store, event("more"))
        claims = await take(store, limit=EVENTS_MAX + 1)
        assert len(claims) == EVENTS_MAX + 1
        for claim in (claims[0], claims[-1]):
            assert claim.events == (await store.event(claim.head),)
        assert not await read_back(store, tap, event("later"))
