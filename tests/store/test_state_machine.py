"""Whatever is done to a store in whatever order: it and a model of a few lines agree after every step.

The model is the contract in plain Python: open events of a record in order, who holds which claim, which copy is the
latest.  After every step the books balance, dirty records are exactly those with open events, and every chain is whole.
"""

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hookbridge.model import Claim, Outcome, Receipt, Settled
from hookbridge.pipeline.replay import dismiss, replay
from hookbridge.store.contract import Store
from hookbridge.store.values import EventFilter, Span
from tests.support.engines import at, open_lines, opened_on
from tests.support.events import copy, effects, event, key, settlement
from tests.support.stores import LEASE, books, ids

RECORDS = st.integers(0, 2)
ENDS = st.sampled_from([Outcome.APPLIED, Outcome.DEAD, Outcome.IGNORED])


@dataclass
class Known:
    """One event, as the model knows it."""

    record: int
    identity: bytes | None = None
    outcome: Outcome | None = None
    settled_at: float = 0.0


@dataclass
class Model:
    """What the store should hold."""

    events: dict[int, Known] = field(default_factory=dict)
    removed: Counter[str] = field(default_factory=Counter)
    lines: dict[int, list[int]] = field(default_factory=dict)
    """Open events of a record, in order of arrival."""
    holders: dict[int, tuple[Claim, float]] = field(default_factory=dict)
    """The claim that holds, and when its lease ends."""
    latest: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    newest: int = 0
    replayed: int = 0

    def opens(self, event_id: int) -> None:
        self.lines.setdefault(self.events[event_id].record, []).append(event_id)

    def named(self, identity: bytes | None) -> int:
        """The event of this identity; 0 when there is none."""
        return next((n for n, one in self.events.items() if identity is not None and one.identity == identity), 0)

    def books(self) -> dict[str, int]:
        written = Counter(one.outcome.value if one.outcome else "open" for one in self.events.values()) + self.removed
        return {**written, "received": sum(written.values())} if written else {}


