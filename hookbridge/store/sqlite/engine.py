"""The SQLite engine's machinery: one writer thread beside its ``readers``, and what a failure means.

Invariants: all writes happen on the writer thread, in group-committed transactions; the counters in memory are those of
the last commit.  It does not know what the jobs do: those are functions of ``inbox``, ``claims``, ``copies`` and
``notes``; nor how the file is made: that is ``file``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hookbridge.errors import StoreError, StoreUnavailable
from hookbridge.store.commits import GroupCommit, Results
from hookbridge.store.following import Followers
from hookbridge.store.sqlite import file
from hookbridge.store.sqlite.checkpoints import Checkpoints
from hookbridge.store.sqlite.duties import Duties
from hookbridge.store.sqlite.fresh import Fresh
from hookbridge.store.sqlite.readers import Readers
from hookbridge.store.sqlite.soundness import AFTER_DAMAGE, Soundness, is_damage
from hookbridge.store.sqlite.unusable import unusable, unwritable

Result = TypeVar("Result")

# Errors of the disk or the machine rather than of one job: the whole group failed, and its jobs one by one would only
# fail again.  (Of SQLITE_NOMEM the module makes a MemoryError.)
_UNAVAILABLE_CODES = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_PROTOCOL,
}


_TICKETS_PER_START = 1 << 40
"""Each start begins a new range of tickets, so that no ticket of an earlier one is larger."""

_NEWEST = "SELECT coalesce(max(seq), 0) FROM feed"


class Transaction:
    """What a job sees: the connection, and the counters that change with this transaction."""

    __slots__ = ("connection", "deltas", "fresh", "now")

    def __init__(self, connection: sqlite3.Connection, now: float, fresh: Fresh) -> None:
        """``now`` is when it begins, in epoch seconds."""
        self.connection = connection
        self.fresh = fresh
        self.now = now
        self.deltas: Counter[str] = Counter()

    def count(self, name: str, by: float = 1) -> None:
        """Raise a counter, if the transaction commits."""
        self.deltas[name] += by  # type: ignore[assignment]  # seconds are counted too

    def save_counters(self) -> None:
        """Write the deltas in one statement, the last one before the commit."""
        if self.deltas:
            self.connection.execute(
                "INSERT INTO counters SELECT key, value FROM json_each(?) WHERE true"
                " ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value",
                (msgspec.json.encode(self.deltas).decode(),),
            )


class Job:
    """One call that writes.  ``run_together`` gets all jobs of the same kind in a group, in order of arrival."""

    __slots__ = ()

    rank = 9
    """Kinds run in this order within a group: appends, settles, the others, claims."""

    @property
    def weight(self) -> int:
        """How many bytes it writes at least."""
        return 0

    @staticmethod
    def run_together(jobs: Sequence[Any], transaction: Transaction) -> Sequence[Any]:
        """Do the work inside the transaction; give one result for each job."""
        raise NotImplementedError  # pragma: no cover  every kind has its own


class Call(Job):
    """A job that is one function of the transaction, for what is not on the way of an event."""

    __slots__ = ("function",)

    rank = 5

    def __init__(self, function: Callable[[Transaction], Any]) -> None:
        self.function = function

    @staticmethod
    def run_together(jobs: Sequence[Call], transaction: Transaction) -> Sequence[Any]:
        """Run them one after the other."""
        return [job.function(transaction) for job in jobs]


class Engine:
    """The file, its writer thread, and the tickets."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.now = clock
        self._lock = file.lock(path)
        with ExitStack() as failed:
            failed.callback(os.close, self._lock)
            self._writer, self.starts = file.prepare(path)
            failed.callback(self._writer.close)
            try:
                self.counters: Counter[str] = Counter(dict(self._writer.execute("SELECT name, value FROM counters")))
                (self._feed_id,) = self._writer.execute("SELECT id FROM feed_mark").fetchone()
                (self._newest,) = self._writer.execute(_NEWEST).fetchone()
                self.soundness = Soundness(path)
                self._checkpoints = Checkpoints(
                    lambda: file.connect(path), path.with_name(path.name + "-wal"), failed=self.soundness.met
                )
            except sqlite3.Error as error:
                raise unusable(path, error) from error
            except OSError as error:  # what belongs to the file was removed just now
                raise unwritable(path, error) from error
            failed.pop_all()
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[tuple[list[Job], Callable[[Results], None]] | None] = queue.SimpleQueue()
        self.commits: GroupCommit[Job] = GroupCommit(lambda jobs, done: self._jobs.put((jobs, done)), _weight)
        self._fresh = Fresh()
        self._written = 0  # jobs of the writer's commits that changed a row, since it was last told to the checkpoints
        self._thread = threading.Thread(target=self._write, name="hookbridge-writer", daemon=True)
        self._thread.start()
        readers = Readers(self._connect, self._met)
        self.read, self.browse, self.search = readers.read, readers.browse, readers.search
        self._readers = readers
        self.duties = Duties()
        self.followers = Followers()
        self.followers.reached(self._feed_id, self._newest)
        self._closed = False
        self._tickets = itertools.count(self.starts * _TICKETS_PER_START)

    def ticket(self) -> int:
        """Give the next ticket: larger than every one before, restarts included."""
        return next(self._tickets)

    def write(self, job: Job) -> asyncio.Future[Any]:
        """Run a job in the next group; the future is done after its commit."""
        return self.commits.submit(job)

    def call(self, function: Callable[[Transaction], Result]) -> asyncio.Future[Result]:
        """Run a function in the next group's transaction."""
        return self.commits.submit(Call(function))

    def _connect(self) -> sqlite3.Connection:
        self.soundness.look()  # what has its name now may be another file
        return file.connect(self.path)

    def _met(self, error: Exception) -> Exception:
        self.soundness.met(error)
        return _failure(error)

    def _write(self) -> None:
        while (work := self._jobs.get()) is not None:
            jobs, done = work
            results, deltas = self._run(jobs)
            self._loop.call_soon_threadsafe(self._finish, results, deltas, self._newest, done)
            self._checkpoints.written(self._written, self._writer)
            self._written = 0

    def _finish(self, results: Results, deltas: Counter[str], newest: int, done: Callable[[Results], None]) -> None:
        self.counters.update(deltas)
        self.followers.reached(self._feed_id, newest)
        done(results)

    def _run(self, jobs: list[Job]) -> tuple[list[Any], Counter[str]]:
        """Commit a group; when one job's own fault broke it, each job by itself."""
        try:
            return self._commit(jobs)
        except Exception as error:  # noqa: BLE001  whatever it is, it belongs to the jobs' futures, not to the thread
            self.soundness.met(error)
            if len(jobs) == 1 or _is_unavailable(error):
                return [_failure(error) for _ in jobs], Counter()
        results: list[Any] = []
        deltas: Counter[str] = Counter()
        for job in jobs:
            one, counted = self._run([job])
            results += one
            deltas.update(counted)
        return results, deltas

    def _commit(self, jobs: list[Job]) -> tuple[list[Any], Counter[str]]:
        self.soundness.look()
        transaction = Transaction(self._writer, self.now(), self._fresh)
        results: list[Any] = [None] * len(jobs)
        kinds: dict[type[Job], list[int]] = {}
        for place, job in enumerate(jobs):
            kinds.setdefault(type(job), []).append(place)
        changes = self._writer.total_changes
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            for kind in sorted(kinds, key=lambda kind: kind.rank):
                places = kinds[kind]
                for place, result in zip(
                    places, kind.run_together([jobs[place] for place in places], transaction), strict=True
                ):
                    results[place] = result
            transaction.save_counters()
            (newest,) = self._writer.execute(_NEWEST).fetchone()
            self._writer.execute("COMMIT")
        except BaseException:
            self._fresh.clear()
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise
        if self._writer.total_changes != changes:
            self._written += len(jobs)
        self._newest = newest
        return results, transaction.deltas

    async def close(self) -> None:
        """Finish what was submitted, then close file and threads."""
        if self._closed:
            return
        self._closed = True
        self.followers.close()
        await self._readers.close()
        await self.commits.close()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._checkpoints.close)
        self._writer.close()
        os.close(self._lock)


class Role:
    """What the contract's roles have in common: the engine that does their jobs and reads."""

    _engine: Engine


def _weight(job: Job) -> int:
    return job.weight


def _is_unavailable(error: Exception) -> bool:
    if isinstance(error, MemoryError | StoreUnavailable):
        return True
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNAVAILABLE_CODES


def _failure(error: Exception) -> Exception:
    """Say whether trying again can help: the disk may have space later, a value without a form on disk never fits."""
    if isinstance(error, StoreUnavailable):
        return error
    if _is_unavailable(error):
        message = f"The data file could not be used: {error}"
        damaged = isinstance(error, sqlite3.Error) and is_damage(error)
        hint = AFTER_DAMAGE if damaged else "check the disk's space and permissions, and the machine's memory"
        return StoreUnavailable(message, hint=hint)
    if isinstance(error, sqlite3.Error | UnicodeError | OverflowError):
        return StoreError(f"The store cannot hold this: {error}")
    return error
