"""Whether the data file can be relied on: it is whole, and what is open is still what its path names.

Invariants: no commit begins on a file that is gone from its place or that SQLite called damaged, so nothing is
acknowledged that no restart would find; what is damaged stays so until a restart, because a later success proves
nothing.  What was moved and is moved back is the same file with everything in it, and is used again.

It does not look for damage: that shows where a page is read, and whoever meets it says so here.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hookbridge.errors import StoreUnavailable
from hookbridge.model import Fault
from hookbridge.store.sqlite.checkpoints import EVERY_BYTES

BESIDE = ("", "-wal", "-shm", ".lock")
"""The files that belong together: none of them is replaced or removed while one process has them open."""

AFTER_DAMAGE = (
    "Stop hookbridge, keep a copy of the data folder, look at the disk, restore a backup (docs/operations.md), and"
    " start again"
)

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DAMAGE_BY_EXTENDED = {sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
"""A log that ends before its last page, and a file system that is broken itself."""


class Soundness:
    """What is known of one file, from any thread."""

    def __init__(self, path: Path) -> None:
        """``path`` is open already, so that its companions are there.  Raises OSError."""
        self._files = [Path(f"{path}{suffix}") for suffix in BESIDE]
        # By their names, not by opening them: closing one again would end this process's locks on it.
        found = [file.stat() for file in self._files]
        self._opened = [(one.st_dev, one.st_ino) for one in found]
        self._least = {
            file: self._kept(file, one.st_size) for file, one in zip(self._files[:2], found[:2], strict=True)
        }
        self._damage: Fault | None = None
        self._displaced: Fault | None = None

    @property
    def fault(self) -> Fault | None:
        """As of the last look."""
        return self._damage or self._displaced

    def look(self) -> None:
        """Compare the open files with their names, in some 15 µs.  Raises StoreUnavailable."""
        self._displaced = self._compare()
        if (fault := self.fault) is not None:
            raise StoreUnavailable(fault.reason, hint=fault.remedy)

    def met(self, error: BaseException) -> None:
        """Take note of what was raised where the file was used, if it means damage."""
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._break(f"The data file is damaged: {error}")

    def _compare(self) -> Fault | None:
        for file, opened in zip(self._files, self._opened, strict=True):
            least = self._least.get(file)  # before the look: meanwhile another thread may see it grow
            try:
                found = file.stat()
            except OSError as error:
                return _displaced(file, f"cannot be found any more ({error.strerror})")
            if (found.st_dev, found.st_ino) != opened:
                return _displaced(file, "is another file than the one that is open")
            if least is not None:
                if found.st_size < least:
                    self._break(f"{file.name} was cut short: it has {found.st_size} bytes and had {least}")
                self._least[file] = max(least, self._kept(file, found.st_size))
        return None

    def _kept(self, file: Path, size: int) -> int:
        """Say how large it stays at least: free pages are kept, a log that begins anew is cut to our limit."""
        return size if file is self._files[0] else min(size, EVERY_BYTES)

    def _break(self, reason: str) -> None:
        if self._damage is None:
            self._damage = Fault(reason=reason, remedy=AFTER_DAMAGE)


def _displaced(file: Path, what: str) -> Fault:
    return Fault(
        reason=f"{file.name} {what}: what would be stored now, no start would find",
        remedy="Put the files of the data folder back as they were, and it goes on; if they are lost, stop hookbridge,"
        " restore a backup (docs/operations.md), and start again",
    )


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is not what it wrote."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _DAMAGE or code in _DAMAGE_BY_EXTENDED
