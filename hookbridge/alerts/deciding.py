"""What people are told, and when: pure, on what was seen and what they were told before.

Invariants: a service that flaps tells of trouble at most once in a gap, with one more word when that gets worse and
one when it is over; what people are told follows what they were told before, so that no trouble is told of twice and
none is over that was not told of.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from hookbridge.api.alerts import AlertMessage, AlertType
from hookbridge.api.health import Problem
from hookbridge.clock import happened
from hookbridge.config import AlertsConfig
from hookbridge.sources.statuses import RETRY_AFTER_SECONDS_MAX

STEP_SECONDS_MAX = 30.0
"""What lies between two looks counts for no more: a machine that slept was not ill meanwhile."""

LOOKED_SECONDS = 60.0
"""What was seen is good for so long: a node that does not come to look again knows nothing."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What people were told, or are to be told, as it is kept; times are epoch seconds of the service."""

    since: float | None = None
    """Since when it is not healthy; None: it is."""
    bad: tuple[str, ...] = ()
    """The kinds of bad problems that they were told of since then."""
    what: str = ""
    """What they were told first."""
    told_at: float | None = None
    """When they were told of trouble last."""
    waiting: AlertMessage | None = None
    """What was not taken yet."""
    id: str = ""
    """Of that, the same whenever it is sent again."""
    failures: int = 0
    reason: str = ""
    next_try_at: float | None = None
    sent: int = 0
    sent_at: float | None = None

    def taken(self, now: float) -> Told:
        """Give what is known once the alert that waits was taken."""
        now_sent = replace(self, waiting=None, id="", failures=0, reason="", next_try_at=None)
        return replace(now_sent, sent=self.sent + 1, sent_at=now)

    def failed(self, reason: str, next_try_at: float) -> Told:
        """Give what is known when it was not."""
        return replace(self, failures=self.failures + 1, reason=reason, next_try_at=next_try_at)


class Watch:
    """What was seen since one node began to look."""

    def __init__(self, hold_seconds: float) -> None:
        self._hold_seconds = hold_seconds
        self._at: float | None = None
        self.problems: Sequence[Problem] = ()
        self.began_at: float | None = None
        """When trouble was seen first that is not over yet."""
        self._ill_seconds = 0.0
        self.well_since: float | None = None
        """Since when nothing is wrong; None while something is."""
        self._bad_since: dict[str, float] = {}

    def look(self, problems: Sequence[Problem], now: float) -> None:
        """Take note of what is wrong now."""
        if self.problems and problems and self._at is not None:
            self._ill_seconds += min(max(now - self._at, 0.0), STEP_SECONDS_MAX)
        self._at, self.problems = now, problems
        self._bad_since = {one.kind: self._bad_since.get(one.kind, now) for one in problems if one.level == "bad"}
        if problems:
            self.well_since = None
            self.began_at = now if self.began_at is None else self.began_at
            return
        self.well_since = now if self.well_since is None else self.well_since
        if self.is_well:
            self.began_at, self._ill_seconds = None, 0.0

    def has_looked(self, now: float) -> bool:
        """Whether what was seen is not long ago."""
        return self._at is not None and now - self._at <= LOOKED_SECONDS

    @property
    def is_ill(self) -> bool:
        """Whether there is trouble, and was for so long in all, never over for as long in between."""
        return bool(self.problems) and self._ill_seconds >= self._hold_seconds

    @property
    def is_well(self) -> bool:
        """Whether nothing was wrong for so long."""
        return self._lasts(self.well_since)

    @property
    def bad(self) -> frozenset[str]:
        """The kinds of bad problems that have lasted."""
        return frozenset(kind for kind, since in self._bad_since.items() if self._lasts(since))

    def _lasts(self, since: float | None) -> bool:
        return since is not None and self._at is not None and self._at - since >= self._hold_seconds


def decide(told: Told, watch: Watch, rules: AlertsConfig, now: float) -> AlertType | None:
    """Say of what people are to be told now; None for nothing."""
    after_a_gap = told.told_at is None or now - told.told_at >= rules.gap_seconds
    if told.since is None:
        return "unhealthy" if watch.is_ill and after_a_gap else None
    if watch.is_well:
        return "healthy"
    # Trouble that got bad is told at once, and only once; more of it with a gap.
    if not watch.bad <= set(told.bad) and (after_a_gap or not told.bad):
        return "worse"
    is_due = told.told_at is not None and 0.0 < rules.remind_seconds <= now - told.told_at
    return "reminder" if is_due and watch.problems else None


def is_healthy(told: Told, watch: Watch, now: float) -> bool:
    """Whether a beat may say so: nothing is wrong, as was seen just now, and people were told of nothing that is.

    Trouble that has not lasted yet counts: a service that is restarted before it has would beat for ever.
    """
    return told.since is None and not watch.problems and watch.has_looked(now)


def decided(told: Told, what: AlertMessage, id_: str, watch: Watch, now: float) -> Told:
    """Give what people are told with this message, which takes the place of one that still waits."""
    after = replace(told, waiting=what, id=id_, failures=0, reason="", next_try_at=None)
    if what.type == "healthy":
        return replace(after, since=None, bad=(), what="")
    bad = tuple(sorted({*told.bad, *(one.kind for one in watch.problems if one.level == "bad")}))
    if told.since is not None:
        return replace(after, bad=bad, told_at=now)
    return replace(after, since=watch.began_at, bad=bad, what=watch.problems[0].text, told_at=now)


_decode = msgspec.json.Decoder(Told).decode
_encode = msgspec.json.Encoder().encode


def read(text: str | None, now: float) -> Told:
    """Read what was kept; before anything was, people believe that it is healthy.

    No time is ahead of now, when it was kept while the clock was, or people would hear nothing until then.
    """
    told = Told() if text is None else _decode(text)
    return replace(
        told,
        since=_at_most(told.since, now),
        told_at=_at_most(told.told_at, now),
        next_try_at=_at_most(told.next_try_at, now + RETRY_AFTER_SECONDS_MAX),
        sent_at=happened(told.sent_at, now),
    )


def _at_most(at: float | None, latest: float) -> float | None:
    return None if at is None else min(at, latest)


def written(told: Told) -> str:
    """Write it as it is kept."""
    return _encode(told).decode()
