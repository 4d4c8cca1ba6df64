"""What only the SQLite engine can get wrong: its file, a full disk, a poisonous job, a second process."""

import asyncio
import resource
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookbridge.errors import StartupError, StoreError, StoreUnavailable
from hookbridge.model import Document, Outcome, Settled
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.sqlite.checkpoints import EVERY_BYTES
from hookbridge.store.values import EventFilter
from tests.support.engines import at, opened_file
from tests.support.events import copy, effects, event, key, settlement
from tests.support.stores import add, books, finish, matching, take, take_one
from tests.support.waiting import wait_until

SURROGATE = "\ud800"
"""A text without a form in UTF-8."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "hookbridge.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await opened_file(path)
    yield store
    await store.close()


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _read(path: Path) -> bytes:
    return path.read_bytes()


# Refusals


async def test_memory_that_is_used_up_is_an_unavailable_store(store: SqliteStore) -> None:
    def none_left(_: object) -> None:
        raise MemoryError

    with pytest.raises(StoreUnavailable):
        await store._engine.read(none_left)
    with pytest.raises(StoreUnavailable):
        await store._engine.call(none_left)


# On disk


async def test_the_log_stays_small_however_large_what_is_written(store: SqliteStore, path: Path) -> None:
    log = path.with_name(path.name + "-wal")

    async def has_started_over() -> bool:
        await add(store, event())
        return log.stat().st_size <= EVERY_BYTES

    for _ in range(3):
        await asyncio.gather(*[add(store, event(number, body=b"x" * (1 << 20))) for number in range(20)])
        await wait_until(has_started_over)


async def test_another_connection_sees_what_was_acknowledged(store: SqliteStore, path: Path) -> None:
    other = sqlite3.connect(path)
    try:
        for number in range(5):
            (event_id,) = await add(store, event(number))
            assert other.execute("SELECT record FROM events WHERE id = ?", (event_id,)).fetchone() == (
                f"supabase:public.users:{number}",
            )
    finally:
        other.close()


async def test_every_commit_is_synchronous(store: SqliteStore) -> None:
    full = 2
    (level,) = await store._engine.call(lambda t: t.connection.execute("PRAGMA synchronous").fetchone())
    assert level == full


async def test_only_the_owner_can_read_the_file(store: SqliteStore, path: Path) -> None:
    await add(store, event())
    assert {one.name: oct(one.stat().st_mode & 0o077) for one in path.parent.iterdir()} == {
        f"hookbridge.db{suffix}": "0o0" for suffix in ("", "-wal", "-shm", ".lock")
    }


# Start


async def test_a_second_one_on_the_same_file_is_refused_until_the_first_is_gone(path: Path) -> None:
    first = await opened_file(path)
    with pytest.raises(StartupError, match="Another hookbridge uses"):
        await opened_file(path)
    await first.close()
    await (await opened_file(path)).close()


async def test_another_process_on_the_same_file_is_refused(store: SqliteStore, path: Path) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from hookbridge.errors import StartupError\n"
        "from hookbridge.store.sqlite import SqliteStore\n"
        "try: asyncio.run(SqliteStore.open(pathlib.Path(sys.argv[1])))\n"
        "except StartupError: sys.exit(7)\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path))
    assert await process.wait() == 7


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="Cannot write the data file"):
        await opened_file(tmp_path / "file" / "hookbridge.db")


async def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    _make_folder(path)
    with pytest.raises(StartupError, match="Cannot write the data file"):
        await opened_file(path)


async def test_a_file_that_is_something_else_is_refused_and_left_as_it_is(path: Path) -> None:
    _make_folder(path.parent)
    _write(path, b"holiday pictures" * 1000)
    for _ in range(2):  # the second time too: the refusal holds no lock
        with pytest.raises(StartupError, match="Cannot use the data file"):
            await opened_file(path)
    assert _read(path) == b"holiday pictures" * 1000


async def test_a_newer_schema_is_refused_and_left_as_it_is(path: Path) -> None:
    await (await opened_file(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = _read(path)
    for _ in range(2):
        with pytest.raises(StartupError, match="newer hookbridge"):
            await opened_file(path)
    assert _read(path) == before


# Stop


async def test_closing_finishes_what_was_submitted(path: Path) -> None:
    store = await opened_file(path)
    submitted = [asyncio.ensure_future(store.append([event(n)], 1.0)) for n in range(100)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*submitted)
    await store.close()
    for refused in (store.append([event()], 1.0), store.event(1), store.check_writable()):
        with pytest.raises(StoreUnavailable, match="closed"):
            await refused
    again = await opened_file(path)
    assert await books(again) == {"received": 100, "open": 100}
    await again.close()


async def test_a_caller_who_does_not_wait_any_more_harms_nobody(store: SqliteStore) -> None:
    impatient = asyncio.ensure_future(store.append([event(1)], 1.0))
    patient = asyncio.ensure_future(store.append([event(2)], 1.0))
    await asyncio.sleep(0)
    impatient.cancel()
    (receipt,) = await patient
    assert receipt.event_id
    assert (await books(store))["received"] == 2


# One poisonous job


@pytest.mark.parametrize(
    "poison",
    [
        event("p", body="text in place of bytes"),
        event("p", type=SURROGATE),
        event(SURROGATE),
        event("p", occurred_at=1 << 70),
        event("p", identity=object()),
    ],
    ids=["type", "text", "record", "number", "object"],
)
async def test_an_event_that_cannot_be_stored_fails_alone(store: SqliteStore, poison: object) -> None:
    hints = [[event(1)], [event(2), poison], [event(3, identity=b"x")]]
    answers = await asyncio.gather(*[store.append(one, 1.0) for one in hints], return_exceptions=True)  # type: ignore[arg-type]
    assert [type(answer) for answer in answers] == [tuple, StoreError, tuple]
    page = await store.events(EventFilter(), before=None, limit=10)
    assert [one.event.record.id for one in page.events] == ["3", "1"]
    assert await books(store) == {"received": 2, "open": 2}
    assert len({one.id for one in page.events}) == 2


async def test_a_settlement_that_cannot_be_stored_fails_alone_and_leaves_its_record_claimed(
    store: SqliteStore,
) -> None:
    await add(store, *[event(n) for n in range(3)])
    claims = await take(store)
    ends = [settlement(claim, Outcome.DEAD, reason=SURROGATE if claim.record.id == "1" else "why") for claim in claims]
    met = await asyncio.gather(*[at(store, 101.0).settle(end) for end in ends], return_exceptions=True)
    assert [met[0], type(met[1]), met[2]] == [Settled.DONE, StoreError, Settled.DONE]
    assert await books(store) == {"received": 3, "open": 1, "dead": 2}
    assert await finish(store, claims[1]) == [Settled.DONE]


async def test_words_that_cannot_be_stored_take_their_copy_with_them(store: SqliteStore) -> None:
    with pytest.raises(StoreError):
        await store.put(copy(key(1), await store.ticket()), Document(key(1), SURROGATE), exclusive=False)
    assert await store.copy(key(1)) is None


# A full disk


def _largest_file(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


async def test_a_full_disk_refuses_the_whole_group_and_half_of_nothing_is_stored(
    store: SqliteStore, path: Path
) -> None:
    await add(store, event(1))
    claim = await take_one(store)
    before = await store.totals()
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores SIGXFSZ, so a write beyond the limit fails as on a full disk.
    _largest_file((path.parent / "hookbridge.db-wal").stat().st_size + 65_536)
    try:
        what = copy(key(1), await store.ticket(), b"d" * 100_000)
        refused = await asyncio.gather(
            *[store.append([event(n, body=b"b" * 100_000)], 1.0) for n in range(3)],
            at(store, 101.0).settle(settlement(claim, effects=effects(what, "word"))),
            store.append([event("small enough, but in the same group")], 1.0),
            return_exceptions=True,
        )
        assert [type(one) for one in refused] == [StoreUnavailable] * 5
        assert await store.totals() == before
        assert len((await store.events(EventFilter(), before=None, limit=10)).events) == 1
        assert (await store.copy(key(1)), await matching(store, "word")) == (None, [])
    finally:
        _largest_file(soft)
    await add(store, event(2))
    assert await finish(store, claim) == [Settled.DONE]
    assert await books(store) == {"received": 2, "open": 1, "applied": 1}


async def test_what_was_acknowledged_before_the_disk_was_full_is_there_at_the_next_start(path: Path) -> None:
    store = await opened_file(path)
    await add(store, event(1))
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    _largest_file((path.parent / "hookbridge.db-wal").stat().st_size)
    try:
        with pytest.raises(StoreUnavailable):
            await store.append([event(2, body=b"b" * 100_000)], 1.0)
        with pytest.raises(StoreUnavailable):
            await store.check_writable()
    finally:
        _largest_file(soft)
        await store.close()
    again = await opened_file(path)
    assert await books(again) == {"received": 1, "open": 1}
    await again.close()
