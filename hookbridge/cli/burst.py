"""Many webhooks: so many under way at a time, at the rate that was asked for, and what became of them.

Invariant: whatever ends it, what was answered until then is counted and said, with the rate that was really reached.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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
    answers: list[Answer] = []
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="sender") as pool:
            _send(pool, api, path, posts, rate, answers)
    finally:
        _tell(answers, time.monotonic() - began, rate, as_json=as_json)
    return all(answer.taken for answer in answers)


def _send(
    pool: ThreadPoolExecutor, api: Api, path: str, posts: Iterator[Post], rate: float | None, answers: list[Answer]
) -> None:
    began = time.monotonic()
    waiting: set[Future[None]] = set()

    def deliver(post: Post) -> None:
        sent = time.monotonic()
        answer = api.deliver(path, post.body, post.headers)
        answers.append(Answer(answer.status_code, time.monotonic() - sent, answer.is_success))

    for number, post in enumerate(posts):
        if rate is not None:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        while len(waiting) >= UNDER_WAY:
            waiting = _without_done(waiting)
        waiting.add(pool.submit(deliver, post))
    while waiting:
        waiting = _without_done(waiting)


def _without_done(waiting: set[Future[None]]) -> set[Future[None]]:
    """Wait for one of them; raises what it raised."""
    done, left = wait(waiting, return_when=FIRST_COMPLETED)
    for one in done:
        one.result()
    return left


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
