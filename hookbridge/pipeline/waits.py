"""Tables that cannot be read although their source answers: when each is asked again, and which record waits no longer.

After a migration PostgREST's list of tables is old for seconds to minutes, and a grant may come later than the trigger.
One table is one wait, whatever the number of its records: they are asked for together when it is over, and if that is
in vain the next wait is twice as long.  Bounded: so many tables that nobody lists, because their names are a sender's;
of one that was forgotten the wait begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
import structlog

from hookbridge.clock import happened, time_of
from hookbridge.errors import TableUnreadable
from hookbridge.model import Claim, SourceName

FIRST_SECONDS = 2.0
SECONDS_MAX = 60.0
UNLISTED_SECONDS = 15 * 60.0
"""So long the records of a table that no configuration lists wait: its name may be a mistake."""
UNLISTED_MAX = 100
"""So many of them wait at once: each is asked for by itself, and whoever may send can invent names without an end."""
UNASKED_SECONDS = 300.0

_log = structlog.get_logger(__name__)


class WaitingTable(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sees of a table that cannot be read now."""

    table: str
    reason: str
    """What its source says."""
    hint: str
    """What to do about it; empty where that is not known."""
    since: datetime
    """Since when it cannot be read."""
    next_try_at: datetime
    """When it is asked for again."""


class Wait(msgspec.Struct, frozen=True):
    """Of one table, in seconds since 1970."""

    reason: str
    hint: str
    since: float
    next_try_at: float


class Waits:
    """Those of one source."""

    def __init__(self, source: SourceName, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._tables: dict[str, Wait] = {}

    def failed(self, table: str, error: TableUnreadable, *, listed: bool) -> Wait | None:
        """Take note that a table could not be read.  Records that were asked for together count once.

        Gives None where as many tables wait already as may, and nobody lists this one: then nothing is noted.
        """
        now = self._clock()
        self._forget(now)
        known = self._tables.get(table)
        if known is None:
            if not listed and len(self._tables) >= UNLISTED_MAX:
                return None
            hint = {"hint": error.hint} if error.hint else {}
            _log.warning("Table waits", source=self._source, table=table, reason=error.message, **hint)
            known = Wait(error.message, error.hint, since=now, next_try_at=now + FIRST_SECONDS)
        elif now >= known.next_try_at:
            # What makes 2, 4, 8 … seconds: as long again as it has waited in all.
            wait = min(now - known.since + FIRST_SECONDS, SECONDS_MAX)
            known = msgspec.structs.replace(known, reason=error.message, hint=error.hint, next_try_at=now + wait)
        self._tables[table] = known
        return known

    def next_try_at(self, claim: Claim, error: TableUnreadable, *, listed: bool) -> float | None:
        """Take note, and say when the record that met it is tried again; None where it is waited for no longer.

        What nobody lists is not waited for without an end, and each record has its own full time.
        """
        table = self.failed(claim.record.table, error, listed=listed)
        if table is None:
            return None
        now = self._clock()
        waited = now - max(table.since, happened(claim.since, now) or 0.0)
        return table.next_try_at if listed or waited < UNLISTED_SECONDS else None

    def ended(self, table: str) -> None:
        """Take note that a table could be read."""
        if (known := self._tables.pop(table, None)) is not None:
            waited = round(self._clock() - known.since, 1)
            _log.info("Table can be read", source=self._source, table=table, waited_seconds=waited)

    def until(self, table: str) -> float | None:
        """When a table is asked for again; None where it may be asked for now."""
        known = self._tables.get(table)
        return known.next_try_at if known is not None and known.next_try_at > self._clock() else None

    def seconds(self, most: float) -> float:
        """Give the time until the next table is due, and never more than ``most``."""
        now = self._clock()
        return min([most, *(one.next_try_at - now for one in self._tables.values() if one.next_try_at > now)])

    def state(self) -> tuple[WaitingTable, ...]:
        """Give them all, by name."""
        self._forget(self._clock())
        return tuple(
            WaitingTable(
                table=name,
                reason=one.reason,
                hint=one.hint,
                since=time_of(one.since),
                next_try_at=time_of(one.next_try_at),
            )
            for name, one in sorted(self._tables.items())
        )

    def _forget(self, now: float) -> None:
        """Forget the tables that nobody asked for when they were due: no record waits for them."""
        for name in [name for name, one in self._tables.items() if now > one.next_try_at + UNASKED_SECONDS]:
            del self._tables[name]
