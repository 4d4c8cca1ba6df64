"""What settlements add to the counters, and how the events behind the newest one end: the same on every engine.

Pure: ``count(name, amount)`` raises a counter, by 1 where no amount is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from hookbridge.model import Outcome, RecordKey, Settlement, SourceName, Verification


class Count(Protocol):
    """Raises a counter."""

    def __call__(self, name: str, by: float = 1, /) -> None:
        """Add to it."""
        ...


def of_older(outcome: Outcome) -> Outcome:
    """How the events behind the newest one end."""
    return Outcome.COALESCED if outcome is Outcome.APPLIED else outcome


def only_newest(settlement: Settlement) -> Settlement:
    """Give the settlement without the events behind the newest one, which are settled."""
    claim = msgspec.structs.replace(settlement.claim, types={settlement.claim.events[-1].event.type: 1})
    return msgspec.structs.replace(settlement, claim=claim)


def count_settlements(settlements: Sequence[Settlement], count: Count) -> None:
    """Count a group: most of its settlements are alike.  What was announced is not among it."""
    for (source, outcome, verification, types), number in Counter(map(_kind, settlements)).items():
        count_events(source, outcome, number, count)
        if (behind := sum(each for _, each in types) - 1) > 0:
            count_events(source, of_older(outcome), behind * number, count)
        count_types(source, outcome, {type_: each * number for type_, each in types}, count)
        if outcome is not Outcome.IGNORED:
            count("changes", number)
        if verification is not None:
            count("verification:" + verification.value, number)
    for settlement in settlements:
        if settlement.outcome is not Outcome.IGNORED:
            count("processing_seconds", settlement.duration)
        count("retries", settlement.attempts - 1)


def _kind(settlement: Settlement) -> tuple[SourceName, Outcome, Verification | None, tuple[tuple[str, int], ...]]:
    claim = settlement.claim
    types = tuple(claim.types.items())
    return (claim.record.source, settlement.outcome, settlement.effects.verification, types)


def count_events(source: SourceName, outcome: Outcome, number: int, count: Count) -> None:
    """Count events that ended so."""
    count("open", -number)
    count(outcome.value, number)
    count(f"settled:{source}:{outcome.value}", number)
    if outcome is Outcome.DEAD:
        count("failed", number)
    elif outcome is not Outcome.IGNORED:
        count("processed", number)


def count_types(source: SourceName, outcome: Outcome, types: Mapping[str, int], count: Count) -> None:
    """Count events that ended so by their types."""
    if outcome is not Outcome.IGNORED:
        for type_, number in types.items():
            count("source:" + source, number)
            count("type:" + type_, number)


def announced(settlement: Settlement) -> tuple[RecordKey, str]:
    """Say of a change that webhooks announced which record it is of, and what counts it.

    It is not counted where the reconciler found it first: such a finding is counted when its grace time is over, by the
    webhooks of its record.  Those that named the record otherwise are not among them, so they end the finding.
    """
    record = (settlement.effects.copy or settlement.claim).record
    return record, f"announced:{record.source}:{record.table}"
