"""A data file that is gone, moved, replaced, cut short or damaged takes nothing more, and says what to do."""

import asyncio
import errno
import os
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hookbridge.errors import StartupError, StoreUnavailable
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.sqlite.checkpoints import EVERY_BYTES
from hookbridge.store.sqlite.unusable import unusable, unwritable
from hookbridge.store.values import EventFilter, RecordFilter
from tests.support.engines import opened_file
from tests.support.events import copy, event, key
from tests.support.stores import add

PAGE_BYTES = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "hookbridge.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await opened_file(path)
    await add(store, event("first"))
    yield store
    await store.close()


def _removed(path: Path) -> None:
    path.unlink()


def _renamed_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def _replaced(path: Path) -> None:
    """As a restored backup under the running service does."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def _without(suffix: str) -> Callable[[Path], None]:
    return lambda path: Path(f"{path}{suffix}").unlink()


def _is_there(path: Path) -> bool:
    return path.exists()


DISPLACED = {
    "file removed": _removed,
    "log removed": _without("-wal"),
    "index of the log removed": _without("-shm"),
    "lock removed": _without(".lock"),
    "folder renamed": _renamed_folder,
    "file replaced": _replaced,
}


@pytest.mark.parametrize("displace", DISPLACED.values(), ids=DISPLACED)
async def test_nothing_is_stored_in_a_file_that_no_start_would_find(
    store: SqliteStore, path: Path, displace: Callable[[Path], None]
) -> None:
    assert await store.look() is None
    displace(path)
    with pytest.raises(StoreUnavailable, match="no start would find") as refused:
        await add(store, event("second"))
    assert "restore a backup" in refused.value.hint
    fault = await store.look()
    assert fault is not None
    assert fault == store.fault
    assert fault.reason.startswith("hookbridge.db")
    assert _is_there(path) == (displace not in {_removed, _renamed_folder})  # nobody made an empty one in its place


async def test_a_folder_that_is_put_back_is_used_again_with_all_that_was_acknowledged(
    store: SqliteStore, path: Path
) -> None:
    _renamed_folder(path)
    with pytest.raises(StoreUnavailable):
        await add(store, event("second"))
    path.parent.with_name("elsewhere").rename(path.parent)
    assert await store.look() is None
    await add(store, event("third"))
    await store.close()
    again = await opened_file(path)
    assert len((await again.events(EventFilter(), before=None, limit=9)).events) == 2
    await again.close()


async def test_a_reader_that_begins_later_does_not_read_another_file(store: SqliteStore, path: Path) -> None:
    _replaced(path)
    with pytest.raises(StoreUnavailable, match="another file"):
        await store.known(b"first")


async def test_a_folder_that_was_renamed_has_all_that_was_acknowledged(store: SqliteStore, path: Path) -> None:
    _renamed_folder(path)
    assert await store.look() is not None
    await store.close()
    moved = await opened_file(path.parent.with_name("elsewhere") / path.name)
    assert len((await moved.events(EventFilter(), before=None, limit=9)).events) == 1
    await moved.close()


async def _filled(path: Path) -> None:
    """A file of many pages, with nothing in its log."""
    store = await opened_file(path)
    await add(store, *(event(f"event-{number}") for number in range(500)))
    for number in range(200):
        await store.put(
            copy(key(number), await store.ticket(), b'{"text": "' + b"word " * 200 + b'"}'), None, exclusive=False
        )
    await store.close()


def _scribble(path: Path) -> None:
    """Damage every page but the first one, which an open file does not read again."""
    with path.open("r+b") as file:
        pages = path.stat().st_size // PAGE_BYTES
        for page in range(1, pages):
            file.seek(page * PAGE_BYTES)
            file.write(random.Random(page).randbytes(PAGE_BYTES))


def _cut(path: Path) -> bytes:
    """Take away its second half; gives the whole."""
    whole = path.read_bytes()
    os.truncate(path, len(whole) // 2)
    return whole


def _write(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


async def _read(store: SqliteStore) -> None:
    await store.copy(key(7))


async def _list(store: SqliteStore) -> None:
    await store.events(EventFilter(), before=None, limit=100)


async def _records(store: SqliteStore) -> None:
    await store.records(RecordFilter(), after=None, limit=100)


async def _append(store: SqliteStore) -> None:
    await add(store, event("one more"))


@pytest.mark.parametrize("touch", [_read, _list, _records, _append])
async def test_damage_stops_all_writing_whoever_meets_it(
    path: Path, touch: Callable[[SqliteStore], Awaitable[None]]
) -> None:
    await _filled(path)
    store = await opened_file(path)
    _scribble(path)
    with pytest.raises(StoreUnavailable) as met:
        await touch(store)
    assert "restore a backup" in met.value.hint
    assert store.fault is not None
    assert "damaged" in store.fault.reason
    assert "restore a backup" in store.fault.remedy
    with pytest.raises(StoreUnavailable, match="damaged") as refused:
        await store.check_writable()
    assert refused.value.hint == store.fault.remedy
    await store.close()


async def test_a_file_that_is_damaged_at_the_start_is_refused_with_its_remedy(path: Path) -> None:
    await _filled(path)
    _scribble(path)
    with pytest.raises(StartupError, match="malformed") as refused:
        await opened_file(path)
    assert "restore a backup" in refused.value.hint


async def test_a_file_that_was_cut_short_takes_nothing_more_until_a_restart(path: Path) -> None:
    await _filled(path)
    store = await opened_file(path)
    whole = _cut(path)
    fault = await store.look()
    assert fault is not None
    assert "cut short" in fault.reason
    _write(path, whole)  # nobody knows what was read and written meanwhile
    assert await store.look() == fault
    await store.close()
    again = await opened_file(path)
    assert again.fault is None
    await again.close()


async def test_a_log_that_was_cut_short_takes_nothing_more(store: SqliteStore, path: Path) -> None:
    await add(store, *(event(f"event-{number}") for number in range(500)))
    os.truncate(f"{path}-wal", PAGE_BYTES)
    with pytest.raises(StoreUnavailable, match=r"hookbridge\.db-wal was cut short"):
        await add(store, event("one more"))


async def test_a_log_that_begins_anew_is_no_shorter_one(path: Path) -> None:
    store = await opened_file(path)
    big = b"x" * 1_000_000
    for number in range(60):
        await add(store, event(f"event-{number}", body=big))
    assert await store.look() is None
    await store.close()


def _open_files() -> list[str]:
    return [str(one.resolve()) for one in Path("/proc/self/fd").iterdir()]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not show what is open")
async def test_a_start_that_fails_leaves_nothing_open(path: Path) -> None:
    store = await opened_file(path)
    await store.close()
    with sqlite3.connect(path) as file:
        file.execute("DROP TABLE counters")
    file.close()
    with pytest.raises(StartupError, match="no such table: counters"):
        await opened_file(path)
    assert not [one for one in _open_files() if one.startswith(str(path))]


async def test_a_large_log_that_a_crash_left_may_be_cut_to_its_limit(path: Path) -> None:
    store = await opened_file(path)
    await store.close()
    grown = (
        "import os, sqlite3, sys;"
        " file = sqlite3.connect(sys.argv[1], isolation_level=None); file.execute('PRAGMA wal_autocheckpoint = 0');"
        " [file.execute('INSERT OR REPLACE INTO notes VALUES (?, ?)', ('x', 'y' * 1_000_000)) for _ in range(40)];"
        " os._exit(0)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", grown, str(path))
    assert await process.wait() == 0
    log = path.with_name("hookbridge.db-wal")
    assert log.stat().st_size > 2 * EVERY_BYTES
    store = await opened_file(path)
    for number in range(200):
        await add(store, event(f"event-{number}", body=b"x" * 100_000))
        assert await store.look() is None
    assert log.stat().st_size <= 2 * EVERY_BYTES
    await store.close()


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (sqlite3.SQLITE_FULL, "free some space"),
        (sqlite3.SQLITE_IOERR_SHMSIZE, "free some space"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "writable for this user"),
        (sqlite3.SQLITE_CANTOPEN, "writable for this user"),
        (sqlite3.SQLITE_BUSY, "stop the other program"),
        (sqlite3.SQLITE_IOERR_READ, "look at the disk"),
        (sqlite3.SQLITE_CORRUPT, "restore a backup"),
        (sqlite3.SQLITE_NOTADB, "restore a backup"),
    ],
)
def test_each_cause_of_a_failed_start_has_its_own_remedy(tmp_path: Path, code: int, remedy: str) -> None:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    told = unusable(tmp_path / "hookbridge.db", error)
    assert remedy in told.hint
    assert ("restore a backup" in told.hint) == (remedy == "restore a backup")


@pytest.mark.parametrize("full", [True, False])
def test_a_write_that_failed_without_a_cause_is_a_full_disk_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    there = list(os.statvfs(tmp_path))
    there[4] = 0 if full else 1 << 30  # f_bavail
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(there))
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    assert ("free some space" in unusable(tmp_path / "hookbridge.db", error).hint) == full


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EACCES, "writable for this user"),
        (errno.EMFILE, "open files"),
        (errno.EROFS, "another [store] path"),
        (errno.ENOTDIR, "another [store] path"),
        (errno.ENOLCK, "local disk"),
    ],
)
def test_what_the_system_refuses_has_its_own_remedy(tmp_path: Path, number: int, remedy: str) -> None:
    told = unwritable(tmp_path / "hookbridge.db", OSError(number, os.strerror(number)))
    assert remedy in told.hint
    assert "backup" not in told.hint


async def test_the_data_folder_is_its_owners_alone(path: Path) -> None:
    await (await opened_file(path)).close()
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_folder_that_is_there_keeps_its_mode(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    path.parent.chmod(0o750)
    await (await opened_file(path)).close()
    assert path.parent.stat().st_mode & 0o777 == 0o750
