"""A copy of the data file that is whole, also of one that a service writes to meanwhile.

Invariants: the data file is only read; the copy is its owner's alone from its first byte on, has its name only once it
is whole and was read through, and takes the place of no file that was there.  It does not say which history of changes
its feed tells of: what is restored goes on with another one, each time.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from hookbridge.errors import StartupError
from hookbridge.store.sqlite.file import inspect, reading
from hookbridge.store.sqlite.unusable import unusable

ENDINGS = ("-wal", "-shm", "-journal")
"""What SQLite may leave beside a file."""

_WRITING = frozenset(
    (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
    )
)
"""Failures of the copy's disk, because nothing is written to the data file."""

_HAS_FEED = "SELECT 1 FROM sqlite_master WHERE name = 'feed_mark'"  # an older file has none


def back_up(path: Path, target: Path) -> int:
    """Copy the data file; gives the size of the copy in bytes.

    Raises StartupError for a data file that is not there, or is damaged, and for a target that is there or cannot be.
    """
    if not path.is_file():
        raise StartupError(f"There is no data file at {path}", hint="name the right settings with --config")
    if os.path.lexists(target):
        raise StartupError(f"{target} is there already", hint="name a file that is not, or move that one away")
    part = target.with_name(f"{target.name}.part")
    try:
        _forget(part)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _copy(path, part)
            inspect(part)
            part.rename(target)
        finally:
            _forget(part)
    except OSError as error:
        hint = "name a file in a folder that this user may write to, on a disk with room for it"
        raise StartupError(f"Cannot write {target}: {error.strerror}", hint=hint) from error
    return target.stat().st_size


def _copy(path: Path, part: Path) -> None:
    """Raises OSError for what concerns the copy, and StartupError for what concerns the data file."""
    try:
        # In one step: after each of several it would begin anew whenever the service has written.
        with closing(reading(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            if copy.execute(_HAS_FEED).fetchone():
                copy.execute("UPDATE feed_mark SET id = ''")
                copy.commit()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) in _WRITING:
            raise OSError(None, str(error)) from error
        raise unusable(path, error) from error


def _forget(part: Path) -> None:
    for ending in ("", *ENDINGS):
        part.with_name(part.name + ending).unlink(missing_ok=True)
