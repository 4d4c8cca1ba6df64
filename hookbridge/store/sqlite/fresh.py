"""Events that were appended a moment ago, which a claim need not read back from the file: 15 µs of each.

Invariants: what is here is in the file, or in the transaction that is under way; whoever rolls one back forgets all of
it.  Only the first ones that wait are here, since they are claimed first, and what a claim has taken is gone.  It
belongs to the writer's thread.
"""

from __future__ import annotations

from hookbridge.model import StoredEvent

EVENTS_MAX = 4_096
BYTES_MAX = 8 * 1024 * 1024


class Fresh:
    """The events, by their ids."""

    def __init__(self) -> None:
        self._events: dict[int, StoredEvent] = {}
        self._bytes = 0

    def put(self, event: StoredEvent) -> None:
        """Keep an open event, if there is room."""
        if len(self._events) < EVENTS_MAX and self._bytes < BYTES_MAX:
            self._events[event.id] = event
            self._bytes += len(event.event.body)

    def take(self, event_id: int) -> StoredEvent | None:
        """Give an event and forget it."""
        event = self._events.pop(event_id, None)
        if event is not None:
            self._bytes -= len(event.event.body)
        return event

    def clear(self) -> None:
        """Forget all."""
        self._events.clear()
        self._bytes = 0
