"""Which part of a message is sent by itself, because the whole was not taken, and which record is at fault.

A message that it refuses for what is in it, or answers with 5xx for a quarter of an hour, is cut in halves, down to the
record.  A record that is refused alone is suspected, and what comes behind it is tried: the destination may have begun
to refuse everything.  Only when it has taken a neighbour since, and nothing spoke of the destination itself meanwhile,
is the record at fault.

Invariant: what is sent lies behind what was taken or rejected, and behind ``SUSPECTS_MAX`` suspects at most.  It knows
no clock and no store; after a restart the whole message is sent again.
"""

from __future__ import annotations

from typing import Literal

from hookbridge import feed
from hookbridge.destinations.message import END, Message
from hookbridge.destinations.sender import Undelivered
from hookbridge.store.values import Rejected

SERVER_ERROR_SECONDS = 900.0
"""So long a message is answered with 5xx, and with nothing else, before it is cut."""

SUSPECTS_MAX = 3
"""So many records are refused alone, one behind the other, and one more: then it is not they that are at fault."""

ALONE = "nothing is rejected before it takes another change"

Step = Literal["wait", "otherwise", "reject"]
"""What follows: the destination is left alone for a while; it is sent something else; what it refused is rejected."""


class Cutting:
    """What is known of the next changes of one destination."""

    def __init__(self) -> None:
        self.suspects: list[Rejected] = []
        """Refused alone, in their order, each record once."""
        self.has_begun = False
        """Whether it has taken that a snapshot begins, alone."""
        self._bounds: list[int] = []
        """Up to which places the parts reach, the next one last; empty while nothing is cut."""
        self._behind: feed.Place | None = None
        """Where a suspect's neighbour is looked for."""
        self._neighbour_taken = False
        self._since: dict[str, float] = {}
        """Since when messages are answered with 5xx, by their ids."""
        self._lasts = False
        """Whether that lasts: parts of a message that was cut for it are cut at once."""

    @property
    def until(self) -> int:
        """Up to which place the next message goes."""
        if self.suspects:
            return END - 1  # that a snapshot ends is said when everything before it was taken or rejected
        return self._bounds[-1] if self._bounds else END

    def place(self, kept: feed.Place) -> feed.Place:
        """Give the place behind which the next message begins."""
        return self._behind or kept

    def look_behind(self, place: feed.Place) -> None:
        """Look for a neighbour of the suspects behind this place."""
        self._behind = place

    def start_over(self) -> None:
        """Begin with the first suspect again, when the destination was left alone for a while."""
        self.suspects.clear()
        self._behind = None
        self._neighbour_taken = False

    def refused(self, what: Message, error: Undelivered, now: float) -> Step:
        """Say what follows when it did not take a message."""
        if error.about == "destination" or (error.about == "server" and not self._has_lasted(what, now)):
            if error.about == "destination":
                self._since.clear()
            self.start_over()
            return "wait"
        places = what.places
        if len(places) > 1:
            self._bound(places[-1])
            self._bounds.append(places[len(places) // 2 - 1])
            return "otherwise"
        if not what.told:
            return "wait"  # that a snapshot begins, or has ended, is nobody's fault
        ((seq, record),) = what.told
        self._bound(seq)
        suspect = Rejected(record=record, seq=seq, reason=error.message)
        # Of a record that has changed since it was refused only the last state is left.
        self.suspects = [*(one for one in self.suspects if one.record != record), suspect]
        if self._neighbour_taken:
            return "reject"
        if len(self.suspects) > SUSPECTS_MAX:
            self.start_over()
            return "wait"
        self._behind = what.next
        return "otherwise"

    def passed(self, place: feed.Place, *, taken: bool = False, begins: bool = False) -> None:
        """Take note that nothing up to a place is left; ``taken``, because it took changes just now."""
        self.suspects.clear()
        self._behind = None
        self.has_begun = place.seq == 0 and (begins or self.has_begun)
        self._neighbour_taken |= taken
        reached = END if place.began_at is None and self._bounds[:1] == [END] else place.seq
        while self._bounds and self._bounds[-1] <= reached:
            self._bounds.pop()
        if not self._bounds:
            self._neighbour_taken = self._lasts = False
            self._since.clear()

    def _bound(self, place: int) -> None:
        if not self._bounds or self._bounds[-1] > place:
            self._bounds.append(place)

    def _has_lasted(self, what: Message, now: float) -> bool:
        since = self._since.setdefault(what.id, now)
        if self._lasts and len(what.places) > 1:
            return True
        lasts = now - since >= SERVER_ERROR_SECONDS
        self._lasts |= lasts
        return lasts
