"""The data file: taken for one process, opened, brought to the newest schema.

Invariants: one process has the file (a lock beside it says so, which ends with the process however that ends); every
connection writes with ``synchronous=FULL``; a file of a newer version is refused before anything is written to it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from hookbridge.errors import StartupError
from hookbridge.store import note_names
from hookbridge.store.ordinals import ordinal
from hookbridge.store.reasons import kind
from hookbridge.store.sqlite.checkpoints import EVERY_BYTES
from hookbridge.store.sqlite.unusable import damaged, unusable, unwritable, without_log

SQLITE_MIN = (3, 38)
"""STRICT tables, and ``->>``."""

CACHE_KIB = 32 * 1024


def lock(path: Path) -> int:
    """Take the file for this process; gives the descriptor that holds it.  Raises StartupError."""
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        message = f"SQLite {sqlite3.sqlite_version} is too old"
        raise StartupError(message, hint="use a Python whose sqlite3 module has SQLite 3.38 or newer")
    try:
        # Bodies, records and tokens stand in it.  A folder that is there already is its owner's business.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except BlockingIOError as error:
        os.close(handle)
        message = f"Another hookbridge uses {path}"
        raise StartupError(message, hint="stop it, or give this one its own [store] path") from error
    except OSError as error:
        os.close(handle)
        raise unwritable(path, error) from error
    return handle


def prepare(path: Path) -> tuple[sqlite3.Connection, int]:
    """Give the writer's connection, with the newest schema, and the number of this start.  Raises StartupError."""
    try:
        connection = connect(path)
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):  # it is not refused, it just stays
                raise without_log(path)
            _migrate(connection)
            _begin_feed(connection)
            return connection, _count_start(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection to a file that is there: an empty one in place of one that is gone helps nobody.

    Raises sqlite3.Error.
    """
    there = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(there, uri=True, isolation_level=None, cached_statements=256, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # checkpoints.py does it
        connection.execute(f"PRAGMA journal_size_limit = {EVERY_BYTES}")
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.create_function("reason_kind", 1, kind, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def inspect(path: Path) -> None:
    """Look whether ``lock`` and ``prepare`` could take this file; changes nothing.  Raises StartupError."""
    for one in (path, path.with_name(f"{path.name}.lock")):
        # Not by opening it: closing it again would end the locks that this process may have on it.
        if one.exists() and not os.access(one, os.R_OK | os.W_OK):
            raise unwritable(one, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with closing(reading(path)) as connection:
            _steps_of(connection)
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    if found != "ok":
        raise damaged(path, " ".join(str(found).split()))


def free_bytes(path: Path) -> int:
    """Give the free space of the disk that holds the file.  Raises OSError when its folder is gone."""
    return shutil.disk_usage(path.parent).free


def reading(path: Path) -> sqlite3.Connection:
    """Open a connection that changes nothing.  Raises sqlite3.Error."""
    # Without a write-ahead log nothing is written meanwhile, and looking at one that is would make the log's files.
    unused = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{unused}", uri=True)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema to the newest version, each step in a transaction of its own."""
    version, steps = _steps_of(connection)
    connection.create_function("ordinal", 1, ordinal, deterministic=True)  # for step 0013 alone
    for number, step in enumerate(steps[version:], start=version + 1):
        connection.executescript(f"BEGIN;\n{step.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;")


def _steps_of(connection: sqlite3.Connection) -> tuple[int, list[Traversable]]:
    """Give the file's version, and the step to each version.  Raises StartupError for a newer one than ours."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    schema = resources.files("hookbridge.store.sqlite").joinpath("schema")
    steps = sorted((step for step in schema.iterdir() if step.name.endswith(".sql")), key=lambda step: step.name)
    if version > len(steps):
        message = f"The data file was written by a newer hookbridge (schema {version})"
        raise StartupError(message, hint="start that version, or use another [store] path")
    return version, steps


def _begin_feed(connection: sqlite3.Connection) -> None:
    """Say which history of changes this file goes on with: a new one in a new file, and in one that is a backup."""
    connection.execute("UPDATE feed_mark SET id = lower(hex(randomblob(16))) WHERE id = ''")


def _count_start(connection: sqlite3.Connection) -> int:
    row = connection.execute(
        "INSERT INTO notes VALUES (?, '1')"
        " ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING CAST(value AS INTEGER)",
        (note_names.STARTS,),
    ).fetchall()
    return int(row[0][0])
