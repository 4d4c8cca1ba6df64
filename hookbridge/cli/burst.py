"""Many webhooks: so many under way at a time, at the rate that was asked for, and what became of them.

Invariant: whatever ends it, what was answered until then is counted and said, with the rate that was really reached.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from hookbridge.cli.command import print_json, say

if TYPE_CHECKING:
    from hookbridge.cli.api import Api

UNDER_WAY = 16
"""A sender that waits for each answer measures the disk's way to and fro, and no service."""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    body: bytes
    headers: dict[str, str]


class Answer(msgspec.Struct, frozen=True):
    """What it was answered."""

    status: int
    seconds: float
    taken: bool


def send(api: Api, path: str, posts: Iterator[Post], rate: float | None, *, as_json: bool) -> bool:
    """Send them all; gives whether each was taken.  Raises NotRunning or Refused, after saying what was sent."""
    began = time.monotonic()
    senders = _Senders(api, path, posts, rate)
    try:
        senders.run()
    finally:
        _tell(senders.answers, time.monotonic() - began, rate, as_json=as_json)
    return all(answer.taken for answer in senders.answers)


class _Senders:
    """Threads that each take the next request, send it and note its answer, until there is none or one fails.

    Who interrupts the command interrupts the thread that waits for them, and so none that a request is sent from:
    ``ThreadPoolExecutor`` begins threads while it is handed work, and one that is interrupted there is waited for by
    nobody.
    """

    def __init__(self, api: Api, path: str, posts: Iterator[Post], rate: float | None) -> None:
        self.answers: list[Answer] = []
        self._api = api
        self._path = path
        self._posts = enumerate(posts)
        self._rate = rate
        self._began = time.monotonic()
        self._turn = threading.Lock()  # whose is the next one
        self._stop = threading.Event()
        self._failure: Exception | None = None

    def run(self) -> None:
        """Send; return, or raise, when nothing is under way any more."""
        threads = [threading.Thread(target=self._work, name=f"sender-{number}") for number in range(UNDER_WAY)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._stop.set()
            for thread in threads:
                if thread.is_alive():  # one that has not quite begun finds that there is nothing to do
                    thread.join()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while (post := self._next()) is not None:
                sent = time.monotonic()
                answer = self._api.deliver(self._path, post.body, post.headers)
                self.answers.append(Answer(answer.status_code, time.monotonic() - sent, answer.is_success))
        except Exception as error:  # noqa: BLE001  raised again by who waits
            self._failure = error
            self._stop.set()

    def _next(self) -> Post | None:
        """Give the next request at its time; None where nothing is to be sent any more."""
        with self._turn:
            if self._stop.is_set() or (numbered := next(self._posts, None)) is None:
                return None
            number, post = numbered
            early = 0.0 if self._rate is None else self._began + number / self._rate - time.monotonic()
            return None if self._stop.wait(max(0.0, early)) else post


def _tell(answers: list[Answer], took: float, rate: float | None, *, as_json: bool) -> None:
    statuses = {str(status): count for status, count in sorted(Counter(answer.status for answer in answers).items())}
    reached = len(answers) / max(took, 0.001)
    summary: dict[str, Any] = {
        "sent": len(answers),
        "statuses": statuses,
        "took_seconds": round(took, 3),
        "per_second": round(reached, 1),
    }
    if answers:
        summary["median_answer_seconds"] = round(median(answer.seconds for answer in answers), 5)
        summary["slowest_answer_seconds"] = round(max(answer.seconds for answer in answers), 5)
    if as_json:
        print_json(summary)
        return
    of_rate = "" if rate is None else f" of {rate:g}"
    answered = ", ".join(f"{count} × {status}" for status, count in statuses.items()) or "nothing was answered"
    say(f"{len(answers)} sent in {took:.1f} s, {reached:.0f}{of_rate} a second: {answered}")
    if answers:
        middle, slowest = (1000 * summary[f"{which}_answer_seconds"] for which in ("median", "slowest"))
        say(f"answers took {middle:.2f} ms (median), {slowest:.2f} ms (slowest)")
