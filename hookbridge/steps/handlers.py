"""``handlers``: the user's own functions, given the change with the record as it is and as it was.

At least once, in registration order, before the settle; a failure is the record's own and is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from hookbridge.api.health import StuckHandler
from hookbridge.config import HandlersConfig
from hookbridge.handlers import Bridge
from hookbridge.model import Change, Effects, Truth, Verification
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.contents import given
from hookbridge.sources.large import aside
from hookbridge.steps.calls import Calls


class Handlers:
    """The step for all sources: calls at once are bounded together."""

    name = "handlers"

    def __init__(self, bridge: Bridge, config: HandlersConfig, *, clock: Callable[[], float] = time.time) -> None:
        self._bridge = bridge
        self._calls = Calls(config, clock)

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Call every handler that matches.  Raises HandlerFailed."""
        calls = [(handler, told) for told in _tellings(change, so_far) for handler in self._bridge.matching(told)]
        previous = None
        if calls and change.copy is not None and change.copy.data is not None:
            previous = await aside(len(change.copy.data), decode_columns, change.copy.data)
        # One after the other: a handler may count on what the one that was registered before it has done.
        for handler, told in calls:
            await self._calls.call(handler, msgspec.structs.replace(told, previous=previous))
        return so_far

    def stuck(self) -> tuple[StuckHandler, ...]:
        """Say which handlers do not end."""
        return self._calls.stuck()

    def stuck_workers(self) -> dict[str, int]:
        """Count the workers that are stuck in each handler."""
        return self._calls.stuck_workers(self._bridge.names())


def _tellings(change: Change, so_far: Effects) -> Iterator[Change]:
    """Give the change as handlers are told of it, first as the absence from the table that its record has left.

    An event may have named another table than the one in which the record lies, or lay.
    """
    truth, record = so_far.truth, change.record
    was = change.copy.record if change.copy is not None and change.copy.data is not None else None
    if truth is not None:
        lies = truth.record if truth.data is not None else was or record
        record = lies if lies.table != record.table else record
        if was is not None and was.table != record.table:
            left = Truth(record=was, data=None, ticket=truth.ticket)
            yield msgspec.structs.replace(
                change, record=was, truth=left, verification=Verification.ABSENT, columns=None
            )
    yield msgspec.structs.replace(
        change,
        record=record,
        truth=truth,
        verification=so_far.verification,
        columns=so_far.columns,
        content=given(None if truth is None else truth.content),
    )
