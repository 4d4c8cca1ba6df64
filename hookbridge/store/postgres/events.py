"""Single events on Postgres: an event is open while it has a row of ``open``, and ended once it has one of ``ends``."""

from __future__ import annotations

from hookbridge.model import StoredEvent
from hookbridge.store.postgres.engine import Role
from hookbridge.store.rows import EVENT_COLUMNS, stored_event

_EVENTS = "hookbridge.events LEFT JOIN hookbridge.ends ON event_id = id"
COLUMNS = EVENT_COLUMNS.replace("attempts", "coalesce(attempts, 0)")


class Events(Role):
    """Events by what names them."""

    async def known(self, identity: bytes) -> StoredEvent | None:
        """Find the event of an identity."""
        return await self._event("identity = $1", identity)

    async def event(self, event_id: int) -> StoredEvent | None:
        """Find one event."""
        return await self._event("id = $1", event_id)

    async def _event(self, which: str, value: object) -> StoredEvent | None:
        found = await self._engine.read(f"SELECT {COLUMNS} FROM {_EVENTS} WHERE {which}", value)
        return stored_event(found[0]) if found else None
