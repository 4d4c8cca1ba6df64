"""Settlements on SQLite: how a claimed change ends, in the events, the dirty rows, the copies and the books.

Invariants: a settlement counts only while its claim's generation stands (``claims``), and then all of it does.

A burst of very many events of one record is settled in portions, each a transaction of its own, so that appends do not
wait for it: first those behind the newest one, which leave the list, then the newest one with the change's effects.
What happens between two portions finds a record that is still dirty and books that balance.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hookbridge.model import COUNTED_EVENTS_MAX, Claim, Outcome, RecordKey, Settled, Settlement
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
        connection = transaction.connection
        results: list[Settled] = []
        held: list[Settle] = []
        dirty: list[Settle] = []
        seen: set[RecordKey] = set()
        for job in jobs:
            record = job.settlement.claim.record
            # Of two settlements of one record in one group only the first can hold.
            met = Settled.FENCED if record in seen else _meets(connection, job.settlement.claim)
            if met is not Settled.FENCED:
                seen.add(record)
                if job.settlement.claim.open_events >= COUNTED_EVENTS_MAX:
                    if _settle_behind(transaction, job.settlement):
                        results.append(Settled.MORE)
                        continue
                    job = Settle(_only_newest(job.settlement))  # noqa: PLW2901  what is left of it
                held.append(job)
            results.append(met)
            if met is Settled.STILL_DIRTY:
                dirty.append(job)
        _settle_events(transaction, held)
        _settle_records(transaction, held, dirty)
        copies.write_effects(connection, [(job.settlement.effects, transaction.now) for job in held])
        copies.leave_names(connection, [(job.settlement.claim.record, job.settlement.effects.copy) for job in held])
        stale_keys.note(connection, [job.settlement for job in held])
        for job in held:
            _count(transaction, job.settlement)
        return results


def _meets(connection: sqlite3.Connection, claim: Claim) -> Settled:
    found = connection.execute(
        "SELECT version FROM dirty WHERE record = ? AND generation = ?", (str(claim.record), claim.generation)
    ).fetchone()
    if found is None:
        return Settled.FENCED
    return Settled.DONE if found[0] == claim.version else Settled.STILL_DIRTY


def _settle_events(transaction: Transaction, jobs: list[Settle]) -> None:
    connection = transaction.connection
    older, heads = [], []
    for job in jobs:
        settlement = job.settlement
        rest = _end_of(settlement, transaction.now)
        if settlement.claim.open_events > 1:
            older.append((settlement.claim.head, _outcome_of_older(settlement).value, *rest))
        heads.append((settlement.claim.head, settlement.outcome.value, *rest))
    connection.executemany(_SETTLE_OLDER, older)
    connection.executemany(_SETTLE_HEAD, heads)
    failures.note(connection, [job.settlement for job in jobs if job.settlement.failures])


def _end_of(settlement: Settlement, now: float) -> tuple[Any, ...]:
    """Give the parameters of ``_SETTLE`` behind the outcome."""
    verification = settlement.effects.verification
    ended = (settlement.reason, verification and verification.value, settlement.attempts, now)
    return (*ended, settlement.claim.claimed_at, settlement.effects.verified_at)


def _outcome_of_older(settlement: Settlement) -> Outcome:
    return Outcome.COALESCED if settlement.outcome is Outcome.APPLIED else settlement.outcome


def _settle_behind(transaction: Transaction, settlement: Settlement) -> bool:
    """Settle a portion of the events behind the claim's newest one and take them out of its list; False for none."""
    connection, claim = transaction.connection, settlement.claim
    chosen = connection.execute(_BEHIND, (claim.head,)).fetchall()
    if not chosen:
        return False
    outcome = _outcome_of_older(settlement)
    ids = msgspec.json.encode([id_ for id_, *_ in chosen]).decode()
    connection.execute(_SETTLE_CHOSEN, (ids, outcome.value, *_end_of(settlement, transaction.now)))
    *_, (*_, next_one) = chosen
    connection.execute("UPDATE events SET previous = ? WHERE id = ?", (next_one, claim.head))
    _count_events(transaction, claim.record, outcome, len(chosen))
    _count_types(transaction, claim.record, outcome, Counter(type_ for _, type_, _ in chosen))
    return True


def _only_newest(settlement: Settlement) -> Settlement:
    """Give the settlement without the events behind the newest one, which are settled."""
    claim = msgspec.structs.replace(settlement.claim, types={settlement.claim.events[-1].event.type: 1})
    return msgspec.structs.replace(settlement, claim=claim)


def _settle_records(transaction: Transaction, held: list[Settle], dirty: list[Settle]) -> None:
    """Make the records clean, but for those for which events arrived during the run."""
    connection = transaction.connection
    for job in dirty:
        claim = job.settlement.claim
        (head,) = connection.execute("SELECT head FROM dirty WHERE record = ?", (str(claim.record),)).fetchone()
        connection.execute(_CUT, (head, claim.head))
        # The claim is used up: nobody's generation, so that it cannot settle a second time.
        connection.execute(
            "UPDATE dirty SET generation = 0, since = ?1, available_at = ?1 WHERE record = ?2",
            (transaction.now, str(claim.record)),
        )
    connection.executemany(
        "DELETE FROM dirty WHERE record = ? AND generation = ?",
        [(str(job.settlement.claim.record), job.settlement.claim.generation) for job in held],
    )


def _count(transaction: Transaction, settlement: Settlement) -> None:
    record = settlement.claim.record
    _count_events(transaction, record, settlement.outcome, 1)
    if settlement.claim.open_events > 1:
        _count_events(transaction, record, _outcome_of_older(settlement), settlement.claim.open_events - 1)
    _count_types(transaction, record, settlement.outcome, settlement.claim.types)
    if settlement.outcome is not Outcome.IGNORED:
        transaction.count("changes")
        transaction.count("processing_seconds", settlement.duration)
    transaction.count("retries", settlement.attempts - 1)
    if settlement.announced:
        _count_announced(transaction, record, (settlement.effects.copy or settlement.claim).record)
    if settlement.effects.verification is not None:
        transaction.count("verification:" + settlement.effects.verification.value)


def _count_events(transaction: Transaction, record: RecordKey, outcome: Outcome, number: int) -> None:
    transaction.count("open", -number)
    transaction.count(outcome.value, number)
    transaction.count(f"settled:{record.source}:{outcome.value}", number)
    if outcome is Outcome.DEAD:
        transaction.count("failed", number)
    elif outcome is not Outcome.IGNORED:
        transaction.count("processed", number)


def _count_types(transaction: Transaction, record: RecordKey, outcome: Outcome, types: Mapping[str, int]) -> None:
    if outcome is not Outcome.IGNORED:
        for type_, number in types.items():
            transaction.count("source:" + record.source, number)
            transaction.count("type:" + type_, number)


def _count_announced(transaction: Transaction, named: RecordKey, record: RecordKey) -> None:
    """Count a change that webhooks announced, unless the reconciler found it first.

    Such a finding is counted when its grace time is over, by the webhooks of its record.  Those that named the record
    otherwise are not among them: they end it here.
    """
    connection = transaction.connection
    if named != record:
        connection.execute("DELETE FROM found WHERE record = ?", (str(record),))
    elif connection.execute("SELECT 1 FROM found WHERE record = ?", (str(record),)).fetchone() is not None:
        return
    transaction.count(f"announced:{record.source}:{record.table}")
