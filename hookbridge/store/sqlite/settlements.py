"""Settlements on SQLite: how a claimed change ends, in the events, the dirty rows, the copies and the books.

Invariants: a settlement counts only while its claim's generation stands (``claims``), and then all of it does.

A burst of very many events of one record is settled in portions, each a transaction of its own, so that appends do not
wait for it: first those behind the newest one, which leave the list, then the newest one with the change's effects.
What happens between two portions finds a record that is still dirty and books that balance.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from hookbridge.model import COUNTED_EVENTS_MAX, Claim, RecordKey, Settled, Settlement
from hookbridge.store.counting import announced, count_events, count_settlements, count_types, of_older, only_newest
from hookbridge.store.sqlite import copies, failures, stale_keys
from hookbridge.store.sqlite.engine import Job, Transaction
from hookbridge.store.sqlite.events import CHAIN, NEWEST

_BEHIND = NEWEST + "SELECT id, type, previous FROM chain JOIN events USING (id) WHERE id <> ?1 ORDER BY depth"

_SETTLE = """
UPDATE events SET outcome = ?2, reason = ?3, verification = ?4, attempts = ?5, settled_at = ?6,
                  claimed_at = ?7, verified_at = ?8
"""

_SETTLE_OLDER = NEWEST + _SETTLE + "WHERE id IN (SELECT id FROM chain WHERE id <> ?1)"

_SETTLE_HEAD = _SETTLE + "WHERE id = ?1"

_SETTLE_CHOSEN = _SETTLE + "WHERE id IN (SELECT value FROM json_each(?1))"

# What arrived during the run linked to the head that is settled now: the list must not lead into settled events, or
# one of them, opened again, could close a circle.
_CUT = (
    CHAIN.format(end="events.previous <> ?2")
    + "UPDATE events SET previous = NULL WHERE previous = ?2 AND id IN (SELECT id FROM chain)"
)


class Settle(Job):
    """The end of one claimed change."""

    __slots__ = ("settlement",)

    rank = 1

    def __init__(self, settlement: Settlement) -> None:
        self.settlement = settlement

    @property
    def weight(self) -> int:
        """The copy."""
        copy = self.settlement.effects.copy
        return len(copy.data) if copy is not None and copy.data is not None else 0

    @staticmethod
    def run_together(jobs: Sequence[Settle], transaction: Transaction) -> Sequence[Settled]:
        """Settle a group with a few prepared statements."""
        results: list[Settled] = []
        held: list[Settlement] = []
        dirty: list[Settlement] = []
        seen: set[RecordKey] = set()
        for job in jobs:
            record = job.settlement.claim.record
            # Of two settlements of one record in one group only the first can hold.
            met, settlement = (Settled.FENCED, job.settlement) if record in seen else _hold(transaction, job.settlement)
            results.append(met)
            if met is not Settled.FENCED:
                seen.add(record)
            if met in {Settled.DONE, Settled.STILL_DIRTY}:
                held.append(settlement)
            if met is Settled.STILL_DIRTY:
                dirty.append(settlement)
        _settle_events(transaction, held)
        _leave_dirty(transaction, dirty)
        connection = transaction.connection
        copies.write_effects(connection, [(one.effects, transaction.now) for one in held])
        copies.leave_names(connection, [(one.claim.record, one.effects.copy) for one in held])
        stale_keys.note(connection, held)
        count_settlements(held, transaction.count)
        for one in held:
            if one.announced:
                _count_announced(transaction, one)
        return results


def _hold(transaction: Transaction, settlement: Settlement) -> tuple[Settled, Settlement]:
    """Settle a portion of a long burst, else make the record clean.  Gives what is left of the settlement, too."""
    connection = transaction.connection
    if settlement.claim.open_events >= COUNTED_EVENTS_MAX:
        if _meets(connection, settlement.claim) is Settled.FENCED:
            return Settled.FENCED, settlement
        if _settle_behind(transaction, settlement):
            return Settled.MORE, settlement
        settlement = only_newest(settlement)
    return _clean(connection, settlement.claim), settlement


def _clean(connection: sqlite3.Connection, claim: Claim) -> Settled:
    """Make the record clean, unless events arrived during the run or the claim does not hold any more."""
    whole = (str(claim.record), claim.generation, claim.version)
    if connection.execute("DELETE FROM dirty WHERE record = ? AND generation = ? AND version = ?", whole).rowcount:
        return Settled.DONE
    return _meets(connection, claim)


def _meets(connection: sqlite3.Connection, claim: Claim) -> Settled:
    found = connection.execute(
        "SELECT version FROM dirty WHERE record = ? AND generation = ?", (str(claim.record), claim.generation)
    ).fetchone()
    if found is None:
        return Settled.FENCED
    return Settled.DONE if found[0] == claim.version else Settled.STILL_DIRTY


def _settle_events(transaction: Transaction, settlements: list[Settlement]) -> None:
    connection = transaction.connection
    older, heads = [], []
    for settlement in settlements:
        rest = _end_of(settlement, transaction.now)
        if settlement.claim.open_events > 1:
            older.append((settlement.claim.head, of_older(settlement.outcome).value, *rest))
        heads.append((settlement.claim.head, settlement.outcome.value, *rest))
    connection.executemany(_SETTLE_OLDER, older)
    connection.executemany(_SETTLE_HEAD, heads)
    failures.note(connection, [one for one in settlements if one.failures])


def _end_of(settlement: Settlement, now: float) -> tuple[Any, ...]:
    """Give the parameters of ``_SETTLE`` behind the outcome."""
    verification = settlement.effects.verification
    ended = (settlement.reason, verification and verification.value, settlement.attempts, now)
    return (*ended, settlement.claim.claimed_at, settlement.effects.verified_at)


def _settle_behind(transaction: Transaction, settlement: Settlement) -> bool:
    """Settle a portion of the events behind the claim's newest one and take them out of its list; False for none."""
    connection, claim = transaction.connection, settlement.claim
    chosen = connection.execute(_BEHIND, (claim.head,)).fetchall()
    if not chosen:
        return False
    outcome = of_older(settlement.outcome)
    ids = msgspec.json.encode([id_ for id_, *_ in chosen]).decode()
    connection.execute(_SETTLE_CHOSEN, (ids, outcome.value, *_end_of(settlement, transaction.now)))
    *_, (*_, next_one) = chosen
    connection.execute("UPDATE events SET previous = ? WHERE id = ?", (next_one, claim.head))
    source, types = claim.record.source, Counter(type_ for _, type_, _ in chosen)
    count_events(source, outcome, len(chosen), transaction.count)
    count_types(source, outcome, types, transaction.count)
    return True


def _leave_dirty(transaction: Transaction, dirty: list[Settlement]) -> None:
    """Let the records be claimed again for which events arrived during the run."""
    connection = transaction.connection
    for claim in (settlement.claim for settlement in dirty):
        (head,) = connection.execute("SELECT head FROM dirty WHERE record = ?", (str(claim.record),)).fetchone()
        connection.execute(_CUT, (head, claim.head))
        # The claim is used up: nobody's generation, so that it cannot settle a second time.
        connection.execute(
            "UPDATE dirty SET generation = 0, since = ?1, available_at = ?1 WHERE record = ?2",
            (transaction.now, str(claim.record)),
        )


def _count_announced(transaction: Transaction, settlement: Settlement) -> None:
    """Count a change that webhooks announced, unless the reconciler found it first."""
    record, counter = announced(settlement)
    connection = transaction.connection
    if settlement.claim.record != record:
        connection.execute("DELETE FROM found WHERE record = ?", (str(record),))
    elif connection.execute("SELECT 1 FROM found WHERE record = ?", (str(record),)).fetchone() is not None:
        return
    transaction.count(counter)
