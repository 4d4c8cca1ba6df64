"""Events that were appended a moment ago, which a claim need not read back from the file: 15 µs of each.

Invariants: what is here is in the file, or in the transaction that is under way; whoever rolls one back forgets all of
it.  Of a dirty record there is at most one event, and none once it was claimed, so nothing stays that no claim will ask
for; a lane that takes nothing has its own room.  Only the first records that wait are here, since they are claimed
first.  It belongs to the writer's thread.
"""

from __future__ import annotations

from hookbridge.model import SourceName, StoredEvent

EVENTS_MAX = 4_096
BYTES_MAX = 8 * 1024 * 1024


class Fresh:
    """The newest events of dirty records, as far as there is room."""

    def __init__(self) -> None:
        self._lanes: dict[SourceName, _Lane] = {"supabase": _Lane(), "notion": _Lane()}

    def put(self, record: str, event: StoredEvent) -> None:
        """Keep an open event of a record, if there is room."""
        self._lanes[event.event.record.source].put(record, event)

    def take(self, source: SourceName, record: str) -> StoredEvent | None:
        """Give what there is of a record that is claimed, and forget it."""
        return self._lanes[source].take(record)

    def clear(self) -> None:
        """Forget all."""
        for lane in self._lanes.values():
            lane.clear()


class _Lane:
    def __init__(self) -> None:
        self._events: dict[str, StoredEvent] = {}
        self._bytes = 0

    def put(self, record: str, event: StoredEvent) -> None:
        if self.take(record) is not None:
            return  # of several events none is of use: all of them are read back
        if len(self._events) < EVENTS_MAX and self._bytes < BYTES_MAX:
            self._events[record] = event
            self._bytes += len(event.event.body)

    def take(self, record: str) -> StoredEvent | None:
        event = self._events.pop(record, None)
        if event is not None:
            self._bytes -= len(event.event.body)
        return event

    def clear(self) -> None:
        self._events.clear()
        self._bytes = 0
