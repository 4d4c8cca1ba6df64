"""Notes and counters on Postgres: small durable values, and the totals as a struct."""

from __future__ import annotations

from hookbridge.store.nodes import Lead
from hookbridge.store.postgres.engine import Role
from hookbridge.store.totals import totals
from hookbridge.store.values import Totals

_NOTE = "SELECT value FROM hookbridge.notes WHERE name = $1"
_NOTES = "SELECT name, value FROM hookbridge.notes WHERE starts_with(name, $1)"
_PUT = "SELECT hookbridge.put_note_1($1, $2, $3, $4, $5, $6)"
_REPLACE = "SELECT hookbridge.replace_note_1($1, $2, $3)"
_COUNTERS = "SELECT name, sum(value) FROM hookbridge.counters GROUP BY name"


class Notes(Role):
    """Small durable values by name."""

    async def note(self, name: str) -> str | None:
        """Give a note."""
        rows = await self._engine.read(_NOTE, name)
        return rows[0][0] if rows else None

    async def notes(self, beginning: str = "") -> dict[str, str]:
        """Give those whose names begin so."""
        return dict(await self._engine.read(_NOTES, beginning))

    async def put_note(
        self, name: str, value: str | None, *, only_if_absent: bool = False, lead: Lead | None = None
    ) -> bool:
        """Set or remove a note."""
        duty, epoch = (None, None) if lead is None else (lead.duty, lead.epoch)
        asked = (name, value, only_if_absent, duty, epoch, self._engine.moment)
        ((written,),) = await self._engine.write(_PUT, *asked)
        return bool(written)

    async def replace_note(self, name: str, value: str, *, instead_of: str) -> bool:
        """Set a note that has this value."""
        ((written,),) = await self._engine.write(_REPLACE, name, value, instead_of)
        return bool(written)


class Counters(Role):
    """The books and the statistics."""

    async def totals(self) -> Totals:
        """Give the counters of all nodes."""
        counters: dict[str, float] = dict(await self._engine.read(_COUNTERS))
        self._engine.open_events = int(counters.get("open", 0))
        return totals(counters)

    @property
    def open_events(self) -> int:
        """How many events are open, as of the last look at all nodes' counters and what this one did since."""
        return self._engine.open_events
