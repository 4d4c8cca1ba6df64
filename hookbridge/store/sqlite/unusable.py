"""What an operator is told when the data file cannot be taken at the start: each cause with its own remedy.

Invariant: nobody is told to restore a backup for what a backup cannot mend.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from hookbridge.errors import StartupError

_SPACE = "free some space on the disk of the data folder, and start again"
_RIGHTS = "make the data folder and the files in it writable for this user, or set another [store] path"
_ELSEWHERE = "set another [store] path"
_LOCAL = "set a [store] path on a local disk"
_HANDLES = "raise the limit of open files (ulimit -n), and start again"
_DISK = "look at the disk and the system's log; nothing shows that the file itself is damaged"
_FOREIGN = "check that [store] path is hookbridge's own file; if it is damaged, restore a backup (docs/operations.md)"
_OTHERS = "stop the other program that has it open, and start again"

_START_BYTES = 1024 * 1024
"""What the schema, the log and its index take at most when a file is made."""

_BY_ERRNO = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: _SPACE,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EMFILE: _HANDLES,
    errno.ENFILE: _HANDLES,
    errno.ENOLCK: _LOCAL,
    errno.EOPNOTSUPP: _LOCAL,
    errno.EIO: _DISK,
}

_BY_CODE = {
    sqlite3.SQLITE_FULL: _SPACE,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_READONLY: _RIGHTS,
    sqlite3.SQLITE_CANTOPEN: _RIGHTS,
    sqlite3.SQLITE_PERM: _RIGHTS,
    sqlite3.SQLITE_AUTH: _RIGHTS,
    sqlite3.SQLITE_BUSY: _OTHERS,
    sqlite3.SQLITE_LOCKED: _OTHERS,
    sqlite3.SQLITE_PROTOCOL: _OTHERS,
    sqlite3.SQLITE_NOLFS: _LOCAL,
    sqlite3.SQLITE_NOMEM: "give the machine more memory",
}
"""What is missing here says that the file's content is not ours, or is damaged."""

_FULL_BY_EXTENDED = {sqlite3.SQLITE_IOERR_SHMSIZE}
"""SQLite could not make room for the log's index, and says so with a code of its own."""


def unwritable(path: Path, error: OSError) -> StartupError:
    """Say why the system does not give the file."""
    message = f"Cannot write the data file {path}: {error.strerror}"
    return StartupError(message, hint=_BY_ERRNO.get(error.errno or 0, _ELSEWHERE))


def unusable(path: Path, error: sqlite3.Error) -> StartupError:
    """Say why SQLite cannot use the file."""
    code = getattr(error, "sqlite_errorcode", 0)
    remedy = _SPACE if code in _FULL_BY_EXTENDED or _has_no_space(path, code) else _BY_CODE.get(code & 0xFF, _FOREIGN)
    return StartupError(f"Cannot use the data file {path}: {error}", hint=remedy)


def without_log(path: Path) -> StartupError:
    """Say that the file system does not give what a write-ahead log needs."""
    return StartupError(f"Cannot keep a write-ahead log beside the data file {path}", hint=_LOCAL)


def damaged(path: Path, why: str) -> StartupError:
    """Say what a look through the whole file found."""
    return StartupError(f"Cannot use the data file {path}: {why}", hint=_FOREIGN)


def _has_no_space(path: Path, code: int) -> bool:
    """Whether a failed write, whose cause SQLite keeps for itself, is one for want of space."""
    if code & 0xFF not in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
        return False
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _START_BYTES or (disk.f_files > 0 and disk.f_favail == 0)
