"""Tables that cannot be read although their source answers: when each is asked again, and how long it has waited.

One table is one wait, whatever the number of its records: they are asked for together when it is over, and if that is
in vain the next wait is twice as long.  Bounded: so many tables that nobody lists, because their names are a sender's;
of one that was forgotten the wait begins anew.  Values, without a clock.  What becomes of the records, ``retry`` says.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hookbridge.api.lanes import WaitingTable
from hookbridge.clock import happened, time_of
from hookbridge.errors import hint_of

# After a migration PostgREST's list of tables is old for seconds to minutes, and a grant may come behind the trigger.
FIRST_SECONDS = 2.0
SECONDS_MAX = 60.0
# Each is asked for by itself, and whoever may send can invent names without an end: 5,000 of them kept a healthy table
# waiting for 50 s, for ever.
UNLISTED_MAX = 100
"""So many wait at once, and none any more that nobody lists."""
UNASKED_SECONDS = 300.0
"""So long after it was due a table is remembered for which nobody asks: no record waits for it."""


class Wait(msgspec.Struct, frozen=True):
    """Of one table, in seconds since 1970."""

    reason: str
    hint: str
    since: float
    next_try_at: float

    def failed(self, error: Exception, now: float) -> Wait:
        """Give the wait after the table was asked for in vain.  Records that were asked for together count once."""
        if now < self.next_try_at:
            return self
        # What makes 2, 4, 8 … seconds: as long again as it has waited in all.
        gap = min(now - self.since + FIRST_SECONDS, SECONDS_MAX)
        return Wait(str(error), hint_of(error), since=self.since, next_try_at=now + gap)


class Waits(msgspec.Struct, frozen=True):
    """Those of one source."""

    tables: Mapping[str, Wait] = {}

    def failed(self, table: str, error: Exception, now: float, *, listed: bool) -> Waits:
        """Give them after a table could not be read; unchanged where there is no room for it."""
        asked = self._asked(now)
        wait = asked.get(table)
        if wait is None:
            if not listed and len(asked) >= UNLISTED_MAX:
                return Waits(asked)
            wait = Wait(str(error), hint_of(error), since=now, next_try_at=now + FIRST_SECONDS)
        return Waits({**asked, table: wait.failed(error, now)})

    def read(self, table: str) -> Waits:
        """Give them after a table could be read."""
        return Waits({name: wait for name, wait in self.tables.items() if name != table})

    def waited_seconds(self, table: str, since: float, now: float) -> float:
        """How long a table and a record, dirty since then, have both waited: each record has its own full time."""
        wait = self.tables.get(table)
        # A record that came while the clock was ahead has no time of its own.
        return 0.0 if wait is None else now - max(wait.since, happened(since, now) or 0.0)

    def until(self, table: str, now: float) -> float | None:
        """When a table is asked for again; None where it may be asked for now."""
        wait = self.tables.get(table)
        return wait.next_try_at if wait is not None and wait.next_try_at > now else None

    def state(self, now: float) -> tuple[WaitingTable, ...]:
        """Give them all, by name."""
        return tuple(
            WaitingTable(
                table=name,
                reason=wait.reason,
                hint=wait.hint,
                since=time_of(wait.since),
                next_try_at=time_of(wait.next_try_at),
            )
            for name, wait in sorted(self._asked(now).items())
        )

    def _asked(self, now: float) -> dict[str, Wait]:
        """Leave out what nobody asked for when it was due."""
        return {name: wait for name, wait in self.tables.items() if now <= wait.next_try_at + UNASKED_SECONDS}
