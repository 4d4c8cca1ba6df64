"""What others use of this machine's processors while a test measures: what it has to know before it blames the service.

From /proc (https://man7.org/linux/man-pages/man5/proc.5.html); it measures nothing of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_COLUMNS = 8
"""Of /proc/stat; the two behind them are counted in the first two as well."""
_IDLE = (3, 4)
"""Idle, and waiting for a disk."""
_OWN = (11, 12)
"""Behind a process's name in /proc/PID/stat: its time as user and in the kernel."""


class Others:
    """The share of all processors that is neither idle nor used by these processes."""

    def __init__(self, ours: Sequence[int]) -> None:
        self._ours = ours
        self._last = self._now()

    def since_last(self) -> float:
        """Give the share since it was last asked for."""
        before, self._last = self._last, self._now()
        whole, busy, own = (now - then for now, then in zip(self._last, before, strict=True))
        return round(max(0, busy - own) / whole, 2) if whole > 0 else 0.0

    def _now(self) -> tuple[int, int, int]:
        """Give all time, the time that was not idle, and that of ours, in ticks."""
        columns = [int(one) for one in Path("/proc/stat").read_text().split()[1 : 1 + _COLUMNS]]
        whole = sum(columns)
        return whole, whole - sum(columns[place] for place in _IDLE), sum(map(_ticks, self._ours))


def _ticks(process: int) -> int:
    try:
        fields = (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # it has ended, which is somebody else's finding
    return sum(int(fields[place]) for place in _OWN)
