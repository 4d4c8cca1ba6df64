"""How old is what is stored: by the time that services have watched, and not by the clock alone.

A clock that is wrong at a start and set right later makes a moment look like weeks, in either direction.  So each run
notes from when to when it ran, by its clock, and what was written in a run is as old as the runs since then have
lasted, with the pauses between them.  Invariants: nothing counts as old before that much time was seen to pass, but for
pauses, each of which counts for half of the age at most (it may have been nothing but a clock that was set); what was
written while the clock was ahead becomes old like anything else.  Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from hookbridge.store.values import Span

SAME_RUN_SECONDS = 3_600.0
"""A pause that is not longer is none; and so long may a run go on before that is noted."""

SLACK_SECONDS = 60.0
"""A clock that is earlier than it was by no more than this was not set; and so late may the first note of a run be."""

RUNS_MAX = 1_000


class Run(msgspec.Struct, frozen=True, array_like=True):
    """From when to when a service ran, by its clock, in epoch seconds."""

    began: float
    ended: float


def noted(runs: Sequence[Run], now: float, passed: float) -> tuple[Run, ...]:
    """Note that a service runs, ``passed`` seconds after that was noted last, by a clock that nobody sets.

    At its start that is 0: what the clock says more than that was a pause.
    """
    if not runs:
        return (Run(now, now),)
    *before, last = runs
    if -SLACK_SECONDS <= now - last.ended - passed <= SAME_RUN_SECONDS:
        return (*before, Run(last.began, max(last.ended, now)))
    # The clock was set, nobody knows when: it was wrong for as long, and is right for as long, as it can have been.
    return (*before, Run(last.began, last.ended + passed), Run(now - passed, now))[-RUNS_MAX:]


def forgotten(runs: Sequence[Run], longest: float) -> tuple[Run, ...]:
    """Forget the runs of which nothing is left: all of it has been old for as long as it took to become that."""
    watched = _watched(runs, longest)
    return tuple(run for run, seconds in zip(runs, watched, strict=True) if seconds <= 2 * longest)


def old(runs: Sequence[Run], now: float, age: float) -> tuple[Span, ...]:
    """Give the stored times that are older than ``age`` seconds.  The last of the runs goes on."""
    young, spans = [], [Span(-math.inf, now - age)]
    for run, watched in zip(runs, _watched(runs, age), strict=True):
        until = run.ended + SAME_RUN_SECONDS
        if watched < age:
            young.append(Span(max(run.began - SLACK_SECONDS, run.ended - (age - watched)), until))
        elif until > now:  # by the clock that will be long from now
            spans.append(Span(max(run.began, now), until))
    return tuple(left for one in spans for left in _without(one, young))


def _watched(runs: Sequence[Run], age: float) -> list[float]:
    """Give the seconds that were seen to pass since the end of each run."""
    passed: list[float] = []
    seconds, later = 0.0, None
    for run in reversed(runs):
        if later is not None:
            seconds += min(max(later.began - run.ended, 0.0), age / 2)
        passed.append(seconds)
        seconds, later = seconds + run.ended - run.began, run
    return passed[::-1]


def _without(span: Span, taken: Sequence[Span]) -> list[Span]:
    left = [span]
    for other in taken:
        left = [
            part
            for before in left
            for part in (
                Span(before.start, min(before.end, other.start)),
                Span(max(before.start, other.end), before.end),
            )
            if part.start < part.end
        ]
    return left
