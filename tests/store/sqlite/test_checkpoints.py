"""Checkpoints come in turns: none starts on a log that was copied whole while the writer may begin it anew."""

import itertools
import os
import sqlite3
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from hookbridge.store.sqlite import file
from hookbridge.store.sqlite.checkpoints import Checkpoints

FRAMES_AT, COPIED_AT = 16, 96
"""Where the log's index has the number of its frames, and how many of them are copied
(https://sqlite.org/walformat.html#the_wal_index_file_format)."""


class Watched:
    """A connection that tells of its checkpoints, and waits at each while it is held."""

    def __init__(self, connection: sqlite3.Connection, at: "Log", who: str) -> None:
        self.connection, self.at, self.who = connection, at, who

    def execute(self, statement: str) -> sqlite3.Cursor:
        if "wal_checkpoint" not in statement:
            return self.connection.execute(statement)
        self.at.begins(self.who)
        try:
            return self.connection.execute(statement)
        finally:
            self.at.ends(self.who)

    def close(self) -> None:
        self.connection.close()


class Log:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.going: set[str] = set()
        self.seen: list[str] = []
        self.faults: list[str] = []
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()
        self.over = threading.Event()

    def is_whole(self) -> bool:
        index = self.path.with_name(self.path.name + "-shm").read_bytes()
        frames, copied = struct.unpack_from("=I", index, FRAMES_AT), struct.unpack_from("=I", index, COPIED_AT)
        return copied >= frames

    def begins(self, who: str) -> None:
        if self.going:
            self.faults.append(f"{who} starts while {self.going} goes on")
        if who == "thread" and self.is_whole():
            self.faults.append("the thread starts on a log that was copied whole")
        self.going.add(who)
        if who == "thread":
            self.begun.set()
            self.free.wait(10)

    def ends(self, who: str) -> None:
        self.going.discard(who)
        self.seen.append(who)
        if who == "thread":
            self.over.set()


class World:
    """A file with a writer as the engine has one: commits, and the word after each."""

    def __init__(self, path: Path) -> None:
        self.log = Log(path)
        self.path = path
        self.failed: list[sqlite3.Error] = []
        path.touch()
        self.connection = file.connect(path)
        self.connection.execute("CREATE TABLE t (x)")
        self.writer = Watched(self.connection, self.log, "writer")
        self.checkpoints = Checkpoints(
            lambda: cast("sqlite3.Connection", Watched(file.connect(path), self.log, "thread")),
            path.with_name(path.name + "-wal"),
            failed=self.failed.append,
            every_jobs=1,
        )

    def commit(self, *, writes: bool = True) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        if writes:
            self.connection.execute("INSERT INTO t VALUES (zeroblob(10000))")
        self.connection.execute("COMMIT")
        self.checkpoints.written(int(writes), cast("sqlite3.Connection", self.writer))

    def let_copy(self) -> None:
        """Let the thread go through its turn, if it has one."""
        if self.checkpoints._told and not self.checkpoints._finish.is_set():
            self.log.free.set()
            self.until_copied()
            self.log.free.clear()

    def until_copied(self) -> None:
        """Wait until the thread has said that it is done."""
        assert self.log.over.wait(10)
        self.log.over.clear()
        assert self.checkpoints._finish.wait(10)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "data.db")
    yield world
    world.log.free.set()
    world.checkpoints.close()
    world.connection.close()
    assert world.log.faults == []


def test_thread_and_writer_copy_in_turns(world: World) -> None:
    for _ in range(20):
        world.commit()
        world.until_copied()
        world.commit()
    assert world.log.seen == ["thread", "writer"] * 20


def test_while_the_thread_copies_nobody_else_does_and_it_is_not_told_again(world: World) -> None:
    world.log.free.clear()
    world.commit()
    assert world.log.begun.wait(10)
    for _ in range(50):
        world.commit()
    world.log.free.set()
    world.until_copied()
    world.commit()
    assert world.log.seen == ["thread", "writer"]


@pytest.mark.parametrize("first", ["write", "nothing", "copy"])
def test_in_every_order_of_commits_and_copies_no_copy_starts_on_a_whole_log(tmp_path: Path, first: str) -> None:
    steps: dict[str, Callable[[World], None]] = {
        "write": lambda world: world.commit(),
        "nothing": lambda world: world.commit(writes=False),
        "copy": lambda world: world.let_copy(),
    }
    for number, rest in enumerate(itertools.product(steps, repeat=5)):
        world = World(tmp_path / f"{number}.db")
        world.log.free.clear()
        for step in (first, *rest):
            steps[step](world)
        world.log.free.set()
        world.checkpoints.close()
        world.connection.close()
        assert world.log.faults == [], (first, *rest)


@pytest.mark.parametrize("idle", [1, 5])
def test_a_commit_that_wrote_nothing_starts_no_copy_of_a_whole_log(world: World, idle: int) -> None:
    world.commit()
    world.until_copied()
    world.commit(writes=False)
    assert world.log.is_whole()
    for _ in range(idle):
        world.commit(writes=False)
    assert world.log.seen == ["thread", "writer"]
    world.commit()
    world.until_copied()
    assert world.log.seen == ["thread", "writer", "thread"]


def test_the_log_stays_small_under_a_load_without_a_pause(world: World) -> None:
    for _ in range(3_000):
        world.commit()
    written = 3_000 * 10_000
    assert world.path.with_name("data.db-wal").stat().st_size < written / 10


def test_a_log_that_cannot_be_read_is_told(world: World) -> None:
    world.log.free.clear()
    world.commit()
    assert world.log.begun.wait(10)
    os.truncate(f"{world.path}-wal", 4096)
    world.log.free.set()
    world.until_copied()
    assert [error.sqlite_errorcode for error in world.failed] == [sqlite3.SQLITE_IOERR_SHORT_READ]
