"""Settlements on Postgres: how claimed changes end.  ``settle.sql`` writes them; here they become its columns.

A group is one transaction, of claims that all hold: where one does not any more, nothing is written, and the others
are settled without it.  So what is counted is known before.  It is counted in a slot of its own, the negative one, so
that appends and settlements of a node do not wait for each other's commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hookbridge.model import COUNTED_EVENTS_MAX, Failure, Settled, Settlement
from hookbridge.store.counting import announced, count_events, count_settlements, count_types, of_older
from hookbridge.store.postgres import copies
from hookbridge.store.postgres.engine import EVENT_BYTES, Engine, Job, Writer
from hookbridge.store.postgres.stale_keys import stale_of
from hookbridge.store.postgres.texts import shown

_SETTLE = f"SELECT hookbridge.settle_1({', '.join(f'${number}' for number in range(1, 39))})"
_SETTLE_BEHIND = f"SELECT hookbridge.settle_behind_1({', '.join(f'${number}' for number in range(1, 15))})"


class Settle(Job):
    """The end of one claimed change."""

    __slots__ = ("settlement",)

    def __init__(self, settlement: Settlement) -> None:
        self.settlement = settlement

    @property
    def weight(self) -> int:
        """The copy, and the rows of the events: a group of long bursts has to end before the server ends the call."""
        copy = self.settlement.effects.copy
        own = len(copy.data) if copy is not None and copy.data is not None else 0
        return own + EVENT_BYTES * self.settlement.claim.open_events

    @staticmethod
    async def run_together(jobs: Sequence[Settle], writer: Writer) -> Sequence[Settled]:
        """Settle all jobs, in one transaction where all their claims hold."""
        # Of settlements of one record only that of its last claim can hold, and of one claim only the first.
        by_name: dict[str, int] = {}
        for place, job in enumerate(jobs):
            known = by_name.setdefault(str(job.settlement.claim.record), place)
            if jobs[known].settlement.claim.generation < job.settlement.claim.generation:
                by_name[str(job.settlement.claim.record)] = place
        met = await _settle(writer, {name: jobs[place].settlement for name, place in sorted(by_name.items())})
        results = [Settled.FENCED for _ in jobs]
        for name, what in met.items():
            results[by_name[name]] = what
        return results


async def _settle(writer: Writer, by_name: dict[str, Settlement]) -> dict[str, Settled]:
    """Settle those whose claims hold; gives what each met, without those that are fenced."""
    held = dict(by_name)
    while held:
        counted: Counter[str] = Counter()
        columns = _columns(held, counted)
        ((versions,),) = await writer.call(_SETTLE, -writer.slot, writer.moment, *columns)
        if None not in versions:
            writer.opened(int(counted["open"]))
            return {
                name: Settled.DONE if version == settlement.claim.version else Settled.STILL_DIRTY
                for (name, settlement), version in zip(held.items(), versions, strict=True)
            }
        held = {name: one for (name, one), version in zip(held.items(), versions, strict=True) if version is not None}
    return {}


def _columns(held: dict[str, Settlement], counted: Counter[str]) -> tuple[Sequence[Any], ...]:
    """Give settlements, sorted by record, as the columns of ``settle_1``; counts them, too."""

    def count(name: str, by: float = 1, /) -> None:
        counted[name] += by  # type: ignore[assignment]  # seconds are counted too

    names, settlements = list(held), list(held.values())
    count_settlements(settlements, count)
    told = [(one, *announced(one)) for one in settlements if one.announced]
    return (
        names,
        [one.claim.generation for one in settlements],
        [one.claim.version for one in settlements],
        [one.outcome.value for one in settlements],
        [of_older(one.outcome).value for one in settlements],
        [shown(one.reason) for one in settlements],
        [one.effects.verification and one.effects.verification.value for one in settlements],
        [one.attempts for one in settlements],
        [one.claim.claimed_at for one in settlements],
        [one.effects.verified_at for one in settlements],
        *_failures(held),
        stale_of(settlements),
        [str(record) for _, record, _ in told],
        [one.claim.record != record for one, record, _ in told],
        [counter for _, _, counter in told],
        list(counted),
        list(map(float, counted.values())),
        *copies.columns((one.claim.record, one.effects) for one in settlements),
    )


def _failures(held: dict[str, Settlement]) -> tuple[Sequence[Any], ...]:
    """Give the failed attempts as columns; of two that began at one moment the later one."""
    by_key: dict[tuple[str, float], Failure] = {}
    for name, settlement in held.items():
        for failure in settlement.failures:
            by_key[name, failure.began_at] = failure
    ordered = sorted(by_key.items())
    return (
        [name for (name, _), _ in ordered],
        [began_at for (_, began_at), _ in ordered],
        [failure.number for _, failure in ordered],
        [failure.ended_at for _, failure in ordered],
        [shown(failure.error) for _, failure in ordered],
        [shown(failure.traceback) for _, failure in ordered],
    )


async def settle_behind(engine: Engine, settlement: Settlement) -> int | None:
    """Settle a portion of the events behind the claim's newest one; gives how many, None for a claim that is fenced."""
    claim, outcome, effects = settlement.claim, of_older(settlement.outcome), settlement.effects
    source = claim.record.source
    each: Counter[str] = Counter()

    def count(name: str, by: float = 1, /) -> None:
        each[name] += int(by)

    count_events(source, outcome, 1, count)
    count_types(source, outcome, {"": 1}, count)
    del each["type:"]  # the types are those of the portion
    ((settled,),) = await engine.write(
        _SETTLE_BEHIND,
        engine.slot,
        engine.moment,
        str(claim.record),
        claim.generation,
        claim.version,
        COUNTED_EVENTS_MAX,
        outcome.value,
        shown(settlement.reason),
        effects.verification and effects.verification.value,
        settlement.attempts,
        claim.claimed_at,
        effects.verified_at,
        list(each),
        list(map(float, each.values())),
    )
    engine.open_events -= settled or 0
    return None if settled is None else int(settled)
