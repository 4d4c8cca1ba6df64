"""Whose fault it is that a lane stops and stops again: its source's, or one record's.

Invariant: no record is suspected while none comes through, because a source may answer its probe and nothing else.  In
memory, and bounded.  It stops nothing: the lane asks, and tells what came of it.
"""

from __future__ import annotations

from hookbridge.model import RecordKey

STRIKES_MAX = 3
"""So many times may one record stop a lane in which others come through; then the fault is the record's own."""

STRUCK_RECORDS_MAX = 1_000


class Strikes:
    """Those of one lane."""

    def __init__(self) -> None:
        self._records: dict[str, int] = {}
        self._came_through = False  # has any change been settled since the lane last began to run?
        self.fruitless = 0
        """How often the lane stopped without that."""

    def began(self) -> None:
        """Say that the lane runs again."""
        self._came_through = False

    def settled(self, record: RecordKey) -> None:
        """Say that a change of this record came through."""
        self._came_through, self.fruitless = True, 0
        if self._records:
            self._records.pop(str(record), None)

    def is_out(self, record: RecordKey) -> bool:
        """Note that this record met what stops a lane; gives whether that is its own fault by now."""
        name = str(record)
        count = self._records.get(name, 0)
        if count >= STRIKES_MAX:
            del self._records[name]
            return True
        if len(self._records) >= STRUCK_RECORDS_MAX:
            self.forget()
        if self._came_through:
            self._records[name] = count + 1
        return False

    def forget(self) -> None:
        """Suspect nobody: the source is down again and again, which is no fault of the records that met it."""
        self._records.clear()
