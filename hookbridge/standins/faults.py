"""The switches that make a stand-in misbehave as real services do.

A fault applies to the next `times` requests (or until cleared) whose path and query satisfy `path`.  The oldest fault
that matches a request takes it; a request meets one fault at most.  Whether the service listens at all is not decided
here but in `server.py` (`down()`), because it concerns connections, not requests.
"""

import asyncio
import http
from collections.abc import Callable
from enum import Enum

from hookbridge.standins.wire import HTML_ERROR, Reply

PathPredicate = Callable[[str], bool]


class Kind(Enum):
    """What happens to a request that meets the fault."""

    REPLY = "reply"
    """It is answered with a given reply, never looked at."""
    SLOW = "slow"
    """It is answered correctly, but late."""
    HANG = "hang"
    """It is not answered until the fault is cleared; then it is answered correctly."""
    RESET = "reset"
    """Its connection is reset (TCP RST) without an answer."""
    CUT = "cut"
    """It gets half of its answer under the `Content-Length` of the whole one; then the connection closes."""


class Fault:
    """One switched-on fault; `hits` counts the requests that met it."""

    def __init__(
        self,
        kind: Kind,
        *,
        times: int | None,
        path: PathPredicate | None,
        reply: Reply | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.kind = kind
        self.reply = reply
        self.seconds = seconds
        self.hits = 0
        self.over = asyncio.Event()
        self._times = times
        self._path = path

    @property
    def active(self) -> bool:
        """Whether it can still meet a request."""
        return not self.over.is_set() and (self._times is None or self.hits < self._times)

    def takes(self, path_qs: str) -> bool:
        """Whether this request meets the fault; if so, it is counted."""
        if not self.active or (self._path is not None and not self._path(path_qs)):
            return False
        self.hits += 1
        return True

    def clear(self) -> None:
        """Switch it off; requests that hang in it are answered now."""
        self.over.set()


class Faults:
    """All switches of one stand-in.

    Every method takes `times` (how many requests it is for; None: until cleared) and `path` (a predicate on path and
    query), and returns the `Fault`, whose `clear()` switches it off.
    """

    def __init__(self, own_error: Callable[[int, str | None], Reply], key_refused: Callable[[], Reply]) -> None:
        self._own_error = own_error
        self._key_refused = key_refused
        self._faults: list[Fault] = []

    def status(
        self,
        status: int,
        *,
        retry_after: str | int | None = None,
        times: int | None = None,
        path: PathPredicate | None = None,
    ) -> Fault:
        """Answer with the error body that this source really sends with this status; 502 has an HTML body on both."""
        text = None if retry_after is None else str(retry_after)
        return self.answer(self._own_error(status, text), times=times, path=path)

    def answer(self, reply: Reply, *, times: int | None = None, path: PathPredicate | None = None) -> Fault:
        """Answer with exactly this reply."""
        return self._add(Fault(Kind.REPLY, times=times, path=path, reply=reply))

    def html(self, *, status: int = 200, times: int | None = None, path: PathPredicate | None = None) -> Fault:
        """Answer with an HTML page; by default with status 200, as captive portals and misrouted proxies do."""
        return self.answer(html_reply(status), times=times, path=path)

    def empty(self, *, status: int = 200, times: int | None = None, path: PathPredicate | None = None) -> Fault:
        """Answer with no body at all, under a JSON content type."""
        reply = Reply(status=status, headers={"Content-Type": "application/json; charset=utf-8"})
        return self.answer(reply, times=times, path=path)

    def refuse_key(self, *, times: int | None = None, path: PathPredicate | None = None) -> Fault:
        """Refuse the key or token, as after a rotation that the client missed."""
        return self.answer(self._key_refused(), times=times, path=path)

    def slow(self, seconds: float, *, times: int | None = None, path: PathPredicate | None = None) -> Fault:
        """Answer correctly after this many seconds."""
        return self._add(Fault(Kind.SLOW, times=times, path=path, seconds=seconds))

    def hang(self, *, times: int | None = None, path: PathPredicate | None = None) -> Fault:
        """Do not answer until the fault is cleared."""
        return self._add(Fault(Kind.HANG, times=times, path=path))

    def reset(self, *, times: int | None = None, path: PathPredicate | None = None) -> Fault:
        """Reset the connection instead of answering."""
        return self._add(Fault(Kind.RESET, times=times, path=path))

    def cut(self, *, times: int | None = None, path: PathPredicate | None = None) -> Fault:
        """Send half of the body under the whole `Content-Length`, then close the connection."""
        return self._add(Fault(Kind.CUT, times=times, path=path))

    def clear(self) -> None:
        """Switch everything off."""
        for fault in self._faults:
            fault.clear()
        self._faults.clear()

    def meet(self, path_qs: str) -> Fault | None:
        """The fault that takes this request, if any; for the server."""
        for fault in self._faults:
            if fault.takes(path_qs):
                return fault
        return None

    def _add(self, fault: Fault) -> Fault:
        # A hanging fault that met its last request is still in use until it is cleared.
        self._faults = [known for known in self._faults if known.active or known.kind is Kind.HANG]
        self._faults.append(fault)
        return fault


def html_reply(status: int) -> Reply:
    """The HTML page of a proxy for this status."""
    try:
        reason = http.HTTPStatus(status).phrase.encode()
    except ValueError:
        reason = b"Unknown"  # 520 and 529 are in no standard
    body = HTML_ERROR % (status, reason, status, reason)
    return Reply(status=status, body=body, headers={"Content-Type": "text/html"})
