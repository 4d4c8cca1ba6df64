"""Looking again and again: at the pace that was asked for, over restarts of the service, while somebody reads.

It decides nothing about what is seen.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TypeVar

from hookbridge.cli.api import NotRunning, Refused

T = TypeVar("T")


def looks(look: Callable[[], T], every: float, *, away_seconds: float | None = None) -> Iterator[T]:
    """Give what each look sees, the first one at once.

    A service that goes away later is waited for: one that restarts, or is behind a proxy meanwhile.  It is looked for
    each ``away_seconds``; without them as often as otherwise.  Raises BrokenPipeError when nobody reads the output any
    more.
    """
    yield look()
    away = False
    while True:
        wait(every if away_seconds is None or not away else away_seconds)
        try:
            seen = look()
        except (NotRunning, Refused) as error:
            if isinstance(error, Refused) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            if not away:
                print(f"{error.message}; waiting for it", file=sys.stderr)
            away = True
        else:
            if away:
                print("it answers again", file=sys.stderr)
            away = False
            yield seen


def wait(seconds: float) -> None:
    """Wait.  Raises BrokenPipeError as soon as the reader of the output is gone, though nothing is written."""
    try:
        output = sys.stdout.fileno()
    except OSError:  # a stream that is no file
        time.sleep(seconds)
        return
    poller = select.poll()
    poller.register(output, 0)  # only what is always told: an error, or the other end's hanging up
    if poller.poll(seconds * 1000):
        raise BrokenPipeError
