"""How taking from the outbox goes: the gaps between two looks, what is told of it, and what is kept of it."""

from __future__ import annotations

import msgspec
import structlog

from hookbridge.api.pull import PullState, State, Way
from hookbridge.clock import Clock, epoch_time
from hookbridge.errors import HookbridgeError, PullRefused, SourceError, asked_seconds, hint_of
from hookbridge.sources.supabase.pull import Taken

GROWTH = 1.5
FIRST_WAIT_SECONDS = 1.0
REFUSED_SECONDS_MAX = 5.0
"""What somebody mends in the database is seen at once, and a look costs one small request."""

LOOK = "look in Supabase's dashboard whether the project is well"
"""What is to be done of a source that is down, where its error does not know."""

OVERFLOW_SECONDS = 60.0
"""So seldom sweeps are asked for while an outbox stays full: each look finds that more was not kept."""

_log = structlog.get_logger(__name__)


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What outlives the process."""

    store: str = ""
    """For which store it was taken last; empty since the outbox was another one's."""
    overflowed: int = 0
    """Up to which loss of the outbox sweeps were asked for."""


class Standing:
    """Of the one outbox there is."""

    def __init__(
        self, tables: tuple[str, ...], way: Way, gaps: tuple[float, float], wait_seconds_max: float, clock: Clock
    ) -> None:
        """``gaps`` between two looks, in seconds: while changes come, and up to which it grows while none do."""
        self._tables, self._way = tables, way
        self._least, self._longest = gaps[0], max(gaps)
        self._wait_max = wait_seconds_max
        self._clock = clock
        self._state: State = "running"
        self._error: HookbridgeError | None = None
        self._since: float | None = None
        self._next_try_at: float | None = None
        self._failures = 0
        self._gap = self._least
        self._last: Taken | None = None
        self._answered_at: float | None = None
        self._taken_at: float | None = None
        self._asked_at: float | None = None
        self.taken = 0
        self.refused = 0

    def answered(self, taken: Taken) -> None:
        """Take note of an answer."""
        self._last, self._answered_at = taken, self._clock()

    def took(self, messages: int) -> None:
        """Take note that so many are stored, and gone there."""
        self.taken += messages
        self._taken_at = self._clock()

    def went_on(self) -> float:
        """Take note that what was given last is stored; gives the seconds until the next look."""
        if self._state != "running":
            _log.info("Changes are taken from Supabase again")
        self._state, self._error, self._since, self._next_try_at, self._failures = "running", None, None, None, 0
        last = self._last
        if last is None or not last.messages:
            self._gap = min(self._gap * GROWTH, self._longest)
            return self._gap
        self._gap = self._least
        return 0.0 if last.more else self._gap

    def failed(self, state: State, error: HookbridgeError, wait_seconds: float | None = None) -> float:
        """Take note of what went wrong; gives the seconds until it is tried again, at least as long as was asked for.

        Without ``wait_seconds`` they grow from one failure to the next.
        """
        self._failures += 1
        if wait_seconds is None:
            most = min(REFUSED_SECONDS_MAX, self._wait_max) if isinstance(error, PullRefused) else self._wait_max
            wait_seconds = max(min(FIRST_WAIT_SECONDS * 2 ** min(self._failures - 1, 20), most), asked_seconds(error))
        tell = _log.debug if self._state == state else _log.warning
        tell("Changes are not taken from Supabase", state=state, error=error.message, hint=_hint(error))
        now = self._clock()
        self._since = now if self._state == "running" else self._since
        self._state, self._error, self._next_try_at = state, error, now + wait_seconds
        return wait_seconds

    def may_ask_for_sweeps(self) -> bool:
        """Whether sweeps for what was not kept may be asked for again."""
        return self._asked_at is None or self._clock() >= self._asked_at + OVERFLOW_SECONDS

    def asked_for_sweeps(self) -> None:
        """Take note that they are asked for."""
        self._asked_at = self._clock()

    def shown(self) -> PullState:
        """Give it as operators see it."""
        last, error = self._last, self._error
        return PullState(
            tables=self._tables,
            way=self._way,
            state=self._state,
            reason=None if error is None else error.message,
            hint=_hint(error),
            since=epoch_time(self._since),
            next_try_at=epoch_time(self._next_try_at),
            waiting=None if last is None else last.waiting,
            oldest_seconds=None if last is None else last.oldest_seconds,
            answered_at=epoch_time(self._answered_at),
            taken_at=epoch_time(self._taken_at),
            taken=self.taken,
            refused=self.refused,
            overflowed=0 if last is None else last.overflowed,
        )


def _hint(error: HookbridgeError | None) -> str:
    """Give what is to be done about it."""
    hint = hint_of(error)
    return LOOK if not hint and isinstance(error, SourceError) else hint
