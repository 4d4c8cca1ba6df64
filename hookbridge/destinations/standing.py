"""How a destination stands, as it is kept: its place, and what became of the last attempt.

Invariant: it is written by the one node that has the duty, with its lead, and read by all.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from hookbridge import feed
from hookbridge.api.destinations import DestinationState, State
from hookbridge.clock import epoch_time
from hookbridge.store.values import FeedEnds, Rejected, Rejection


class Dismissal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an operator gave up of that which a destination rejected."""

    number: int = 0
    """That of the word."""
    seqs: tuple[int, ...] = ()
    """These."""
    to: int = 0
    """And everything up to this ``seq``: what is rejected afterwards stands behind it."""


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What operators have said of a destination, the last word of each kind."""

    number: int = 0
    """Larger with each word."""
    paused: bool = False
    rewound: int = 0
    """The number of the last word that gave it a place."""
    place: str = ""
    at: float = 0.0
    """When it gave that."""
    replayed: int = 0
    """The number of the last word that wants what was rejected sent again."""
    dismissals: tuple[Dismissal, ...] = ()
    """All that have not been done yet, at least: each is a word."""

    def since(self, heard: int) -> Word:
        """Leave the dismissals out that are done, because this word was heard."""
        return replace(self, dismissals=tuple(one for one in self.dismissals if one.number > heard))

    def dismissed(self, kept: Iterable[Rejection]) -> list[Rejection]:
        """Give those of what was rejected that the dismissals mean."""
        seqs = {seq for one in self.dismissals for seq in one.seqs}
        to = max((one.to for one in self.dismissals), default=0)
        return [one for one in kept if one.seq <= to or one.seq in seqs]

    def and_then(
        self,
        now: float,
        *,
        paused: bool | None = None,
        place: feed.Place | None = None,
        replay: bool = False,
        dismissal: Dismissal | None = None,
    ) -> Word:
        """Give what was said when one of these is said as well."""
        number = self.number + 1
        after = replace(
            self,
            number=number,
            paused=self.paused if paused is None else paused,
            replayed=number if replay else self.replayed,
            dismissals=(*self.dismissals, *([replace(dismissal, number=number)] if dismissal else [])),
        )
        return after if place is None else replace(after, rewound=number, place=str(place), at=now)


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one destination; times are epoch seconds of the store."""

    place: str = ""
    """``feed.Place``, up to which it has taken everything; empty before it has one."""
    series: str = ""
    """Another one with each place that it was given anew: what is sent twice on purpose is no repetition."""
    begun_at: float | None = None
    """When it was given a place that did not follow from the one before."""
    anew: str = ""
    """Why everything is told to it anew, until that was done; empty where it is not, or an operator wanted it."""
    state: State = "running"
    reason: str = ""
    since: float | None = None
    failures: int = 0
    next_try_at: float | None = None
    rejected_in_a_row: int = 0
    replay: int = 0
    """The number of the word that wants what was rejected sent again; 0 where that is done."""
    replayed_to: int | None = None
    """The ``seq`` of what was sent again last; they are from the newest one on."""
    heard: int = 0
    """The number of the last word of operators that it was done as."""
    delivered: int = 0
    delivered_at: float | None = None

    def begun(self, place: feed.Place, now: float, *, anew: str = "") -> Standing:
        """Give it a place that does not follow from the one before; ``anew`` says why, where nobody wanted that."""
        return replace(self, place=str(place), series=uuid.uuid4().hex, begun_at=now, anew=anew)

    def obeying(self, word: Word) -> Standing:
        """Give how it stands when operators have said this: it is tried at once, from where they say.

        A dismissal says nothing of the destination, so it lets one go on only that had no room for more.
        """
        if word.number <= self.heard:  # of two notes that are read one was written meanwhile
            return self
        place = feed.Place.parse(word.place) if word.rewound > self.heard else None
        after = self if place is None else self.begun(place, word.at)
        if word.replayed > self.heard:
            after = replace(after, replay=word.replayed, replayed_to=None)
        dismissals_alone = len(word.since(self.heard).dismissals) == word.number - self.heard
        if dismissals_alone and not (self.state == "stopped" and self.reason == FULL):
            return replace(after, heard=word.number)
        return replace(after.going(), heard=word.number, rejected_in_a_row=0)

    def going(self) -> Standing:
        """Take note that nothing is wrong with it."""
        return replace(self, state="running", reason="", since=None, failures=0, next_try_at=None)

    def passed(self, place: feed.Place) -> Standing:
        """Take note that nothing is left to be told up to a place."""
        return replace(self, place=str(place), anew="" if place.began_at is None else self.anew)

    def taken(self, number: int, now: float) -> Standing:
        """Take note that it has so many more changes; one that has stopped stays so."""
        after = replace(self, delivered=self.delivered + number, delivered_at=now)
        if self.state == "stopped":
            return after
        return replace(after.going(), rejected_in_a_row=0 if number else self.rejected_in_a_row)

    def failed(self, state: State, reason: str, now: float, wait_seconds: float | None) -> Standing:
        """Take note that it did not take what comes next, and is tried again in so many seconds, or not."""
        return replace(
            self,
            state=state,
            reason=reason,
            since=now if self.since is None else self.since,
            failures=self.failures + 1,
            next_try_at=None if wait_seconds is None else now + wait_seconds,
        )

    def rejecting(self, rejected: Sequence[Rejected], now: float) -> Standing:
        """Take note that it does not take these, though it takes others; after so many in a row it stops."""
        if not rejected:
            return self
        number = self.rejected_in_a_row + len(rejected)
        after = replace(self.going(), rejected_in_a_row=number)
        if number < IN_A_ROW_MAX:
            return after
        last = rejected[-1]
        why = f"it has rejected {number} changes in a row, the last one of {last.record}: {last.reason}"
        return after.stopped(why, now)

    def replayed(self, to: int | None) -> Standing:
        """Take note that what was rejected was sent again, down to this ``seq``; None ends that."""
        return replace(self, replay=0 if to is None else self.replay, replayed_to=to)

    def stopped(self, reason: str, now: float) -> Standing:
        """Take note that it is sent nothing more until an operator says so."""
        return self.failed("stopped", reason, now, None)

    def shown(
        self,
        name: str,
        url: str,
        ends: FeedEnds,
        now: float,
        *,
        waiting_since: float | None,
        paused: bool,
        rejected: int,
    ) -> DestinationState:
        """Give it as operators see it, where the oldest change that it has not taken was read then."""
        place = feed.Place.parse(self.place) if self.place else None
        of_this_feed = place is not None and place.feed == ends.id
        behind = max(ends.newest - place.seq, 0) if place is not None and of_this_feed else None
        why = self.anew or (None if place is None else feed.why_gone(place, ends))
        is_behind = why is not None and self.state == "running" and not paused
        reasons = (PAUSED if paused else self.reason, f"{why}; {TOLD_ANEW}" if why else "")
        return DestinationState(
            name=name,
            url=url,
            state="paused" if paused else "behind" if is_behind else self.state,
            reason="; ".join(filter(None, reasons)) or None,
            since=epoch_time(self.begun_at if is_behind and self.anew else self.since),
            failures=self.failures,
            next_try_at=None if paused else epoch_time(self.next_try_at),
            snapshot=place is not None and place.began_at is not None,
            seq=None if place is None else place.seq,
            changes_behind=behind,
            behind_seconds=0.0 if waiting_since is None else round(max(now - waiting_since, 0.0), 3),
            delivered=self.delivered,
            delivered_at=epoch_time(self.delivered_at),
            rejected=rejected,
            replaying=self.replay > 0,
        )


PAUSED = "paused by an operator"
TOLD_ANEW = "so it is told everything anew"

IN_A_ROW_MAX = 3
"""When so many changes are rejected, none taken between them, a destination stops: it may be another one by now."""

REJECTED_MAX = 10_000
"""So many rejected changes of a destination are kept."""
FULL = f"{REJECTED_MAX:,} changes that it rejected are kept, and no more are"

_decode = msgspec.json.Decoder(Standing).decode
_decode_word = msgspec.json.Decoder(Word).decode
_encode = msgspec.json.Encoder().encode


def read(text: str | None) -> Standing:
    """Read what was kept; the beginning where nothing was."""
    return Standing() if text is None else _decode(text)


def read_word(text: str | None) -> Word:
    """Read what operators have said."""
    return Word() if text is None else _decode_word(text)


def written(standing: Standing | Word) -> str:
    """Write it as it is kept."""
    return _encode(standing).decode()
