"""THE retry decision: does this event die?  ``RULES`` says what each failure concerns, ``fate_of`` what becomes of it.

Pure: it knows neither clock nor lane.  The attempts are run in ``attempts``; what a lane knows of a record, and what it
does with the answer, is in ``health``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

import msgspec

from hookbridge.errors import (
    CacheUnavailable,
    HandlerGaveUp,
    RecordImpossible,
    SourceRefused,
    SourceUnavailable,
    StoreError,
    StoreUnavailable,
    TableUnreadable,
    asked_seconds,
)

HELD_SECONDS_MAX = 10.0
"""A longer Retry-After is not waited for in a worker: the lane stops until then."""

STRIKES_MAX = 3
"""So many times may one record stop a lane in which others come through; then the fault is the record's own."""

UNLISTED_SECONDS = 15 * 60.0
"""So long the records of a table that no configuration lists wait: its name may be a mistake."""


class Kind(Enum):
    """What a failure concerns, and so what follows when no attempt is left."""

    SOURCE = auto()
    """Every record of the source, which nobody can read now: the lane stops."""
    KEY = auto()
    """Every record of the source: the lane stops, because dead letters would all be replayed with the next key."""
    CACHE = auto()
    """Every change with keys in the user's cache: the lane stops."""
    STORE = auto()
    """Every change: nothing can be read or settled now, and the lane stops."""
    TABLE = auto()
    """Every record of the table: they wait with it, because a migration or a grant may come behind the trigger."""
    RECORD = auto()
    """This record alone: it is a dead letter."""

    @property
    def stops_lane(self) -> bool:
        """Whether nothing can be done for any record of the lane now."""
        return self in (Kind.SOURCE, Kind.KEY, Kind.CACHE, Kind.STORE)


class Rule(msgspec.Struct, frozen=True):
    """One line of the table."""

    kind: Kind
    again: bool
    """Whether trying again may help."""


RULES: Mapping[type[BaseException], Rule] = {
    SourceUnavailable: Rule(Kind.SOURCE, again=True),
    SourceRefused: Rule(Kind.KEY, again=False),
    CacheUnavailable: Rule(Kind.CACHE, again=True),
    TableUnreadable: Rule(Kind.TABLE, again=False),
    RecordImpossible: Rule(Kind.RECORD, again=False),
    HandlerGaveUp: Rule(Kind.RECORD, again=False),
    StoreUnavailable: Rule(Kind.STORE, again=True),
    StoreError: Rule(Kind.RECORD, again=False),
    Exception: Rule(Kind.RECORD, again=True),
    BaseException: Rule(Kind.RECORD, again=False),  # who cancels a worker wants it to end
}
"""Of an error's classes the nearest one counts."""


class Fate(Enum):
    """What becomes of an event whose attempt failed."""

    AGAIN = auto()
    """It is tried again, after ``retry_seconds``."""
    LANE_STOPS = auto()
    """It stays open, and its lane stops until its source, the cache or the store answers."""
    TABLE_WAITS = auto()
    """It stays open, and waits with its table."""
    DEAD = auto()
    """It is a dead letter."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the failure."""

    tries_left: bool = False
    """Whether the change has attempts left."""
    strikes: int = 0
    """How often the record has stopped its lane while others came through."""
    listed: bool = False
    """Whether a configuration lists its table."""
    table_waits: bool = False
    """Whether its table is among those that wait: not so many may that nobody lists."""
    waited_seconds: float = 0.0
    """How long record and table have both waited."""


def rule_of(error: BaseException) -> Rule:
    """Give the line of the table for a failure."""
    return next(RULES[class_] for class_ in type(error).__mro__ if class_ in RULES)


def fate_of(error: BaseException, case: Case) -> Fate:
    """Say what becomes of an event after this failure."""
    rule = rule_of(error)
    # A worker that waits for long is missing to all others, and every other record would only be refused as well.
    if rule.again and case.tries_left and asked_seconds(error) <= HELD_SECONDS_MAX:
        return Fate.AGAIN
    if rule.kind.stops_lane:
        return Fate.DEAD if case.strikes >= STRIKES_MAX else Fate.LANE_STOPS
    # A listed table is meant; a name that nobody lists may be a mistake, or a stranger's invention.
    if rule.kind is Kind.TABLE and (case.listed or (case.table_waits and case.waited_seconds < UNLISTED_SECONDS)):
        return Fate.TABLE_WAITS
    return Fate.DEAD


def retry_seconds(failed: int, error: BaseException, *, delay: float, multiplier: float) -> float:
    """Give the wait after the attempt number ``failed`` (from 1), at least what the source asked for.

    The guide's times are at once, after 2 s, after 4 s: ``delay * multiplier ** (failed - 1)``.
    """
    return float(max(delay * multiplier ** (failed - 1), asked_seconds(error)))
