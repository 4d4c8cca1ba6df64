"""Where the polls and sweeps of a table stand, durably: one note each.

Invariant: nothing that was loaded lies ahead.  What a run wrote whose clock was ahead is not known any longer: a pass
that began then begins anew, and a watermark from there begins at the beginning.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from hookbridge.clock import happened
from hookbridge.sources.times import instant_in

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class PollState(msgspec.Struct, frozen=True, kw_only=True):
    """Of the polls of one table."""

    watermark: str | None = None
    """The latest time of change that a complete pass has seen, as the source writes it."""
    cursor: str | None = None
    """Where the pass under way goes on."""
    reached: str | None = None
    """The latest time of change that the pass under way has seen."""
    completed_at: float | None = None
    """When the last complete pass began: what changed before it has been found."""
    began_at: float | None = None

    def known_at(self, now: float, overlap_seconds: float) -> PollState:
        """Give what of it is known at ``now``, in epoch seconds, where nothing can lie ahead.

        But a watermark may, by the overlap: polls look that far before it.
        """
        watermark, reached = (
            None if (when := instant_in(text)) is not None and when.timestamp() > now + overlap_seconds else text
            for text in (self.watermark, self.reached)
        )
        began_at = happened(self.began_at, now)
        known = PollState(watermark=watermark, completed_at=happened(self.completed_at, now))
        if (watermark, reached, began_at) != (self.watermark, self.reached, self.began_at):
            return known  # the pass under way begins anew
        return msgspec.structs.replace(known, cursor=self.cursor, reached=reached, began_at=began_at)


class SweepState(msgspec.Struct, frozen=True, kw_only=True):
    """Of the sweeps of one table."""

    sweep: int | None = None
    """The one under way, by the ticket with which it began."""
    cursor: str | None = None
    began_at: float | None = None
    listed: int = 0
    """Records that the sweep under way, or the last one, has listed."""
    total: int | None = None
    """How many the source said that there are, when it began."""
    unnamed: int = 0
    """Records that it showed without a key that can be read: whatever it did not show may be one of them."""
    listing_complete: bool = False
    newest: str | None = None
    """The table's latest time of change when the sweep began."""
    completed_at: float | None = None
    """When the last complete sweep began."""
    loaded: bool = False
    """Whether a sweep was ever complete: before, what is missing is loaded and not raised as events."""
    vanished: int = 0
    """Deletions that wait for an operator: too many at once."""
    confirmed: bool = False
    """Whether an operator, or the source itself, has said that what vanished is really gone."""
    answered: int = 0
    """The number of the last sweep that was asked for and done."""

    def known_at(self, now: float, overlap_seconds: float) -> SweepState:  # noqa: ARG002  as of polls
        """Give what of it is known where nothing can lie ahead."""
        began_at = happened(self.began_at, now)
        known = msgspec.structs.replace(self, began_at=began_at, completed_at=happened(self.completed_at, now))
        return known if began_at == self.began_at else msgspec.structs.replace(known, sweep=None, cursor=None)


State = TypeVar("State", PollState, SweepState)


def later(one: str | None, other: str | None) -> str | None:
    """Give the later of two times of change, as it is written; the first where none is.  What is no time is none."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda text: instant_in(text) or _BEFORE_ALL)


def encoded(state: PollState | SweepState) -> str:
    """Give a state as the text of its note."""
    return msgspec.json.encode(state).decode()