class Life(RuleBasedStateMachine):
    """Rules that do something to store and model alike."""

    engine: str

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self.model = Model()
        self.now = 100.0
        self.claims: list[Claim] = []
        self.store = self._open()

    def _open(self) -> Store:
        return self._runner.run(opened_on(self.engine, Path(self._folder.name)))

    def teardown(self) -> None:
        self._runner.run(self.store.close())
        self._runner.close()
        self._folder.cleanup()

    # What comes in

    @initialize()
    def begin(self) -> None:
        """Some history, of every kind, so that no run spends its time on an empty store."""
        for outcome in (Outcome.DEAD, Outcome.APPLIED, Outcome.IGNORED):
            self.append([(record, name) for record in range(3) for name in (None, 0)])
            self.work(outcome)
        self.append([(0, None), (1, 1), (1, 2), (2, None)])

    @rule(hints=st.lists(st.tuples(RECORDS, st.sampled_from([None, 0, 1, 2])), min_size=1, max_size=4))
    def append(self, hints: list[tuple[int, int | None]]) -> None:
        """Events with and without a name; a name belongs to one record."""
        self.now += 1
        made = [event(record, identity=None if name is None else f"{record}/{name}".encode()) for record, name in hints]

        async def store() -> tuple[Receipt, ...]:
            return await at(self.store, self.now).append(made, self.now)

        receipts = self._runner.run(store())
        for (record, _), hint, receipt in zip(hints, made, receipts, strict=True):
            known = self.model.named(hint.identity)
            assert receipt.duplicate == bool(known)
            if not known:
                assert receipt.event_id > self.model.newest
                self.model.newest = receipt.event_id
                self.model.events[receipt.event_id] = Known(record, hint.identity)
                self.model.opens(receipt.event_id)
                continue
            assert receipt.event_id == known
            if self.model.events[known].outcome is Outcome.DEAD:
                self.model.events[known].outcome = None
                self.model.opens(known)

    @rule(limit=st.integers(1, 4), outcome=st.sampled_from([None, Outcome.DEAD, Outcome.APPLIED]))
    def replay(self, limit: int, outcome: Outcome | None) -> None:
        """Dead ones open again; others come in anew."""
        self.now += 1
        again = {Outcome.DEAD, Outcome.APPLIED, Outcome.COALESCED} if outcome is None else {outcome}
        chosen = [n for n in sorted(self.model.events, reverse=True) if self.model.events[n].outcome in again][:limit]
        count = self._runner.run(replay(at(self.store, self.now), EventFilter(outcome=outcome), limit=limit)).count
        assert count == len(chosen)
        page = self._runner.run(self.store.events(EventFilter(), before=None, limit=10_000))
        fresh = iter(sorted(one.id for one in page.events if one.id > self.model.newest))
        for event_id in reversed(chosen):
            old = self.model.events[event_id]
            if old.outcome is Outcome.DEAD:
                old.outcome = None
                self.model.opens(event_id)
            else:
                self.model.newest = next(fresh)
                self.model.events[self.model.newest] = Known(old.record)
                self.model.opens(self.model.newest)

    @rule(limit=st.integers(1, 4))
    def dismiss(self, limit: int) -> None:
        """Dead ones are ignored."""
        self.now += 1
        dead = [n for n in sorted(self.model.events, reverse=True) if self.model.events[n].outcome is Outcome.DEAD]
        count = self._runner.run(dismiss(at(self.store, self.now), EventFilter(), limit=limit)).count
        assert count == len(dead[:limit])
        for event_id in dead[:limit]:
            self.model.events[event_id].outcome = Outcome.IGNORED
            self.model.events[event_id].settled_at = self.now

    # Who works on it

    @precondition(lambda self: self.model.lines)
    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        """Records that nobody holds, each with exactly its open events."""
        self._claim(limit)

    def _claim(self, limit: int) -> None:
        self.now += 1
        free = {record for record in self.model.lines if self._is_free(record)}
        taken = self._runner.run(at(self.store, self.now).claim("supabase", limit, lease_seconds=LEASE))
        assert len(taken) == min(limit, len(free))
        for one in taken:
            record = int(one.record.id)
            assert record in free
            assert ids(one) == self.model.lines[record]
            assert one.head == self.model.lines[record][-1]
            assert one.open_events == len(self.model.lines[record])
            known = self.model.latest.get(record)
            assert (one.previous and (one.previous.ticket, one.previous.data)) == known
            self.model.holders[record] = (one, self.now + LEASE)
            self.claims.append(one)

    def _is_free(self, record: int) -> bool:
        held = self.model.holders.get(record)
        return held is None or held[1] <= self.now

    def _holds(self, claim: Claim) -> bool:
        held = self.model.holders.get(int(claim.record.id))
        return held is not None and held[0] is claim

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), outcome=ENDS, late=st.booleans())
    def settle(self, data: st.DataObject, outcome: Outcome, *, late: bool) -> None:
        """With any recent claim: those that do not hold change nothing."""
        self._settle(data.draw(st.sampled_from(self.claims[-6:])), outcome, late=late)

    @precondition(lambda self: self.model.lines)
    @rule(outcome=ENDS)
    def work(self, outcome: Outcome) -> None:
        """Claim what is free and settle it: most of a store's life."""
        before = len(self.claims)
        self._claim(3)
        for claim in self.claims[before:]:
            self._settle(claim, outcome, late=False)

    def _settle(self, claim: Claim, outcome: Outcome, *, late: bool) -> None:
        self.now += 1
        record = int(claim.record.id)
        # The number of an event is far smaller than any ticket: a read of long ago.
        ticket = claim.head if late else self._runner.run(self.store.ticket())
        read = copy(key(record), ticket, b"%d" % ticket)
        end = settlement(claim, outcome, effects=effects(read, f"w{ticket}"))
        met = self._runner.run(at(self.store, self.now).settle(end))
        if not self._holds(claim):
            assert met is Settled.FENCED
            return
        del self.model.holders[record]
        line = self.model.lines.pop(record)
        rest = line[line.index(claim.head) + 1 :]
        for event_id in line[: line.index(claim.head) + 1]:
            older = Outcome.COALESCED if outcome is Outcome.APPLIED and event_id != claim.head else outcome
            self.model.events[event_id].outcome = older
            self.model.events[event_id].settled_at = self.now
        if rest:
            self.model.lines[record] = rest
        assert met is (Settled.STILL_DIRTY if rest else Settled.DONE)
        if ticket >= self.model.latest.get(record, (0, b""))[0]:
            self.model.latest[record] = (ticket, b"%d" % ticket)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), wait=st.sampled_from([0.0, 10.0]))
    def release(self, data: st.DataObject, wait: float) -> None:
        """Given back, for now or for later."""
        claim = data.draw(st.sampled_from(self.claims))
        until = self.now + wait if wait else 0.0
        self._runner.run(at(self.store, self.now).release([claim], after_seconds=wait))
        if self._holds(claim):
            self.model.holders[int(claim.record.id)] = (claim, until)

    @rule()
    def leases_end(self) -> None:
        """Time goes by."""
        self.now += LEASE

    # What is removed, and restarts

    @rule(age=st.sampled_from([0.0, 5.0, LEASE]), limit=st.integers(1, 5))
    def retention(self, age: float, limit: int) -> None:
        """The oldest of what was settled; neither open nor dead ones, and never the newest event."""
        before = self.now - age
        old = [
            n
            for n, one in self.model.events.items()
            if one.outcome not in {None, Outcome.DEAD} and one.settled_at < before and n != self.model.newest
        ]
        present = set(self.model.events)
        assert self._runner.run(self.store.remove_settled(Span(0.0, before), limit)) == min(limit, len(old))
        page = self._runner.run(self.store.events(EventFilter(), before=None, limit=10_000))
        gone = present - {one.id for one in page.events}
        assert gone <= set(old)
        for event_id in gone:
            outcome = self.model.events.pop(event_id).outcome
            assert outcome is not None
            self.model.removed[outcome.value] += 1

    @rule()
    def restart(self) -> None:
        """Everything is there again, and nobody holds anything."""
        self._runner.run(self.store.close())
        self.store = self._open()
        self.now += 1
        number = sum(len(line) for line in self.model.lines.values())
        self._runner.run(at(self.store, self.now).release_abandoned())
        assert self.store.open_events == number
        self.model.holders = {record: (held, 0.0) for record, (held, _) in self.model.holders.items()}

    # What always holds

    @invariant()
    def the_books_balance(self) -> None:
        assert self._runner.run(books(self.store)) == self.model.books()
        assert self.store.open_events == sum(len(line) for line in self.model.lines.values())

    @invariant()
    def every_event_is_as_the_model_has_it(self) -> None:
        page = self._runner.run(self.store.events(EventFilter(), before=None, limit=10_000))
        assert {one.id: one.outcome for one in page.events} == {
            event_id: one.outcome for event_id, one in self.model.events.items()
        }

    @invariant()
    def dirty_records_are_those_with_open_events_and_their_chains_are_whole(self) -> None:
        lines = self._runner.run(open_lines(self.store))
        assert {int(record.rpartition(":")[2]): line for record, line in lines.items()} == self.model.lines


def test_a_store_lives_up_to_the_model(engine: str) -> None:
    run_state_machine_as_test(
        type(f"LifeOn{engine.title()}", (Life,), {"engine": engine}),
        settings=settings(
            max_examples=60 if engine == "sqlite" else 15,  # each call of a server takes as long as ten of a file
            stateful_step_count=40,
            deadline=None,  # a slow disk is no failure
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
